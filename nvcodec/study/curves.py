"""Rate-distortion curves from the rows of a study. Needs neither torch nor a plotting library."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from nvcodec.errors import UsageError
from nvcodec.study.joining import told_apart
from nvcodec.study.rows import FAMILIES, Row

OURS = ("fitted", "trained")


@dataclass(frozen=True)
class Metric:
    """A measure of quality, as a report names it."""

    title: str
    unit: str  # "" for a pure number
    digits: int  # behind the point, in tables

    @property
    def axis(self) -> str:
        """Title and unit, for the axis of a plot."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


METRICS: dict[str, Metric] = {
    "psnr_yuv": Metric("PSNR YUV 6:1:1", "dB", 2),
    "psnr_rgb": Metric("PSNR RGB", "dB", 2),
    "psnr_y": Metric("PSNR Y", "dB", 2),
    "psnr_u": Metric("PSNR U", "dB", 2),
    "psnr_v": Metric("PSNR V", "dB", 2),
    "ms_ssim_db": Metric("MS-SSIM", "dB", 2),
    "ms_ssim": Metric("MS-SSIM", "", 4),
    "ssim": Metric("SSIM", "", 4),
    "vmaf": Metric("VMAF", "", 2),
    "psnr_yuv_of_mse": Metric("PSNR YUV of the mean error", "dB", 2),
    "psnr_rgb_of_mse": Metric("PSNR RGB of the mean error", "dB", 2),
    "psnr_y_of_mse": Metric("PSNR Y of the mean error", "dB", 2),
    "psnr_yuv_min": Metric("PSNR YUV of the worst frame", "dB", 2),
}


@dataclass(frozen=True)
class Curve:
    """The points of one label on one clip that a curve can be drawn through, by rising rate and rising quality."""

    clip: str
    label: str
    codec: str
    family: str
    metric: str
    rows: tuple[Row, ...]
    dropped: tuple[Row, ...] = ()  # points that another beats in rate and in quality, or equals in both

    @property
    def rates(self) -> list[float]:
        """Bits per pixel."""
        return [row.bpp for row in self.rows]

    @property
    def qualities(self) -> list[float]:
        """The metric's values."""
        return [float(getattr(row, self.metric)) for row in self.rows]

    @property
    def seconds_a_frame(self) -> float | None:
        """Encode seconds a frame: the geometric mean over the curve's points; None where one lacks its time."""
        times = [seconds_a_frame(row) for row in self.rows]
        known = [time for time in times if time is not None]
        return geometric_mean(known) if known and len(known) == len(times) else None


def curves(rows: Iterable[Row], metric: str = "psnr_yuv") -> list[Curve]:
    """One curve for each clip and label that the metric is known of, clips and labels in the order of a report.

    Of rows with one clip, label and rate setting the last counts; a clip of several cuts is several (`told_apart`). A
    point is dropped where another one of its curve has no higher rate and no lower quality: deltas need quality to rise
    with rate.

    Raises:
        UsageError: there is no such metric.
    """
    check_metric(metric)
    rows = told_apart(rows)
    order = {label: index for index, label in enumerate(labels(rows))}
    found: dict[tuple[str, str], list[Row]] = {}
    for row in newest(rows):
        if usable(row, metric):
            found.setdefault((row.clip, row.label), []).append(row)
    keys = sorted(found, key=lambda key: (natural(key[0]), key[0], order[key[1]]))
    return [_curve(found[key], metric) for key in keys]


def _curve(rows: Sequence[Row], metric: str) -> Curve:
    kept, dropped = rising(rows, metric)
    first = rows[0]
    return Curve(first.clip, first.label, first.codec, first.family, metric, tuple(kept), tuple(dropped))


def rising(rows: Sequence[Row], metric: str) -> tuple[list[Row], list[Row]]:
    """The points that no other beats, by rising rate, and the others."""
    kept: list[Row] = []
    dropped: list[Row] = []
    best = -math.inf
    for row in sorted(rows, key=lambda row: (row.bpp, -getattr(row, metric), row.key)):
        value = getattr(row, metric)
        (kept if value > best else dropped).append(row)
        best = max(best, value)
    return kept, dropped


def usable(row: Row, metric: str) -> bool:
    """Whether a row is a point of the metric's curve: no failure, a positive rate, a finite value."""
    return not row.error and (finite(row.bpp) or 0) > 0 and finite(getattr(row, metric)) is not None


def newest(rows: Iterable[Row]) -> list[Row]:
    """The last row of each clip, label and rate setting, in order of first appearance; failed rows are left out."""
    found: dict[Any, Row] = {}
    for index, row in enumerate(rows):
        if not row.error:
            found[(row.clip, row.label, row.rate) if row.rate else index] = row
    return list(found.values())


def labels(rows: Iterable[Row]) -> list[str]:
    """Labels in the order of a report: by family, codec, then effort (encode time)."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.label, []).append(row)

    def order(label: str) -> tuple[Any, ...]:
        first = found[label][0]
        family = FAMILIES.index(first.family) if first.family in FAMILIES else len(FAMILIES)
        times = [time for row in found[label] if (time := seconds_a_frame(row)) is not None]
        return family, natural(first.codec), geometric_mean(times) if times else math.inf, natural(label), label

    return sorted(found, key=order)


def clips(rows: Iterable[Row]) -> list[str]:
    """Clips in the order of a report."""
    return sorted({row.clip for row in rows}, key=lambda clip: (natural(clip), clip))


def default_anchor(rows: Iterable[Row]) -> str:
    """x265 medium, else another x265, else the first classical label, else the first label.

    Raises:
        UsageError: there are no rows.
    """
    rows = list(rows)
    found = labels(rows)
    if not found:
        raise UsageError("there are no points to compare")
    classical = {row.label for row in rows if row.family == "classical"}
    wanted = [label for label in found if label in classical]
    for start in ("x265 medium", "x265"):
        for label in sorted(wanted, key=len):
            if label == start or label.startswith(f"{start} "):
                return label
    return (wanted or found)[0]


def check_label(rows: Iterable[Row], label: str) -> None:
    """Raises UsageError, with the nearest of those that there are, where no row has the label."""
    known = labels(rows)
    if label not in known:
        raise UsageError(f"there is no curve {label!r}{_hint(label, known)}")


def check_metric(name: str) -> None:
    """Raises UsageError, with the nearest of those that there are, for a metric that no row has."""
    if name not in METRICS:
        raise UsageError(f"there is no metric {name!r}{_hint(name, list(METRICS))}")


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"


def seconds_a_frame(row: Row) -> float | None:
    """Encode seconds a frame, or None."""
    seconds, frames = finite(row.encode_seconds), finite(row.frames)
    return seconds / frames if seconds and frames and seconds > 0 and frames > 0 else None


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive numbers, at least one."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def finite(value: Any) -> float | None:
    """A number as a float; None for what is none, and for sizes that no measure of a video has (above 1e18, not
    finite, or below 1e-18 but not 0).
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e18:
        return None
    return float(value) if value == 0 or abs(value) > 1e-18 else None


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key under which "crf9" comes before "crf28"."""
    parts = re.split(r"(\d{1,18})", text.lower(), flags=re.ASCII)
    return [(0, int(part), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts)]
