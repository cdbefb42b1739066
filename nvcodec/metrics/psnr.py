"""Mean squared error and PSNR of integer planes, exact to the last bit.

The sum of squared differences is a sum of integers, so that the result does not depend on threads or summation order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import UsageError
from nvcodec.format import Planes

Plane = NDArray[Any]

PSNR_CAP = 100.0
"""dB reported for identical planes, and never exceeded: a mean over frames stays finite."""

_STRIP = 1 << 15  # samples compared at a time: scratch memory that stays in a cache, and no call of threads


def peak_value(bit_depth: int) -> int:
    """Largest sample value: 255 at 8 bits, 1023 at 10."""
    if not 1 <= bit_depth <= 16:
        raise UsageError(f"bit depth {bit_depth} is outside 1..16")
    return (1 << bit_depth) - 1


def squared_error(a: Plane, b: Plane) -> int:
    """Sum of squared differences of two integer arrays of one shape."""
    if a.shape != b.shape:
        raise UsageError(f"pictures of different shape cannot be compared: {a.shape} and {b.shape}")
    if a.dtype.kind not in "ui" or b.dtype.kind not in "ui":
        raise UsageError(f"integer samples expected, got {a.dtype} and {b.dtype}")
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    total = 0
    for start in range(0, flat_a.size, _STRIP):
        difference = np.subtract(flat_a[start : start + _STRIP], flat_b[start : start + _STRIP], dtype=np.int64)
        total += int(np.dot(difference, difference))  # integers: no BLAS, whose threads and torch's hinder each other
    return total


def mse(a: Plane, b: Plane) -> float:
    """Mean squared error, in squared sample units.

    Raises:
        UsageError: the shapes differ, the arrays are empty or not of integers.
    """
    if a.size == 0:
        raise UsageError("an empty picture has no error to measure")
    return squared_error(a, b) / a.size


def psnr_from_mse(error: float, bit_depth: int = 8) -> float:
    """PSNR in dB of a mean squared error in squared sample units, at most `PSNR_CAP`."""
    if error < 0 or math.isnan(error):
        raise UsageError(f"mean squared error must be at least 0, got {error}")
    if error == 0:
        return PSNR_CAP
    return min(PSNR_CAP, 10 * math.log10(peak_value(bit_depth) ** 2 / error))


def psnr(a: Plane, b: Plane, bit_depth: int = 8) -> float:
    """PSNR in dB of one plane; identical planes give `PSNR_CAP`."""
    return psnr_from_mse(mse(a, b), bit_depth)


def weigh_yuv(y: float, u: float, v: float) -> float:
    """(6Y + U + V) / 8, the weighting of luma and chroma in common use for 4:2:0."""
    return (6 * y + u + v) / 8


def psnr_yuv(reference: Planes, decoded: Planes, bit_depth: int = 8) -> float:
    """(6Y + U + V) / 8 of the three planes' PSNRs in dB, for one picture.

    A sequence's ``psnr_yuv`` is the mean of this over its frames (`SequenceMetrics`). An identical plane counts as
    `PSNR_CAP`, so two identical pictures score exactly 100 dB.
    """
    y, u, v = (psnr(a, b, bit_depth) for a, b in zip(reference, decoded, strict=True))
    return weigh_yuv(y, u, v)


def psnr_rgb(reference: Plane, decoded: Plane, bit_depth: int = 8) -> float:
    """PSNR in dB of one RGB picture of shape (H, W, 3), from the error averaged over all three channels."""
    if reference.ndim != 3 or reference.shape[-1] != 3:
        raise UsageError(f"an RGB picture of shape (H, W, 3) expected, got {reference.shape}")
    return psnr(reference, decoded, bit_depth)
