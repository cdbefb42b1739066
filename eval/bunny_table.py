"""The Bunny tables as markdown: our rows beside published figures of the same picture size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.published import Regression
from nvcodec.study.rows import Row

Found = Mapping[str, Any]
FITS = ("picture", "codec", "parameters", "epochs", "PSNR RGB", "PSNR YUV", "fit min", "published RGB PSNR")
CODED = ("picture", "codec", "effort", "bpp", "PSNR RGB", "PSNR YUV", "MS-SSIM", "encode min", "decode fps",
         "published RGB PSNR at bpp")  # fmt: skip
_NUMBERS = {  # that a row of each kind needs to be shown; some may be null
    "regression": ("parameters", "wanted_parameters", "epochs", "fit_seconds"),
    "compressed": ("bpp", "wanted_bpp", "encode_seconds", "decode_fps"),
}
MARKS = {"primary": "", "digitised": " d", "recalled": " r"}
NOTE = (
    "Published: r is recalled from a paper and to be checked before it is quoted, d is read off a chart (0.1 dB). "
    "Theirs are RGB networks measured in float; ours show 4:2:0 planes, rounded to 8 bits, and RGB is made of these. "
    "Their bits per pixel are a coder's length; ours are of a whole file, or of a payload where the row says so."
)
QUICK = (
    "**NOT THE PAPERS' SETTING.** Scaled down by --quick: every fit and every encode is cut off by the clock; `epochs` "
    "says how far it came. Published figures beside it had {epochs} epochs and more, on GPUs."
)


def markdown(
    fits: Sequence[Found], coded: Sequence[Found], regressions: Sequence[Regression], rows: Sequence[Row]
) -> str:
    """Both tables with their notes, then commands and where the numbers come from; a table without rows is left out."""
    lines: list[str] = []
    if any(row.get("quick") for row in (*fits, *coded)):
        lines += [QUICK.format(epochs=min((fit.epochs for fit in regressions), default=300)), ""]
    if fits:
        lines += ["Regression, no rate and no quantisation:", "", *_head(FITS)]
        lines += [_line(_fit_cells(row, regressions)) for row in fits]
        lines.append("")
    if coded:
        lines += ["Compressed:", "", *_head(CODED)]
        lines += [_line(_coded_cells(row, rows)) for row in coded]
        lines.append("")
    lines += [NOTE, "", "Commands:", ""]
    lines += dict.fromkeys(f"- `{row['command']}`" for row in (*fits, *coded))
    lines.append("")
    for name in ("commit", "machine", "threads"):
        said = dict.fromkeys(str(row[name]) for row in (*fits, *coded) if name in row)
        lines += [f"{name.capitalize()}: {'; '.join(said)}."] if said else []
    return "\n".join(lines)


def is_whole(row: Found) -> bool:
    """Whether a row of results has all that the tables show; a file of results may have been made by anything."""
    kind = row.get("kind")
    if not isinstance(kind, str) or kind not in _NUMBERS:
        return False
    numbers = [row.get(name) for name in _NUMBERS[kind]]
    measures = [row.get(name) for name in ("psnr_rgb", "psnr_yuv", "ms_ssim")]
    words = [row.get(name) for name in ("size", "codec", "command", "commit", "machine")]
    return (
        all(isinstance(value, (int, float)) and value > 0 for value in numbers)
        and all(value is None or isinstance(value, (int, float)) for value in measures)
        and all(isinstance(value, str) for value in words)
        and (kind == "regression" or all(isinstance(row.get(name), str) for name in ("effort", "made")))
    )


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), _line(["---", "---", *["---:"] * (len(names) - 3), "---"])]


def _line(values: Iterable[str]) -> str:
    return f"| {' | '.join(values)} |"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _fit_cells(row: Found, published: Sequence[Regression]) -> list[str]:
    return [
        row["size"],
        row["codec"],
        f"{row['parameters'] / 1e6:.3f} M",
        f"{row['epochs']:.1f}" if row["epochs"] < 100 else f"{row['epochs']:.0f}",
        _number(row.get("psnr_rgb"), 2),
        _number(row.get("psnr_yuv"), 2),
        _number(row["fit_seconds"] / 60, 1),
        nearest_fits(row, published),
    ]


def nearest_fits(row: Found, published: Sequence[Regression]) -> str:
    """Published fits of that picture size and that number of parameters, at the epochs nearest to the row's."""
    same = [fit for fit in published if f"{fit.width}x{fit.height}" == row["size"]]
    same = [fit for fit in same if fit.parameters == row["wanted_parameters"]]
    if not same:
        return "-"
    epochs = min({fit.epochs for fit in same}, key=lambda n: (abs(math.log(n / max(row["epochs"], 1e-3))), n))
    said = [f"{fit.codec} {fit.psnr_rgb:.2f}{MARKS[fit.confidence]}" for fit in same if fit.epochs == epochs]
    return f"{epochs} epochs: {', '.join(said)}"


def _coded_cells(row: Found, published: Sequence[Row]) -> list[str]:
    return [
        row["size"],
        row["codec"],
        row["effort"],
        f"{row['bpp']:.4f}" + ("" if row["made"] == "file" else " (payload)"),
        _number(row.get("psnr_rgb"), 2),
        _number(row.get("psnr_yuv"), 2),
        _number(row.get("ms_ssim"), 4),
        _number(row["encode_seconds"] / 60, 1),
        _number(row["decode_fps"], 1),
        nearest_points(row, published),
    ]


def nearest_points(row: Found, published: Sequence[Row]) -> str:
    """Of each published codec at that picture size the point nearest to the goal's rate, none further than 35 %."""
    best: dict[str, Row] = {}
    for point in published:
        far = abs(math.log(point.bpp / row["wanted_bpp"]))
        if f"{point.width}x{point.height}" != row["size"] or far > math.log(1.35):
            continue
        if point.codec not in best or far < abs(math.log(best[point.codec].bpp / row["wanted_bpp"])):
            best[point.codec] = point
    said = [f"{name} {_number(p.psnr_rgb, 2)} at {p.bpp:.4f}{_mark(p)}" for name, p in best.items()]
    return ", ".join(said) or "-"


def _mark(point: Row) -> str:
    return next((mark for word, mark in MARKS.items() if f"[{word}]" in point.configuration), "")
