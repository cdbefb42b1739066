"""How fast trained codecs encode and decode: one in its stages, beside CompressAI's ssf2020, in one process.

    python -m eval.codec_speed --threads 2
    python -m eval.codec_speed --threads 2 --avx2
    python -m eval.codec_speed --codec conditional --model FILE.safetensors --ssf-frames 0
    python -m eval.codec_speed clip.npz --size 1920x1080 --device cuda --untrained m

Frames are those of a real clip, brought to --size by a whole factor and a crop. After a warm-up everything runs --runs
times, the codecs in turn, and medians are shown: frames a second of one group, whose first frame is coded alone. Stages
are pictures to latents and back (networks on pixels) and latents to bytes and back (prior and entropy coder);
of conditional search, warp, context, analysis, prior, coder and synthesis, in low delay.
encode_group and open_group are the same work as the commands do it, checks included. ssf2020 (quality 4, random
weights) gets the same frames in RGB, fp32, padded to multiples of 128. --avx2 runs the same in a process that sees no
more than AVX2. --untrained times a size before there are weights of it. A table is printed, then one line of JSON with
everything; the line is appended to --out, too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from eval.codec_speed_conditional import ConditionalStages
from eval.codec_speed_stages import Clock, SsfStages, StemStages
from eval.codec_speed_table import as_markdown, summary
from eval.compressai_ssf import load_ssf
from eval.pictures import Pictures, load_pictures, to_rgb
from eval.resize import resized
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import QUALITIES
from nvcodec.codecs.conditional_pictures import Networks
from nvcodec.codecs.predicted_model import KIND, PredictedModel, load_predicted
from nvcodec.codecs.weights import Model, load_model, named_weights
from nvcodec.errors import NvcodecError, OutputError, UsageError
from nvcodec.hardware import pick_device
from nvcodec.models.weights import pack_weights
from nvcodec.provenance import ROOT, commit, machine
from nvcodec.training.card import part_macs
from nvcodec.training.making import make_model

CLIP = "bigbuckbunny.mp4"
Stages = StemStages | ConditionalStages
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and the line. Gives the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = parse(words)
    if given.avx2:
        return _again([word for word in words if word != "--avx2"])
    try:
        found = measured(given)
        line = json.dumps(found)
        print(as_markdown(found))
        print(line)
        if given.out is not None:
            _append(given.out, line)
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.codec_speed", description=__doc__, formatter_class=raw)
    parser.add_argument("clip", nargs="?", default=CLIP, help=f"a video, or arrays of eval.on_gpu (default: {CLIP})")
    parser.add_argument("--size", type=_size, default=(640, 360), help="of the pictures (default: 640x360)")
    parser.add_argument("--frames", type=int, default=16, help="of the group (default: 16)")
    parser.add_argument(
        "--codec", choices=("stem", "conditional"), default="stem", help="what is timed (default: stem)"
    )
    parser.add_argument("--quality", type=int, default=32, help="of the codec (default: 32)")
    parser.add_argument("--model", help="of the codec: a size or a file of weights (default: the smallest)")
    parser.add_argument("--untrained", metavar="SIZE", help="instead of --model, a size as training starts it")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of the networks on pixels")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--runs", type=int, default=5, help="after the warm-up (default: 5)")
    parser.add_argument("--ssf-frames", type=int, help="frames that ssf2020 gets, 0 for none of it (default: all)")
    parser.add_argument("--avx2", action="store_true", help="in a process without AVX-512 and AMX")
    parser.add_argument("--out", type=Path, help="file that the line is appended to")
    return parser.parse_args(arguments)


def _size(text: str) -> tuple[int, int]:
    width, height = map(int, text.lower().split("x"))
    return width, height


def _again(arguments: Sequence[str]) -> int:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    command = (sys.executable, "-m", "eval.codec_speed", *arguments)
    return subprocess.run(command, env={**os.environ, **AVX2, "PYTHONPATH": path}, check=False).returncode


def _append(path: Path, line: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from None


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """All that the line says. Raises NvcodecError for what cannot be run."""
    _check(given)
    device = pick_device(given.device)
    load = os.getloadavg()[0]
    clip = load_pictures(given.clip, given.frames)
    pictures = resized(clip, *given.size)
    with cpu_threads(given.threads) as threads, _named(given) as name:
        stages, model, path = _stages(given, name, pictures, device)
        ssf, why = _ssf(pictures, given.ssf_frames, device)
        clocks = _timed(stages, ssf, given.runs, device)
    facts = {
        "codec": given.codec,
        "clip": pictures.name, "size": pictures.size, "from": clip.size, "frames": len(pictures.frames),
        "quality": given.quality, "model": given.untrained or path.stem, "trained": given.untrained is None,
        "weights": model.weights.id.hex(), "kmacs_per_pixel": _kmacs(model), "precision": given.precision,
        "threads": threads, "device": device, "runs": given.runs, "load_before": load,
    }  # fmt: skip
    facts |= {"cpu_capability": torch.backends.cpu.get_cpu_capability(), "onednn": os.environ.get("ONEDNN_MAX_CPU_ISA")}
    facts |= {"torch": torch.__version__, "commit": commit(), "machine": machine()}
    found = {**facts, given.codec: summary(clocks[0], len(pictures.frames), stages.bytes, pictures.size)}
    if ssf is None:
        return {**found, "ssf2020": None, "ssf2020_missing": why}
    return {**found, "ssf2020": summary(clocks[1], len(ssf.frames), ssf.bytes, pictures.size)}


def _stages(
    given: argparse.Namespace, name: str | None, pictures: Pictures, device: str
) -> tuple[Stages, Model | PredictedModel, Path]:
    """What is timed, its networks and their file."""
    how = given.quality, given.precision, device
    if given.codec == "stem":
        path = named_weights(name)
        model = load_model(path, device)
        return StemStages(model, name, pictures, *how), model, path
    path = named_weights(name, KIND)
    predicted = load_predicted(path, device)
    networks = Networks(load_model(named_weights(None), device), predicted)
    return ConditionalStages(networks, name, pictures, *how), predicted, path


def _check(given: argparse.Namespace) -> None:
    bounds = {"frames": (1, 4096), "runs": (1, 1000), "quality": (0, QUALITIES - 1), "ssf_frames": (0, 4096)}
    for name, (low, high) in bounds.items():
        value = getattr(given, name)
        if value is not None and not low <= value <= high:
            raise UsageError(f"--{name.replace('_', '-')} is {low} to {high}, not {value}")
    if given.model is not None and given.untrained is not None:
        raise UsageError("--model and --untrained exclude one another")


@contextmanager
def _named(given: argparse.Namespace) -> Iterator[str | None]:
    """What codecs call the weights; those of an untrained model are written for as long as they are needed."""
    if given.untrained is None:
        yield given.model
        return
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"untrained-{given.untrained}.safetensors"
        kind = KIND if given.codec == "conditional" else ""
        path.write_bytes(pack_weights(make_model(kind + given.untrained), {"model": kind + given.untrained}))
        yield str(path)


def _kmacs(model: Model | PredictedModel) -> dict[str, float]:
    """Thousands of multiply-adds for a luma sample of a padded picture, by the parts of the model: both transforms,
    the context among them, and the prior."""
    parts = part_macs(model.weights.config)
    both = sum(parts.get(name, 0.0) for name in ("analysis", "context", "synthesis"))
    return {"transforms": round(both / 1000, 2), "prior": round(parts["prior"] / 1000, 2)}


def _ssf(pictures: Pictures, count: int | None, device: str) -> tuple[SsfStages | None, str]:
    """CompressAI's side, or why there is none."""
    if count == 0:
        return None, "it was not asked for"
    model, why = load_ssf(device)
    if model is None:
        return None, why
    return SsfStages(model, [to_rgb(planes, pictures.format) for planes in pictures.frames[:count]], device), ""


def _timed(stages: Stages, ssf: SsfStages | None, runs: int, device: str) -> tuple[Clock, Clock]:
    """Both codecs in turn, so that what slows the machine down slows both; the first run is not counted."""
    for number in range(runs + 1):
        if number <= 1:
            clocks = Clock(device), Clock(device)
        stages.run(clocks[0])
        stages.run_group(clocks[0])
        if ssf is not None:
            ssf.run(clocks[1])
    return clocks


if __name__ == "__main__":
    sys.exit(main())
