"""Rate against encode time: what codecs save at equal encode seconds. docs/studies.md, "Deltas", defines it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nvcodec.study.curves import curves, geometric_mean, labels
from nvcodec.study.deltas import BdTable, bd_table
from nvcodec.study.rows import Row

Line = tuple[np.ndarray, np.ndarray]
CONDITIONS = ("low-delay", "random-access")  # words of a configuration that are no effort: they make another codec
NO_SHARED_TIME = "no shared time"


@dataclass(frozen=True)
class TimePoint:
    """One label, one effort, on one clip."""

    clip: str
    label: str
    codec: str  # with its condition: "x265 low-delay"
    seconds: float  # of encoding, a frame
    ratio: float  # rate at equal quality / the anchor's, 1 + BD-rate / 100


@dataclass(frozen=True)
class TimeDelta:
    """Two codecs at equal encode seconds, on one clip, or (clip "") the mean over clips."""

    codec: str
    reference: str
    clip: str
    value: float | None = None  # percent of the reference's rate: negative where the codec needs fewer bits
    overlap: float | None = None  # shared range of log time / range that either covers; 0 at a single time
    low: float | None = None  # seconds a frame, limits of the shared range; of a mean the geometric means
    high: float | None = None
    why: str = ""  # why there is no value
    clips: int = 1  # that a mean is of
    of: int = 1


def effort_family(row: Row) -> str:
    """The codec that a row's configuration is an effort of."""
    words = [word for word in row.configuration.split() if word in CONDITIONS]
    return " ".join([row.codec, *words])


def time_points(rows: Iterable[Row], anchor: str, metric: str = "psnr_yuv", method: str = "akima") -> list[TimePoint]:
    """Every label on every clip where its BD-rate against the anchor and its encode time are known.

    Raises:
        UsageError: there is no such anchor, metric or method.
    """
    rows = [row for row in rows if not row.error]
    table = bd_table(rows, anchor, metric, method)
    found = []
    for curve in curves(rows, metric):
        seconds, ratio = curve.seconds_a_frame, _ratio(table, curve.clip, curve.label, method)
        if seconds is not None and ratio is not None:
            found.append(TimePoint(curve.clip, curve.label, effort_family(curve.rows[0]), seconds, ratio))
    return found


def _ratio(table: BdTable, clip: str, label: str, method: str) -> float | None:
    if label == table.anchor:
        return 1.0
    if clip not in table.clips:
        return None
    value = table.cell(clip, label).rate.by(method)
    return None if value is None or value <= -100 else 1 + value / 100


def time_deltas(rows: Iterable[Row], anchor: str, metric: str = "psnr_yuv", method: str = "akima") -> list[TimeDelta]:
    """Each pair of codecs on each clip, and behind these the pair's mean over clips (clip "").

    Raises:
        UsageError: there is no such anchor, metric or method.
    """
    rows = list(rows)
    points = time_points(rows, anchor, metric, method)
    names = list(dict.fromkeys(point.clip for point in points))
    found: list[TimeDelta] = []
    for codec, reference in combinations(_codecs(rows, points), 2):
        pair = [_on_clip([p for p in points if p.clip == clip], codec, reference, clip) for clip in names]
        found += [*pair, _mean(codec, reference, pair)]
    return found


def _codecs(rows: Sequence[Row], points: Sequence[TimePoint]) -> list[str]:
    """Codecs with a point, in the order of a report."""
    known, names = {point.codec for point in points}, {row.label: effort_family(row) for row in rows}
    return [codec for codec in dict.fromkeys(names[label] for label in labels(rows)) if codec in known]


def _on_clip(points: list[TimePoint], codec: str, reference: str, clip: str) -> TimeDelta:
    lines = [_line([p for p in points if p.codec == name]) for name in (codec, reference)]
    for name, line in zip((codec, reference), lines, strict=True):
        if not len(line[0]):
            return TimeDelta(codec, reference, clip, why=f"{name} has no time or no delta", clips=0)
    (x1, _), (x2, _) = lines
    low, high = max(x1[0], x2[0]), min(x1[-1], x2[-1])
    if low > high:
        return TimeDelta(codec, reference, clip, why=NO_SHARED_TIME, clips=0)
    gap = _mean_gap(lines[0], lines[1], low, high)
    covered = max(x1[-1], x2[-1]) - min(x1[0], x2[0])
    overlap = float((high - low) / covered) if covered > 0 else 0.0
    return TimeDelta(codec, reference, clip, (10**gap - 1) * 100, overlap, 10 ** float(low), 10 ** float(high))


def _line(points: Sequence[TimePoint]) -> Line:
    """(log10 seconds, log10 ratio) by rising time; of points at one time the one with the lowest rate."""
    best: dict[float, float] = {}
    for point in points:
        time, ratio = math.log10(point.seconds), math.log10(point.ratio)
        best[time] = min(ratio, best.get(time, math.inf))
    return np.array(sorted(best)), np.array([best[time] for time in sorted(best)])


def _mean_gap(line: Line, other: Line, low: float, high: float) -> float:
    """Mean of line - other over low..high, exactly: both are straight between their knots."""
    knots = np.unique(np.concatenate([line[0], other[0], [low, high]]))
    knots = knots[(knots >= low) & (knots <= high)]
    gap = np.interp(knots, *line) - np.interp(knots, *other)
    if high <= low:
        return float(gap[0])
    return float(np.sum((gap[1:] + gap[:-1]) / 2 * np.diff(knots)) / (high - low))


def _mean(codec: str, reference: str, pair: Sequence[TimeDelta]) -> TimeDelta:
    known = [delta for delta in pair if delta.value is not None]
    if not known:
        return TimeDelta(codec, reference, "", why=pair[0].why if pair else "", clips=0, of=len(pair))
    value = math.fsum(delta.value or 0 for delta in known) / len(known)
    overlap = math.fsum(delta.overlap or 0 for delta in known) / len(known)
    low, high = (geometric_mean([getattr(delta, end) for delta in known]) for end in ("low", "high"))
    return TimeDelta(codec, reference, "", value, overlap, low, high, clips=len(known), of=len(pair))
