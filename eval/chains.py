"""Groups of fitted codecs beside each other: alone or leaning on the one before, long or short, by CPU seconds.

    python -m eval.chains CLIP... --frames 48 --runs nerv:medium:48:48 nirvana:faster:16:48 --out rows.jsonl

A run is codec:preset:frames a group:frames a chain, and optionally :share of the preset's steps, and :large for groups
that stand alone with networks as large as those of chains. Everything happens in
this process on one thread; seconds are those of the CPU, so that work beside it counts little. Rows are printed beside
the first run of the clip: its seconds over theirs, their decoding speed and bytes over its. ``--freeze`` repeats the
first frame, which is as still as content gets.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from nvcodec.api.tags import Tag, group_of
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs import encoding, following, sizing
from nvcodec.codecs.base import GroupPayload, GroupSpec, GroupState, Planes
from nvcodec.codecs.registry import get_codec
from nvcodec.container.writer import group_size
from nvcodec.format import VideoFormat
from nvcodec.hardware import fast_precision, tune_allocator
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.provenance import commit, machine
from nvcodec.video import Reader


@dataclass(frozen=True)
class Run:
    """How a clip is coded."""

    codec: str
    preset: str
    gof: int
    keyint: int
    share: float = 1.0  # of the preset's steps
    large: bool = False

    @classmethod
    def of(cls, text: str) -> Run:
        codec, preset, gof, keyint, *more = text.split(":")
        share = float(more[0]) if more else 1.0
        return cls(codec, preset, int(gof), int(keyint), share, more[1:] == ["large"])

    def __str__(self) -> str:
        extra = f" x{self.share:g}" * (self.share != 1) + " large" * self.large
        return f"{self.codec} {self.preset} {self.gof}/{self.keyint}{extra}"


def with_share(share: float) -> None:
    """Let fits take so much of their presets' steps."""
    planned = sizing.fit_plan
    for module in (encoding, following):
        module.fit_plan = lambda *arguments: planned(*arguments).part(share)  # type: ignore[attr-defined]


def coded(run: Run, frames: list[Planes], fmt: VideoFormat, quality: float) -> tuple[list[GroupPayload], float]:
    """All groups, and CPU seconds, checks by decoding included."""
    codec, payloads = get_codec(run.codec), list[GroupPayload]()
    state: GroupState | None = None
    with_share(run.share)
    spec = GroupSpec(
        quality, preset=run.preset, precision=fast_precision("cpu"), chain=run.keyint > run.gof or run.large
    )
    started = time.process_time()
    for first in range(0, len(frames), run.gof):
        state = None if first % run.keyint == 0 else state
        payloads.append(codec.encode_group(frames[first : first + run.gof], fmt, spec, None, state))
        state = payloads[-1].state
    return payloads, time.process_time() - started


def decoded(run: Run, payloads: list[GroupPayload], frames: list[Planes], fmt: VideoFormat) -> tuple[float, float]:
    """(PSNR YUV, CPU seconds) of all groups decoded from their bytes."""
    codec, state, seconds, values = get_codec(run.codec), None, 0.0, []
    for number, payload in enumerate(payloads):
        first = number * run.gof
        shown = frames[first : first + run.gof]
        started = time.process_time()
        before: Any = state if payload.leans else None
        decoder = codec.open_group(payload.config, payload.units, fmt, len(shown), "cpu", before)
        pictures = [decoder.planes(i) for i in range(len(shown))]
        seconds += time.process_time() - started
        values += [psnr_yuv(a, b, fmt.bit_depth) for a, b in zip(shown, pictures, strict=True)]
        state = getattr(decoder, "state", None)
    return float(np.mean(values)), seconds


def chunk_bytes(payload: GroupPayload, frames: int) -> int:
    """Of the group in a file."""
    return group_size(group_of(replace(payload, leans=False), Tag([*range(frames)], [1] * frames, []), None))


def measure(clip: Path, run: Run, frames: list[Planes], fmt: VideoFormat, quality: float) -> dict[str, Any]:
    payloads, seconds = coded(run, frames, fmt, quality)
    psnr, decode_seconds = decoded(run, payloads, frames, fmt)
    lengths = [len(frames[i : i + run.gof]) for i in range(0, len(frames), run.gof)]
    sizes = [chunk_bytes(payload, length) for payload, length in zip(payloads, lengths, strict=True)]
    return {
        "clip": clip.name, "frames": len(frames), "quality": quality, **asdict(run), "bytes": sum(sizes), "psnr": psnr,
        "seconds": seconds, "decode_fps": len(frames) / decode_seconds,
        "groups": [
            {"bytes": size, "psnr": p.psnr, "steps": p.steps, "seconds": p.seconds, "leans": p.leans}
            for size, p in zip(sizes, payloads, strict=True)
        ],
        "commit": commit(), "machine": machine(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--runs", nargs="+", type=Run.of, required=True)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--quality", type=float, default=32)
    parser.add_argument("--freeze", action="store_true", help="the first frame, over and over")
    parser.add_argument("--out", type=Path, help="JSONL; rows are added")
    given = parser.parse_args()
    tune_allocator()
    with cpu_threads(1):
        for clip in given.clips:
            with Reader(clip, audio=False) as reader:
                fmt, frames = reader.format, [picture.planes for picture in islice(reader, given.frames)]
            frames = [frames[0]] * len(frames) if given.freeze else frames
            first: dict[str, Any] = {}
            for run in given.runs:
                row = measure(clip, run, frames, fmt, given.quality) | {"frozen": given.freeze}
                first = first or row
                show(row, first, run)
                if given.out:
                    with given.out.open("a") as file:
                        file.write(json.dumps(row) + "\n")


def show(row: dict[str, Any], first: dict[str, Any], run: Run) -> None:
    """A row beside the first one of its clip."""
    ratios = [first["seconds"] / row["seconds"], row["decode_fps"] / first["decode_fps"], row["bytes"] / first["bytes"]]
    steps = " ".join(str(group["steps"]) for group in row["groups"])
    print(
        f"{row['clip'][:20]:20} {run!s:28} {row['bytes']:8} B {row['psnr']:6.2f} dB {row['seconds']:7.1f} s "
        f"{row['decode_fps']:6.0f} fps | x{ratios[0]:.2f} seconds, x{ratios[1]:.2f} fps, x{ratios[2]:.2f} bytes | "
        f"steps {steps}",
        flush=True,
    )


if __name__ == "__main__":
    main()
