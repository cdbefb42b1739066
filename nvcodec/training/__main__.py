"""``python -m nvcodec.training``: pack a corpus, train, make weights that ship, print a log as CSV."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from nvcodec.errors import NvcodecError


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code; errors are one line on stderr."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
        return 141


def _parser() -> argparse.ArgumentParser:
    from nvcodec.training.arguments import add_fields, add_packing
    from nvcodec.training.settings import CallSettings, ExportSettings, TrainSettings

    parser = argparse.ArgumentParser("python -m nvcodec.training", description=__doc__)
    commands = parser.add_subparsers(required=True)
    pack = commands.add_parser("pack", help="cut videos and pictures into a packed corpus (OpenCV)")
    add_packing(pack)
    pack.set_defaults(run=_pack)
    train = commands.add_parser("train", help="train a model; a folder with a checkpoint is gone on with")
    train.add_argument("corpus", type=Path, nargs="+", help="packed folders")
    train.add_argument("out", type=Path, help="folder of checkpoints and the log")
    add_fields(train, CallSettings)
    add_fields(train, TrainSettings)
    train.set_defaults(run=_train)
    export = commands.add_parser("export", help="make a file of weights and its model card from a run")
    export.add_argument("checkpoint", metavar="RUN", type=Path, help="folder of a training, or one of its checkpoints")
    export.add_argument("out", type=Path, help="folder of weights")
    export.add_argument("--corpus", type=Path, nargs="+", default=[], help="packed folders to validate on")
    export.add_argument("--default", action="store_true", help="encoders take these weights for their size")
    add_fields(export, ExportSettings)
    export.set_defaults(run=_export)
    log = commands.add_parser("log", help="print logs of trainings as CSV, to be plotted")
    log.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folders of trainings")
    log.add_argument("--kind", choices=("train", "validation"), default="train")
    log.set_defaults(run=_log)
    return parser


def _pack(given: argparse.Namespace) -> int:
    from nvcodec.training.arguments import run_packing
    from nvcodec.training.opencv import read

    return run_packing(given, read)


def _train(given: argparse.Namespace) -> int:
    from nvcodec.training.arguments import from_fields
    from nvcodec.training.run import run_training
    from nvcodec.training.settings import CallSettings, TrainSettings

    settings, call = from_fields(TrainSettings, given), from_fields(CallSettings, given)
    ended = run_training(given.corpus, given.out, settings, call, _show)
    print(f"{ended.reason} at step {ended.step} after {ended.seconds:.0f} s", file=sys.stderr)
    return 0


def _export(given: argparse.Namespace) -> int:
    from nvcodec.training.arguments import from_fields
    from nvcodec.training.export import export, set_default
    from nvcodec.training.log import validation_line
    from nvcodec.training.settings import ExportSettings

    made = export(given.checkpoint, given.out, given.corpus, from_fields(ExportSettings, given))
    if given.default:
        set_default(given.out, made.size, made.id)
    for row in made.rows:
        print(validation_line(row))
    print(f"{made.path}: {made.bytes} bytes, model card {made.card.name}")
    return 0


def _log(given: argparse.Namespace) -> int:
    from nvcodec.training.log import csv_lines

    for line in csv_lines(given.runs, given.kind):
        print(line)
    sys.stdout.flush()
    return 0


def _show(kind: str, row: dict[str, Any]) -> None:
    from nvcodec.training.log import validation_line

    if kind == "start" and row["step"]:
        print(f"going on from step {row['step']}", file=sys.stderr)
    if kind == "start" and row["grown"]:
        print(f"the model has grown since the checkpoint: {', '.join(row['grown'])}", file=sys.stderr)
    if kind == "validation":
        for each in row["rows"]:
            print(f"step {row['step']} {validation_line(each)}", flush=True)
    if kind == "train":
        values = " ".join(f"{name} {row[name]:.{digits}f}" for name, digits in (("loss", 4), ("bpp", 4), ("mse", 2)))
        print(f"step {row['step']} {row['progress']:.1%} {values}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
