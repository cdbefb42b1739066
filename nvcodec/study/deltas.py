"""Bjontegaard deltas of a study: per sequence, then averaged. docs/studies.md defines them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from nvcodec.errors import UsageError
from nvcodec.metrics.bd import METHODS, BjontegaardDelta, bd_psnr, bd_rate
from nvcodec.study.curves import Curve, check_label, clips, curves, labels
from nvcodec.study.joining import PUBLISHED, joined
from nvcodec.study.rows import Row

FEWEST_POINTS = 3  # of a curve that a delta can be taken of
DISAGREEMENT = 0.05  # of rate, between the interpolations, beyond which a delta hangs on where the points lie
FRAGILE = 0.5  # overlap below which a delta says little of the curves


@dataclass(frozen=True)
class Delta:
    """A Bjontegaard delta by both interpolations, or why there is none."""

    akima: float | None = None  # percent of rate, or the metric's unit
    pchip: float | None = None
    overlap: float | None = None  # shared range / range that either curve covers, 0..1
    low: float | None = None  # limits of the shared range: of quality for a rate delta, bpp for a quality delta
    high: float | None = None
    why: str = ""  # why there is no value

    def by(self, method: str) -> float | None:
        """The value by one of METHODS."""
        return self.akima if method == "akima" else self.pchip

    @property
    def fragile(self) -> bool:
        """Whether it stands on less than half of the range that the curves cover."""
        return self.overlap is not None and self.overlap < FRAGILE

    @property
    def disputed(self) -> bool:
        """Of a rate delta: whether the two interpolations differ by more than a twentieth of the rate."""
        if self.akima is None or self.pchip is None:
            return False
        ratios = sorted((1 + self.akima / 100, 1 + self.pchip / 100))
        return ratios[1] > ratios[0] * (1 + DISAGREEMENT)


@dataclass(frozen=True)
class Cell:
    """One label on one clip against the anchor."""

    clip: str
    label: str
    rate: Delta  # BD-rate: negative where the label needs fewer bits
    quality: Delta  # BD-PSNR, or the like of another metric: positive where the label is better


@dataclass(frozen=True)
class Average:
    """The mean of a label's deltas over the clips that have one."""

    label: str
    rate: Delta
    quality: Delta
    clips: int  # that the mean of the rate delta is of
    quality_clips: int
    of: int  # clips that there are
    missing: tuple[tuple[str, str], ...]  # clip, and why it has no rate delta


@dataclass(frozen=True)
class BdTable:
    """Deltas of every label but the anchor on every clip, and their averages."""

    anchor: str
    metric: str
    method: str
    clips: tuple[str, ...]
    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    averages: tuple[Average, ...]

    def cell(self, clip: str, label: str) -> Cell:
        """The cell of one clip and label, which must be of the table."""
        return self.cells[self.labels.index(label) * len(self.clips) + self.clips.index(clip)]

    def average(self, label: str) -> Average:
        """The average of one label."""
        return self.averages[self.labels.index(label)]

    def only(self, labels: Collection[str]) -> BdTable:
        """The same table with some of its labels."""
        return replace(
            self,
            labels=tuple(label for label in self.labels if label in labels),
            cells=tuple(cell for cell in self.cells if cell.label in labels),
            averages=tuple(average for average in self.averages if average.label in labels),
        )


def bd_table(rows: Iterable[Row], anchor: str, metric: str = "psnr_yuv", method: str = "akima") -> BdTable:
    """All deltas against the label ``anchor``. Curves that cannot be compared say why in their cell.

    Published curves that give no value of the metric are left out.

    Raises:
        UsageError: there is no such anchor, metric or method.
    """
    if method not in METHODS:
        raise UsageError(f"unknown interpolation {method!r}, choose from {', '.join(METHODS)}")
    rows = joined(row for row in rows if not row.error)
    check_label(rows, anchor)
    found = {(curve.clip, curve.label): curve for curve in curves(rows, metric)}
    silent = {row.label for row in rows if row.family == PUBLISHED} - {label for _, label in found}
    names = tuple(clips(rows))
    others = tuple(label for label in labels(rows) if label != anchor and label not in silent)
    cells = tuple(
        Cell(clip, label, *compare(found.get((clip, anchor)), found.get((clip, label))))
        for label in others
        for clip in names
    )
    averages = tuple(_average(label, [cell for cell in cells if cell.label == label], method) for label in others)
    return BdTable(anchor, metric, method, names, others, cells, averages)


def compare(anchor: Curve | None, test: Curve | None) -> tuple[Delta, Delta]:
    """The rate delta and the quality delta of a curve against the anchor's. Raises nothing."""
    why = _obstacle(True, anchor) or _obstacle(False, test)
    if why or anchor is None or test is None:
        return Delta(why=why), Delta(why=why)
    return _delta(bd_rate, anchor, test, "quality"), _delta(bd_psnr, anchor, test, "rate")


def _obstacle(anchor: bool, curve: Curve | None) -> str:
    """Why a curve has no delta, before it meets another."""
    has = "the anchor has " if anchor else ""
    if curve is None:
        return f"{has}no points"
    if len(curve.rows) >= FEWEST_POINTS:
        return ""
    if curve.dropped:
        whose, every = "the anchor's" if anchor else "its", len(curve.rows) + len(curve.dropped)
        return f"only {len(curve.rows)} of {whose} {every} points rise in quality with rate; {FEWEST_POINTS} must"
    return f"{has}only {len(curve.rows)} point{'' if len(curve.rows) == 1 else 's'}, and {FEWEST_POINTS} are needed"


def _delta(measure: Callable[..., BjontegaardDelta], anchor: Curve, test: Curve, shared: str) -> Delta:
    arguments = (anchor.rates, anchor.qualities, test.rates, test.qualities)
    try:
        with np.errstate(all="ignore"):
            akima, pchip = (measure(*arguments, method) for method in ("akima", "pchip"))
    except UsageError as error:
        return Delta(why=f"no shared {shared}" if "share no range" in str(error) else str(error))
    except OverflowError:
        return Delta(why="the curves are too steep to compare")
    numbers = (akima.value, pchip.value, akima.overlap, akima.low, akima.high)
    if not all(map(math.isfinite, numbers)):
        return Delta(why="the curves are too steep to compare")
    return Delta(akima.value, pchip.value, akima.overlap, akima.low, akima.high)


def _average(label: str, cells: list[Cell], method: str) -> Average:
    rates, qualities = [cell.rate for cell in cells], [cell.quality for cell in cells]
    return Average(
        label,
        mean_delta(rates),
        mean_delta(qualities),
        sum(delta.by(method) is not None for delta in rates),
        sum(delta.by(method) is not None for delta in qualities),
        len(cells),
        tuple((cell.clip, cell.rate.why) for cell in cells if cell.rate.why),
    )


def mean_delta(deltas: list[Delta]) -> Delta:
    """The arithmetic mean of deltas and of their overlaps, those without a value left out; no range of its own."""
    known = [delta for delta in deltas if not delta.why]
    if not known:
        return Delta(why="no clip has one")

    def mean(values: Iterable[float | None]) -> float:
        return math.fsum(value for value in values if value is not None) / len(known)

    return Delta(mean(d.akima for d in known), mean(d.pchip for d in known), mean(d.overlap for d in known))
