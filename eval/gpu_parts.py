"""The work behind `eval.on_gpu`'s parts, each a process of its own that prints one JSON object. Needs no PyAV.

python -m eval.gpu_parts fit bunny.npz bunny.payload.npz --codec hnerv --quality 28 --seconds 240
python -m eval.gpu_parts decode bunny.npz bunny.payload.npz --codec hnerv
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from nvcodec.codecs.base import GroupSpec, Planes, TrainedCodec
from nvcodec.codecs.predicted_model import KIND
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.weights import SUFFIX
from nvcodec.container import Unit
from nvcodec.entropy import bench_cuda
from nvcodec.errors import InputError, NvcodecError
from nvcodec.format import VideoFormat
from nvcodec.hardware import fast_precision, pick_device
from nvcodec.metrics import bpp, psnr_yuv


def device(given: argparse.Namespace) -> dict[str, Any]:
    """What this machine computes with."""
    found: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "devices": []}
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        compute = f"{facts.major}.{facts.minor}"
        found["devices"].append({"name": facts.name, "memory": facts.total_memory, "compute": compute})
    return found


def coder(given: argparse.Namespace) -> dict[str, Any]:
    """The entropy coder's kernels; a UsageError where there is no GPU."""
    return {"rows": list(bench_cuda.rows())}


def load_clip(path: Path) -> tuple[list[Planes], VideoFormat]:
    """The pictures that `eval.on_gpu prepare` wrote.

    Raises:
        InputError: the file is missing or no such file of arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            y, u, v = arrays["y"], arrays["u"], arrays["v"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} holds no pictures: {error}") from None
    fmt = VideoFormat(y.shape[2], y.shape[1], 8 if y.dtype == np.uint8 else 10)
    return list(zip(y, u, v, strict=True)), fmt


def weights_file(place: Path | None) -> str | None:
    """A file of weights, or the newest one of predicted frames in a folder. Raises InputError if there is none."""
    if place is None or not place.is_dir():
        return None if place is None else str(place)
    found = sorted(place.glob(f"{KIND}*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise InputError(f"{place} holds no {KIND}*{SUFFIX}")
    return str(found[-1])


def fit(given: argparse.Namespace) -> dict[str, Any]:
    """Codes a clip as one group and writes its config and units."""
    frames, fmt = load_clip(given.clip)
    where = pick_device(given.device)
    effort: dict[str, Any] = {"seconds": given.seconds} if given.seconds else {"preset": given.preset}
    effort |= {"model": weights_file(given.model), "structure": given.structure}
    spec = GroupSpec(quality=given.quality, device=where, precision=fast_precision(where), **effort)
    coded = get_codec(given.codec).encode_group(frames, fmt, spec)
    arrays: dict[str, Any] = {"config": np.frombuffer(coded.config, np.uint8)}
    for i, unit in enumerate(coded.units):
        arrays[f"unit{i}"] = np.frombuffer(unit.payload, np.uint8)
        arrays[f"place{i}"] = np.array([unit.first, unit.count, *unit.references])
    with given.payload.open("wb") as file:
        np.savez(file, **arrays)
    return {
        "frames": len(frames),
        "bytes": coded.size,
        "bpp": bpp(coded.size, fmt.width, fmt.height, len(frames)),
        "estimated_bytes": coded.estimated_bytes,
        "psnr_yuv": coded.psnr,
        "steps": coded.steps,
        "seconds": coded.seconds,
        "precision": spec.precision,
        "device": where,
        "peak_device_bytes": torch.cuda.max_memory_allocated() if where != "cpu" else None,
        **coded.notes,
    }


def _unit(arrays: Any, number: int) -> Unit:
    first, count, *references = arrays[f"place{number}"].tolist()
    return Unit(first, count, tuple(references), arrays[f"unit{number}"].tobytes())


def decode(given: argparse.Namespace) -> dict[str, Any]:
    """Decodes a group: seconds until it is open, frames a second after one of warming up, PSNR against the clip."""
    frames, fmt = load_clip(given.clip)
    where = pick_device(given.device)
    with np.load(given.payload, allow_pickle=False) as arrays:
        config = arrays["config"].tobytes()
        units = [_unit(arrays, i) for i in range(len(arrays.files) // 2)]
    codec = get_codec(given.codec)
    if given.model is not None:
        cast(TrainedCodec, codec).weight_files(weights_file(given.model))  # from here on they are found by their ids
    start = time.perf_counter()
    decoder = codec.open_group(config, units, fmt, len(frames), where)
    opened = time.perf_counter() - start
    decoder.planes(0)
    start = time.perf_counter()
    shown = [decoder.planes(i) for i in range(len(frames))]  # planes come back to the CPU, so nothing is left pending
    seconds = time.perf_counter() - start
    quality = [psnr_yuv(a, b, fmt.bit_depth) for a, b in zip(frames, shown, strict=True)]
    return {
        "open_seconds": opened,
        "decode_fps": len(frames) / seconds,
        "psnr_yuv": sum(quality) / len(quality),
        "device": where,
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.gpu_parts", description=__doc__, formatter_class=raw)
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("device").set_defaults(call=device)
    commands.add_parser("coder").set_defaults(call=coder)
    for name, call in (("fit", fit), ("decode", decode)):
        command = commands.add_parser(name)
        command.set_defaults(call=call)
        command.add_argument("clip", type=Path, help="what `eval.on_gpu prepare` wrote")
        command.add_argument("payload", type=Path, help="file of the coded group")
        command.add_argument("--codec", default="hnerv")
        command.add_argument("--model", type=Path, help="weights of a trained codec: a file, or a folder's newest")
        command.add_argument("--device", default="auto")
        if name == "fit":
            command.add_argument("--quality", type=float, default=32)
            command.add_argument("--structure", help="of the conditional codec: low-delay or random-access")
            effort = command.add_mutually_exclusive_group()
            effort.add_argument("--preset", default="medium")
            effort.add_argument("--seconds", type=float)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Does one part and prints what it found."""
    given = parse(arguments)
    try:
        print(json.dumps(given.call(given)))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
