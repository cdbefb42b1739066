"""``python -m nvcodec.training``: pack a corpus, train, show what a checkpoint reaches."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from nvcodec.errors import NvcodecError, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code; errors are one line on stderr."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    from nvcodec.training.arguments import add_fields, add_packing
    from nvcodec.training.settings import TrainSettings

    parser = argparse.ArgumentParser("python -m nvcodec.training", description=__doc__)
    commands = parser.add_subparsers(required=True)
    pack = commands.add_parser("pack", help="cut videos and pictures into a packed corpus (OpenCV)")
    add_packing(pack)
    pack.set_defaults(run=_pack)
    train = commands.add_parser("train", help="train a model; a folder with a checkpoint is gone on with")
    train.add_argument("corpus", type=Path, nargs="+", help="packed folders")
    train.add_argument("out", type=Path, help="folder of checkpoints and the log")
    train.add_argument("--start-from", type=Path, help="checkpoint whose mean weights to begin with")
    train.add_argument("--device", default="auto")
    train.add_argument("--threads", type=int, default=0, help="of the CPU, 0 = all")
    train.add_argument("--stop-after", type=float, default=0.0, help="seconds of this call, after which it saves")
    add_fields(train, TrainSettings)
    train.set_defaults(run=_train)
    return parser


def _pack(given: argparse.Namespace) -> int:
    from nvcodec.training.arguments import run_packing
    from nvcodec.training.opencv import read

    return run_packing(given, read)


def _train(given: argparse.Namespace) -> int:
    import torch

    from nvcodec.hardware import pick_device
    from nvcodec.training.arguments import from_fields
    from nvcodec.training.checkpoint import checkpoints, load_checkpoint
    from nvcodec.training.corpus import open_corpus, split_corpus
    from nvcodec.training.loop import Trainer
    from nvcodec.training.making import make_model
    from nvcodec.training.settings import TrainSettings
    from nvcodec.training.state import Training
    from nvcodec.training.stop import stoppable

    settings = from_fields(TrainSettings, given)
    if given.threads:
        torch.set_num_threads(given.threads)
    device = pick_device(given.device)
    split = split_corpus([items for folder in given.corpus for items in open_corpus(folder)], settings.held_out)
    torch.manual_seed(settings.seed)
    training = Training(make_model(settings.model).to(device), settings)
    if checkpoints(given.out):
        state = load_checkpoint(given.out)
        _check_same(settings, state.settings)
        training.resume(state)
        print(f"going on from step {state.step}", file=sys.stderr)
    elif given.start_from is not None:
        training.start_from(load_checkpoint(given.start_from))
    with stoppable(given.stop_after) as stop:
        reason = Trainer(training, split, given.out, device=device, report=_show).run(stop)
    print(f"{reason} at step {training.step} after {training.seconds:.0f} s", file=sys.stderr)
    return 0


def _check_same(mine: Any, before: Any) -> None:
    """A training may be made longer and watched otherwise; nothing else changes on the way."""
    free = ("steps", "seconds", "log_every", "validate_every", "checkpoint_minutes", "decay")
    now = replace(mine, **{name: getattr(before, name) for name in free})
    if now != before:
        odd = [f.name for f in fields(mine) if getattr(now, f.name) != getattr(before, f.name)]
        raise UsageError(f"the training in this folder has other settings: {', '.join(odd)}")


def _show(kind: str, row: dict[str, Any]) -> None:
    if kind == "validation":
        for each in row["rows"]:
            rates = " ".join(f"{value:.4f}" for value in each["bpp"])
            levels = " ".join(f"{value:.2f}" for value in each["psnr"])
            print(f"step {row['step']} q {each['quality']}: bpp {rates} | dB {levels}", flush=True)
        return
    print(
        f"step {row['step']} {row['progress']:.1%} loss {row['loss']:.4f} bpp {row['bpp']:.4f} mse {row['mse']:.2f}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
