"""Bjontegaard deltas: the mean rate (or quality) difference of two rate-distortion curves.

The log of the rate is interpolated over quality (or the other way round) by a piecewise cubic, Akima's (1970,
J. ACM 17(4)) or the monotone PCHIP (Fritsch and Butland 1984, SIAM J. Sci. Stat. Comput. 5(2)), and integrated exactly
over the range that both curves cover (Bjontegaard, VCEG-M33, 2001; Herglotz et al., "The Bjontegaard
Bible", IEEE TIP 2024, on the choice of interpolation). No extrapolation is ever done: how much of the curves overlaps
is part of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import UsageError

Array = NDArray[np.float64]
METHODS = ("akima", "pchip")


@dataclass(frozen=True)
class BjontegaardDelta:
    """A delta and what it stands on."""

    value: float  # percent of rate (negative: the test needs fewer bits), or dB (positive: the test is better)
    overlap: float  # shared range / range that either curve covers, 0..1
    low: float  # limits of the shared range: dB for a rate delta, bits for a quality delta
    high: float


def bd_rate(
    anchor_rate: Sequence[float],
    anchor_quality: Sequence[float],
    test_rate: Sequence[float],
    test_quality: Sequence[float],
    method: str = "akima",
) -> BjontegaardDelta:
    """Mean rate difference at equal quality, in percent of the anchor's rate; at least 3 points a curve.

    Raises:
        UsageError: too few points, a rate that is not positive, quality not rising with rate, no overlap.
    """
    anchor, test = _curve(anchor_rate, anchor_quality), _curve(test_rate, test_quality)
    difference, overlap, low, high = _mean_gap(anchor[::-1], test[::-1], method)
    return BjontegaardDelta((10**difference - 1) * 100, overlap, low, high)


def bd_psnr(
    anchor_rate: Sequence[float],
    anchor_quality: Sequence[float],
    test_rate: Sequence[float],
    test_quality: Sequence[float],
    method: str = "akima",
) -> BjontegaardDelta:
    """Mean quality difference at equal rate, in the unit of quality; arguments and errors as `bd_rate`."""
    anchor, test = _curve(anchor_rate, anchor_quality), _curve(test_rate, test_quality)
    difference, overlap, low, high = _mean_gap(anchor, test, method)
    return BjontegaardDelta(difference, overlap, 10**low, 10**high)


def _curve(rate: Sequence[float], quality: Sequence[float]) -> tuple[Array, Array]:
    """(log10 rate, quality), both strictly rising."""
    r, q = np.asarray(rate, np.float64), np.asarray(quality, np.float64)
    if r.ndim != 1 or r.shape != q.shape or len(r) < 3:
        raise UsageError("a rate-distortion curve needs at least 3 pairs of rate and quality")
    if not (np.isfinite(r).all() and np.isfinite(q).all() and (r > 0).all()):
        raise UsageError("rates must be positive, rates and qualities finite")
    order = np.argsort(r)
    r, q = np.log10(r[order]), q[order]
    if (np.diff(r) <= 0).any() or (np.diff(q) <= 0).any():
        raise UsageError("quality must rise with rate at every point of a rate-distortion curve")
    return r, q


def _mean_gap(anchor: tuple[Array, ...], test: tuple[Array, ...], method: str) -> tuple[float, float, float, float]:
    """Mean of test(x) - anchor(x) over the shared x, the shared part of all x covered, and the shared limits."""
    (xa, ya), (xt, yt) = anchor, test
    low, high = max(xa[0], xt[0]), min(xa[-1], xt[-1])
    if high <= low:
        raise UsageError("the two rate-distortion curves share no range to compare over")
    area = PiecewiseCubic(xt, yt, method).integral(low, high) - PiecewiseCubic(xa, ya, method).integral(low, high)
    overlap = (high - low) / (max(xa[-1], xt[-1]) - min(xa[0], xt[0]))
    return area / (high - low), float(overlap), float(low), float(high)


class PiecewiseCubic:
    """Cubic Hermite interpolation through (x, y), x strictly rising, slopes by ``method``; at least 2 points."""

    def __init__(self, x: Any, y: Any, method: str = "akima") -> None:
        if method not in METHODS:
            raise UsageError(f"unknown interpolation {method!r}, choose from {', '.join(METHODS)}")
        self.x, self.y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        step = np.diff(self.x)
        slope = np.diff(self.y) / step
        if len(step) == 1:
            tangent = np.repeat(slope, 2)
        else:
            tangent = _akima_tangents(slope) if method == "akima" else _pchip_tangents(step, slope)
        left, right = tangent[:-1], tangent[1:]
        quadratic = (3 * slope - 2 * left - right) / step
        cubic = (left + right - 2 * slope) / step**2
        self._coefficients = np.stack([self.y[:-1], left, quadratic, cubic])

    def __call__(self, at: Any) -> Array:
        """Values at ``at``; outside of x the end pieces go on."""
        at = np.asarray(at, np.float64)
        piece, t = self._locate(at)
        a, b, c, d = self._coefficients[:, piece]
        return np.asarray(a + t * (b + t * (c + t * d)), np.float64)

    def integral(self, low: float, high: float) -> float:
        """The exact integral from low to high."""
        knots = np.concatenate([[low], self.x[(self.x > low) & (self.x < high)], [high]])
        starts, ends = knots[:-1], knots[1:]
        piece, _ = self._locate((starts + ends) / 2)
        return float((self._primitive(piece, ends) - self._primitive(piece, starts)).sum())

    def _locate(self, at: Array) -> tuple[NDArray[np.int64], Array]:
        piece = np.clip(np.searchsorted(self.x, at, side="right") - 1, 0, len(self.x) - 2)
        return piece, at - self.x[piece]

    def _primitive(self, piece: NDArray[np.int64], at: Array) -> Array:
        a, b, c, d = self._coefficients[:, piece]
        t = at - self.x[piece]
        return np.asarray(t * (a + t * (b / 2 + t * (c / 3 + t * d / 4))), np.float64)


def _akima_tangents(slope: Array) -> Array:
    """Akima 1970, with two slopes continued linearly past each end."""
    before = [2 * slope[0] - slope[1], 3 * slope[0] - 2 * slope[1]]
    after = [2 * slope[-1] - slope[-2], 3 * slope[-1] - 2 * slope[-2]]
    m = np.concatenate([before[::-1], slope, after])
    change = np.abs(np.diff(m))
    w_right, w_left = change[2:], change[:-2]
    total = w_right + w_left
    flat = total <= 1e-9 * max(float(total.max()), 1e-300)
    weighted = (w_right * m[1:-2] + w_left * m[2:-1]) / np.where(flat, 1.0, total)
    # Where both weights vanish Akima takes the middle of the two neighbouring slopes.
    return np.where(flat, 0.5 * (m[1:-2] + m[2:-1]), weighted)


def _pchip_tangents(step: Array, slope: Array) -> Array:
    """Weighted harmonic mean of the neighbouring slopes inside, a limited three-point formula at the ends."""
    inner = np.zeros(len(slope) - 1)
    same = slope[:-1] * slope[1:] > 0
    w1, w2 = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
    inner[same] = ((w1 + w2)[same]) / (w1[same] / slope[:-1][same] + w2[same] / slope[1:][same])
    first = _pchip_end(step[0], step[1], slope[0], slope[1])
    last = _pchip_end(step[-1], step[-2], slope[-1], slope[-2])
    return np.concatenate([[first], inner, [last]])


def _pchip_end(h0: float, h1: float, s0: float, s1: float) -> float:
    tangent = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    if tangent * s0 <= 0:
        return 0.0
    if s0 * s1 < 0 and abs(tangent) > 3 * abs(s0):
        return 3 * s0
    return float(tangent)
