"""The table of :mod:`eval.family`: a line a codec, PSNR of each clip and rate, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def markdown(rows: Sequence[Row]) -> str:
    """One table a mode, codecs in the order of their rows; the latest row of a point counts. Empty for no rows."""
    return "\n\n".join(_table(mode, [row for row in rows if row["mode"] == mode]) for mode in _once(rows, "mode"))


def _once(rows: Iterable[Row], name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows))


def _table(mode: str, rows: Sequence[Row]) -> str:
    cases = sorted({(row["clip"], row["bpp"]) for row in rows})
    found = {(row["codec"], row["clip"], row["bpp"]): row for row in rows}
    amounts = ", ".join(f"{amount:g}" for amount in _once(rows, "amount"))
    head = [f"{Path(clip).stem} {bpp:g} bpp" for clip, bpp in cases]
    costs = ["bytes of goal", "seconds", "decode fps", "kMAC/pixel", "MB encode", "MB decode"]
    lines = [
        f"Equal {mode} ({amounts} {'s of wall clock' if mode == 'time' else 'steps'} an encode); PSNR in dB, 6:1:1",
        "",
        _line(["codec", *head, *costs]),
        _line(["---", *["---:"] * (len(head) + len(costs))]),
    ]
    for codec in _once(rows, "codec"):
        own = [found.get((codec, *case)) for case in cases]
        lines.append(_line([codec, *(_psnr(row) for row in own), *_costs([row for row in own if row])]))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _psnr(row: Row | None) -> str:
    return "" if row is None else f"{row['psnr']:.2f}"


def _costs(rows: Sequence[Row]) -> list[str]:
    """Over all clips and rates: ranges, and the most memory."""
    peaks = [max(row[f"{what}_peak_bytes"] for row in rows) / 1e6 for what in ("encode", "decode")]
    return [
        _range([100 * row["bytes"] / (row["bpp"] * row["pixels"] / 8) for row in rows], "%"),
        _range([row["encode_seconds"] for row in rows]),
        _range([row["decode_fps"] for row in rows]),
        _range([row["macs_per_pixel"] / 1000 for row in rows], digits=1),
        *(f"{peak:.0f}" for peak in peaks),
    ]


def _range(values: Sequence[float], unit: str = "", digits: int = 0) -> str:
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return f"{low}{unit}" if low == high else f"{low}-{high}{unit}"
