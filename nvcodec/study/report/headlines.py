"""The report's first lines: each codec of ours against the anchor, in words."""

from __future__ import annotations

from collections.abc import Sequence

from nvcodec.study.curves import METRICS, OURS, Curve, geometric_mean
from nvcodec.study.deltas import Average, BdTable
from nvcodec.study.report.text import counted, number, percent, significant
from nvcodec.study.rows import Row


def headlines(rows: Sequence[Row], curves: Sequence[Curve], table: BdTable) -> list[tuple[str, str]]:
    """(label, what follows it) for every label of ours; for all labels but the anchor where none is ours."""
    families = {row.label: row.family for row in rows}
    ours = [label for label in table.labels if families[label] in OURS] or list(table.labels)
    return [
        (label, f"{_rate(table.average(label), table)} {_speed(label, table, rows, curves)}".strip()) for label in ours
    ]


def _rate(average: Average, table: BdTable) -> str:
    title = METRICS[table.metric].title
    value = average.rate.by(table.method)
    if value is None:
        reasons = " or ".join(dict.fromkeys(why for _, why in average.missing))
        return f"has no BD-rate against {table.anchor} at equal {title}: {reasons}.{_at_equal_rate(average, table)}"
    fragile = ", fragile" if average.rate.fragile else ""
    return (
        f"needs {bits(value)} {table.anchor} at equal {title} (BD-rate {percent(value)}, "
        f"{clips_of(average.clips, average.of)}, overlap {number(average.rate.overlap)}{fragile})."
    )


def _at_equal_rate(average: Average, table: BdTable) -> str:
    value, metric = average.quality.by(table.method), METRICS[table.metric]
    if value is None:
        return ""
    size = f"{number(abs(value), metric.digits)} {metric.unit}".rstrip()
    clips = clips_of(average.quality_clips, average.of)
    return f" At equal rate it is {size} {'better' if value > 0 else 'worse'} ({clips})."


def bits(value: float) -> str:
    """A BD-rate in words that go before the anchor's name."""
    if value >= 100:
        return f"{significant(1 + value / 100, 2)} times the bits of"
    if abs(value) < 0.05:
        return "as many bits as"
    return f"{abs(value):.{0 if abs(value) >= 10 else 1}f} % {'more' if value > 0 else 'fewer'} bits than"


def clips_of(count: int, total: int) -> str:
    """ "6 clips", or "4 of 6 clips"."""
    return counted(count, "clip") if count == total else f"{count} of {counted(total, 'clip')}"


def _speed(label: str, table: BdTable, rows: Sequence[Row], curves: Sequence[Curve]) -> str:
    parts = []
    own, other = (encode_time(curves, name) for name in (label, table.anchor))
    if own is not None:
        beside = f" ({table.anchor}: {significant(other, 2)} s)" if other is not None else ""
        parts.append(f"encodes in {significant(own, 2)} s a frame{beside}")
    own, other = (decode_rate(rows, name) for name in (label, table.anchor))
    if own is not None:
        beside = f" ({table.anchor}: {significant(other, 2)})" if other is not None else ""
        parts.append(f"decodes {significant(own, 2)} frames a second{beside}")
    return f"It {' and '.join(parts)}." if parts else ""


def encode_time(curves: Sequence[Curve], label: str) -> float | None:
    """Seconds a frame, the geometric mean over clips."""
    times = [c.seconds_a_frame for c in curves if c.label == label]
    known = [time for time in times if time is not None]
    return geometric_mean(known) if known else None


def decode_rate(rows: Sequence[Row], label: str) -> float | None:
    """Frames a second, the geometric mean over points."""
    known = [row.decode_fps for row in rows if row.label == label and row.decode_fps and row.decode_fps > 0]
    return geometric_mean(known) if known else None
