"""The UVG benchmark's tables: averages over the sequences, every sequence, published figures; markdown and LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from eval.published import AVERAGE
from eval.uvg_data import SEQUENCES, sequence_of
from nvcodec.study.curves import natural
from nvcodec.study.rows import Row

HEADER = ("bpp", "PSNR RGB", "PSNR YUV", "MS-SSIM", "encode min", "decode fps")
_MEANS = (
    "bpp", "kbps", "psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb", "ssim", "ms_ssim", "vmaf", "encode_seconds",
    "decode_seconds", "decode_fps",
)  # fmt: skip


@dataclass(frozen=True)
class Average:
    """A curve's point, each sequence measured alone and the seven then averaged. ``row.clip`` is `AVERAGE`."""

    row: Row
    sequences: tuple[str, ...]  # that have this point


@dataclass(frozen=True)
class Table:
    """Cells as text, the first ``names`` columns being names and the others numbers."""

    header: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    names: int
    caption: str


def by_sequence(rows: Iterable[Row]) -> list[Row]:
    """Rows under the benchmark's names instead of file names; those of other files are left out."""
    named = [(sequence_of(row.clip), row) for row in rows]
    return [replace(row, clip=sequence) for sequence, row in named if sequence is not None]


def averages(rows: Iterable[Row]) -> list[Average]:
    """The mean over sequences of each curve's points, in the order in which the points first appear."""
    points: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if not row.error:
            points.setdefault((row.label, row.rate), {})[row.clip] = row
    return [_average(found) for found in points.values()]


def _average(found: dict[str, Row]) -> Average:
    rows = list(found.values())
    means = {name: _mean([getattr(row, name) for row in rows]) for name in _MEANS}
    first = rows[0]
    row = Row(
        clip=AVERAGE,
        codec=first.codec,
        configuration=first.configuration,
        rate=first.rate,
        family=first.family,
        width=first.width,
        height=first.height,
        frames=round(sum(row.frames or 0 for row in rows) / len(rows)),  # seconds a frame are then those of all
        jobs=max(row.jobs or 1 for row in rows),
        threads=first.threads,
        encoder=first.encoder,
        commit=first.commit,
        version=first.version,
        machine=first.machine,
        source=f"mean over {len(rows)} sequences",
        **{"bpp": 0.0, **means, "ms_ssim_db": _decibels(means["ms_ssim"])},  # type: ignore[arg-type]
    )
    return Average(row, tuple(name for name in SEQUENCES if name in found))


def _mean(values: Sequence[float | None]) -> float | None:
    """Of all of them, or None where one is missing: a mean over fewer is a mean of something else."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _decibels(value: float | None) -> float | None:
    return None if value is None or value >= 1 else -10 * math.log10(1 - value)


def complete(found: Iterable[Average]) -> list[Row]:
    """Averages over the largest set of sequences only: points over different sets make no curve."""
    known = list(found)
    most = max((len(average.sequences) for average in known), default=0)
    return [average.row for average in known if len(average.sequences) == most]


def average_table(found: Iterable[Average]) -> Table:
    """One line a codec and rate, and how many sequences it is over."""
    body = [
        (average.row.label, average.row.rate, f"{len(average.sequences)} of {len(SEQUENCES)}", *numbers(average.row))
        for average in found
    ]
    caption = "UVG: mean over the sequences"
    return Table(("codec", "rate", "sequences", *HEADER), tuple(body), 2, caption)


def sequence_table(rows: Iterable[Row]) -> Table:
    """One line a sequence, codec and rate."""
    order = {name: place for place, name in enumerate(SEQUENCES)}
    known = sorted((row for row in rows if not row.error), key=lambda row: order[row.clip])
    body = [(row.clip, row.label, row.rate, *numbers(row)) for row in known]
    return Table(("sequence", "codec", "rate", *HEADER), tuple(body), 3, "UVG: every sequence")


def published_table(rows: Iterable[Row]) -> Table:
    """Figures of other people's work, with the conditions that each has."""
    known = sorted(rows, key=lambda row: (natural(row.label), row.bpp))
    body = [(row.codec, row.configuration or "-", *_published_numbers(row)) for row in known]
    return Table(("published", "conditions", *HEADER[:4]), tuple(body), 2, "UVG: published figures")


def _published_numbers(row: Row) -> tuple[str, ...]:
    """As `numbers`, without times; a PSNR of the mean error, which is lower, says so."""
    rate, *psnr, ssim, _, _ = numbers(row)
    of_mse = (row.psnr_rgb_of_mse, row.psnr_yuv_of_mse)
    cells = [
        f"{other:.2f} of MSE" if shown == "-" and other is not None else shown
        for shown, other in zip(psnr, of_mse, strict=True)
    ]
    return (rate, *cells, ssim)


def numbers(row: Row) -> tuple[str, ...]:
    """The cells under `HEADER`; a dash for what is not measured or not defined."""
    minutes = None if row.encode_seconds is None else row.encode_seconds / 60
    values = (row.bpp, row.psnr_rgb, row.psnr_yuv, row.ms_ssim, minutes, row.decode_fps)
    digits = (4, 2, 2, 4, 2 if minutes is None or minutes >= 1 else 4, 1)
    return tuple("-" if value is None else f"{value:.{n}f}" for value, n in zip(values, digits, strict=True))


def markdown(table: Table) -> str:
    """A table that README files and papers in markdown can take."""
    cells = [[_escaped(cell) for cell in line] for line in (table.header, *table.body)]
    rule = ["---" if column < table.names else "---:" for column in range(len(table.header))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], rule, *cells[1:]))


def _escaped(cell: str) -> str:
    return re.sub(r"\s+", " ", cell).replace("|", "\\|")


def latex(table: Table) -> str:
    """A booktabs table, a thin rule wherever the first name changes."""
    columns = "l" * table.names + "r" * (len(table.header) - table.names)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{tex(table.caption)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    lines += [r"\toprule", _tex_line(table.header), r"\midrule"]
    before: str | None = None
    for line in table.body:
        if before is not None and line[0] != before and table.names > 1:
            lines.append(r"\midrule")
        before = line[0]
        lines.append(_tex_line(line))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _tex_line(cells: Sequence[str]) -> str:
    return " & ".join("--" if cell == "-" else tex(cell) for cell in cells) + r" \\"


_TEX: dict[str, str] = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip


def tex(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    escape: Callable[[re.Match[str]], str] = lambda match: _TEX[match[0]]  # noqa: E731
    return re.sub(r"[\\~^<>&%$#_{}]", escape, text)
