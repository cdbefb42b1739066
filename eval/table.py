"""The README's table: fitted codecs within a time budget, beside classical encoders at the same bytes.

    python -m eval.table --out out/table
    python -m eval.table --case bigbuckbunny.mp4:150kB,300kB --case bikes.mp4:q24,q40 --time-budget 15m

Each row is kept as it is made, in OUT/results.jsonl; a second call goes on where the first one ended. `--fresh` starts
anew. Encode time is wall clock from the start of a fresh process, peak memory that process's largest resident set,
decode speed the frames of the clip over the wall clock of a fresh process that writes raw pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.clips import find_clip
from nvcodec.errors import NvcodecError, UsageError
from nvcodec.study.processes import run_nvcodec
from nvcodec.study.provenance import commit, machine
from nvcodec.study.results import Results

DEFAULT_CASES = ("bigbuckbunny.mp4:150kB,300kB", "bikes.mp4:75kB,150kB")
HEADER = ("clip", "codec", "bytes", "bpp", "PSNR RGB", "PSNR YUV", "MS-SSIM", "encode s", "decode fps", "peak MB")


@dataclass(frozen=True)
class Case:
    """One clip at one goal: a size for ``--size``, or a quality written q0..q63."""

    clip: str
    goal: str

    @property
    def option(self) -> tuple[str, str]:
        """The encoder's option for the goal."""
        if self.goal[:1] == "q" and self.goal[1:].isdigit():
            return "--quality", self.goal[1:]
        return "--size", self.goal


def parse_case(text: str) -> list[Case]:
    """``CLIP:GOAL[,GOAL...]`` as one case a goal.

    Raises:
        UsageError: it is not of that form.
    """
    clip, colon, goals = text.rpartition(":")
    found = [goal.strip() for goal in goals.split(",") if goal.strip()]
    if not (colon and clip and found):
        raise UsageError(f"a case is CLIP:GOAL[,GOAL...], not {text!r}")
    return [Case(clip, goal) for goal in found]


def nvcodec_row(case: Case, codec: str, budget: str, extra: list[str], folder: Path) -> dict[str, Any]:
    """Encodes, decodes and measures one case, each in a fresh process."""
    clip = find_clip(case.clip)
    coded, decoded = folder / f"{clip.stem}.{codec}.{case.goal}.nvc", folder / "decoded.y4m"
    arguments = (*case.option, "--codec", codec, "--time-budget", budget, "--no-audio", *extra)
    encode = run_nvcodec("encode", str(clip), str(coded), *arguments, "-y")
    try:
        decode = run_nvcodec("decode", str(coded), str(decoded), "-y")
    finally:
        decoded.unlink(missing_ok=True)
    measured = run_nvcodec("eval", str(clip), str(coded), "--json").last_object()
    return {
        **measured,
        "codec": codec,
        "clip": clip.name,
        "goal": case.goal,
        "encode_seconds": encode.seconds,
        "decode_seconds": decode.seconds,
        "decode_fps": measured["frames"] / decode.seconds,
        "decode_fps_warm": measured["decode_fps"],
        "peak_bytes": encode.peak_bytes,
        "decode_peak_bytes": decode.peak_bytes,
        "command": f"nvcodec encode {clip.name} {coded.name} {' '.join(arguments)}",
        "commit": commit(),
        "machine": machine(),
    }


def collect(cases: Iterable[Case], given: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows in the table's order: each case's own, then its anchors at those very bytes."""
    results = Results(given.out / "results.jsonl")
    table = []
    for case in cases:
        for codec in given.codec:
            key = f"{case.clip} {codec} {case.goal} {given.time_budget} {' '.join(given.encode_args)}".strip()
            row = results.get(key)
            if row is None:
                print(f"encoding {key}", file=sys.stderr)
                row = results.add(key, nvcodec_row(case, codec, given.time_budget, given.encode_args, given.out))
            table.append(row)
            table += [anchor(results, case, name, row["video_bytes"]) for name in given.anchors]
    return table


def anchor(results: Results, case: Case, name: str, target: int) -> dict[str, Any]:
    """The anchor's row, from the file of results or made now."""
    from eval.anchors import anchor_row  # these need the anchors' packages, which a table without anchors does not
    from eval.compare import source_facts

    key = f"{case.clip} {name} {target}"
    row = results.get(key)
    if row is None:
        print(f"encoding {key}", file=sys.stderr)
        row = results.add(key, anchor_row(name, source_facts(find_clip(case.clip)), target))
    return row


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table, then every command, then what commits and machines the numbers come from."""
    lines = [_line(HEADER), _line(["---", "---", *["---:"] * (len(HEADER) - 2)])]
    lines += [_line(cells(row)) for row in rows]
    lines += ["", "Commands:", "", *dict.fromkeys(f"- `{row['command']}`" for row in rows), ""]
    for name in ("commit", "machine"):
        lines.append(f"{name.capitalize()}: {'; '.join(dict.fromkeys(str(row[name]) for row in rows))}.")
    return "\n".join(lines)


def cells(row: Mapping[str, Any]) -> list[str]:
    """A row's values as the table shows them; a measure that does not apply is a dash."""
    return [
        str(row["clip"]),
        str(row["codec"]),
        str(row["video_bytes"]),
        _number(row["bpp"], 4),
        _number(row.get("psnr_rgb"), 2),
        _number(row["psnr_yuv"], 2),
        _number(row.get("ms_ssim"), 4),
        _number(row["encode_seconds"], 1),
        _number(row["decode_fps"], 1),
        _number(row["peak_bytes"] / 1e6, 0),
    ]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _line(values: Iterable[str]) -> str:
    return f"| {' | '.join(values)} |"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.table", description=__doc__, formatter_class=raw)
    parser.add_argument("--case", action="append", help=f"CLIP:GOAL[,GOAL...] (default: {' '.join(DEFAULT_CASES)})")
    parser.add_argument("--codec", nargs="+", default=["hnerv"])
    parser.add_argument("--anchors", nargs="*", default=["x264", "x265"])
    parser.add_argument("--time-budget", default="15m")
    parser.add_argument("--encode-args", nargs=argparse.REMAINDER, default=[], help="all that follows goes to encode")
    parser.add_argument("--out", type=Path, default=Path("out/table"))
    parser.add_argument("--fresh", action="store_true", help="measure again what OUT already holds")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Makes what is missing and prints the table."""
    given = parse(arguments)
    try:
        cases = [case for text in given.case or DEFAULT_CASES for case in parse_case(text)]
        given.out.mkdir(parents=True, exist_ok=True)
        if given.fresh:
            (given.out / "results.jsonl").unlink(missing_ok=True)
        print(markdown(collect(cases, given)))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
