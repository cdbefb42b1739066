"""The tables of a report as headers and texts, for HTML and Markdown alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from nvcodec.study.curves import METRICS
from nvcodec.study.deltas import BdTable, Delta
from nvcodec.study.report.content import Content, clips_text
from nvcodec.study.report.headlines import clips_of
from nvcodec.study.report.text import megabytes, number, percent, signed, significant, whole
from nvcodec.study.rows import Row
from nvcodec.study.times import NO_SHARED_TIME

POINTS = (
    "codec", "rate", "bytes", "bpp", "PSNR YUV", "PSNR RGB", "MS-SSIM", "MS-SSIM dB", "VMAF", "encode s",
    "decode fps", "encode MB", "decode MB",
)  # fmt: skip

_NOT_FLAT = (
    "per_frame",
    "groups",
    "pictures",
    "source_pictures",
    "schema",
)  # lists, and what no reader of a table needs


@dataclass(frozen=True)
class TableCell:
    """A text, what is behind it, and how it is to be taken: "better", "worse", "none", with "fragile"."""

    text: str
    small: str = ""
    title: str = ""
    kind: str = ""


def bd_header(table: BdTable) -> list[str]:
    """Of `bd_rows`."""
    quality = "BD-PSNR" if table.metric.startswith("psnr") else f"BD-{METRICS[table.metric].title}"
    unit = METRICS[table.metric].unit
    return ["", "average", "PCHIP", f"{quality}{f', {unit}' if unit else ''}", "clips", *table.clips]


def bd_rows(table: BdTable) -> list[tuple[str, list[TableCell]]]:
    """Label; the mean of its BD-rates by both interpolations, the mean quality delta, how many clips; every clip."""
    found = []
    for label in table.labels:
        mean = table.average(label)
        quality = mean.quality.by(table.method)
        digits = METRICS[table.metric].digits
        cells = [
            bd_cell(mean.rate, table),
            TableCell(percent(mean.rate.pchip)),
            TableCell(signed(quality, digits), kind="" if mean.quality_clips == mean.of else "partial"),
            TableCell(clips_of(mean.clips, mean.of).split(" clip")[0]),
            *(bd_cell(table.cell(clip, label).rate, table) for clip in table.clips),
        ]
        found.append((label, cells))
    return found


PUBLISHED_TITLE = "Published figures: other conditions (see below)"


def published_bd_header(table: BdTable) -> list[str]:
    """Of `published_bd_rows`."""
    return ["", *table.clips]


def published_bd_rows(table: BdTable) -> list[tuple[str, list[TableCell]]]:
    """Label, and its BD-rate on every clip; no mean, which would be of other clips than that of measured curves."""
    return [(label, [bd_cell(table.cell(clip, label).rate, table) for clip in table.clips]) for label in table.labels]


def bd_cell(delta: Delta, table: BdTable) -> TableCell:
    """A BD-rate with its overlap."""
    value = delta.by(table.method)
    if value is None:
        return TableCell("-", title=delta.why, kind="none")
    metric, span = METRICS[table.metric], ""
    if delta.low is not None:
        span = f" from {number(delta.low, metric.digits)} to {number(delta.high, metric.digits)} {metric.unit}".rstrip()
    said = f"Akima {percent(delta.akima)}, PCHIP {percent(delta.pchip)}, overlap {number(delta.overlap)}{span}"
    kind = "better" if value < 0 else "worse"
    return TableCell(percent(value), number(delta.overlap), said, f"{kind} fragile" if delta.fragile else kind)


def bd_missing(table: BdTable) -> list[str]:
    """Why there are deltas that there are not: one line for the labels and clips of one reason."""
    by_label: dict[tuple[str, str], list[str]] = {}
    for cell in table.cells:
        if cell.rate.why:
            by_label.setdefault((cell.label, cell.rate.why), []).append(cell.clip)
    found: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (label, why), clips in by_label.items():
        found.setdefault((tuple(clips), why), []).append(label)
    return [
        f"{_all_or(labels, table.labels, 'all curves')} on {_all_or(clips, table.clips, 'all clips')}: {why}"
        for (clips, why), labels in found.items()
    ]


def _all_or(names: Sequence[str], every: Sequence[str], said: str) -> str:
    return said if len(names) == len(every) > 1 else ", ".join(names)


TIMES = ("codec", "against", "rate at equal encode time", "overlap of time", "shared times, s a frame", "clips")


def time_rows(content: Content, clip: str = "") -> list[list[str]]:
    """Each pair of codecs that share encode times on a clip, or (clip "") on some clip: then the mean."""
    found = []
    for delta in content.time_deltas:
        if delta.clip == clip and delta.value is not None:
            once = delta.overlap == 0
            span = "-" if delta.low is None else significant(delta.low)
            if delta.high is not None and not once:
                span += f" to {significant(delta.high)}"
            shared = "one time" if once else number(delta.overlap)
            found.append([delta.codec, delta.reference, percent(delta.value), shared, span, clips_text(delta)])
    return found


def time_missing(content: Content) -> list[str]:
    """Pairs of codecs that have no clip on which they share encode times, by codec and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for delta in content.time_deltas:
        if not delta.clip and delta.value is None:
            found.setdefault((delta.codec, delta.why), []).append(delta.reference)
    return [
        f"{codec} shares no encode time with: {', '.join(others)}"
        if why == NO_SHARED_TIME
        else f"{codec} beside {', '.join(others)}: {why}"
        for (codec, why), others in found.items()
    ]


def point_cells(row: Row) -> list[str]:
    """Of `POINTS`."""
    return [
        row.label, row.rate or "-", whole(row.bytes if row.bytes is not None else row.video_bytes),
        significant(row.bpp), number(row.psnr_yuv), number(row.psnr_rgb), number(row.ms_ssim, 4),
        number(row.ms_ssim_db), number(row.vmaf, 1), significant(row.encode_seconds), significant(row.decode_fps),
        megabytes(row.encode_peak_bytes), megabytes(row.decode_peak_bytes),
    ]  # fmt: skip


def commands(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Rows that name a command, by label."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.command:
            found.setdefault(row.label, []).append(row)
    return list(found.items())


def origins(rows: Sequence[Row]) -> list[list[str]]:
    """Curve, encoder, commit, machine, threads: every combination once."""
    found = dict.fromkeys(
        (row.label, row.encoder or row.source or "-", row.commit or "-", row.machine or "-",
         "-" if row.threads is None else str(row.threads))
        for row in rows
    )  # fmt: skip
    return [list(values) for values in found]


def flat_csv(content: Content) -> str:
    """Every row without lists, failed ones last."""
    names = [field.name for field in fields(Row) if field.name not in _NOT_FLAT]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", *names])
    for row in (*content.rows, *content.failed):
        writer.writerow([_cell(value) for value in (row.label, *(getattr(row, name) for name in names))])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Numbers as they are; a text that a spreadsheet would take for a formula is marked as text."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
