"""The warp of one plane in plain NumPy: slow, readable, and sample for sample what the native kernel does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMA_FILTER = (
    (0, 0, 0, 64, 0, 0, 0, 0),
    (-1, 4, -10, 58, 17, -5, 1, 0),
    (-1, 4, -11, 40, 40, -11, 4, -1),
    (0, 1, -5, 17, 58, -10, 4, -1),
)  # by quarters of a sample
CHROMA_FILTER = (
    (0, 64, 0, 0),
    (-2, 58, 10, -2),
    (-4, 54, 16, -2),
    (-6, 46, 28, -4),
    (-4, 36, 36, -4),
    (-4, 28, 46, -6),
    (-2, 16, 54, -4),
    (-2, 10, 58, -2),
)  # by eighths of a sample


def _taps(positions: NDArray[np.int64], bits: int, count: int, side: int) -> NDArray[np.int64]:
    """Indices (taps, ...) of the samples that positions in units of 2**-bits are made of, held inside the plane."""
    first = (positions >> bits) - (count // 2 - 1)
    return np.clip(first + np.arange(count).reshape(-1, *[1] * positions.ndim), 0, side - 1)


def warp_plane(
    reference: NDArray[Any], vectors: NDArray[np.int16], chroma: bool, bit_depth: int, out: NDArray[Any]
) -> None:
    """As ``nvcodec._native.warp_plane``: a plane (h, w) predicted with vectors (rows, columns, 2), into `out`."""
    bits, cell = (3, 4) if chroma else (2, 8)
    filters = np.array(CHROMA_FILTER if chroma else LUMA_FILTER, np.int64)
    height, width = reference.shape
    rows, columns = np.arange(height), np.arange(width)
    dense = vectors[rows // cell][:, columns // cell].astype(np.int64)  # (h, w, 2)
    x, y = (columns << bits) + dense[..., 0], (rows[:, None] << bits) + dense[..., 1]
    across = np.moveaxis(filters[x & (1 << bits) - 1], -1, 0)
    down = np.moveaxis(filters[y & (1 << bits) - 1], -1, 0)
    x_taps, y_taps = (_taps(at, bits, filters.shape[1], side) for at, side in ((x, width), (y, height)))
    total = np.zeros((height, width), np.int64)
    for row, weight in zip(y_taps, down, strict=True):
        line = sum(a * reference[row, column].astype(np.int64) for a, column in zip(across, x_taps, strict=True))
        total += weight * (line >> (bit_depth - 8))
    shift = 20 - bit_depth
    out[:] = np.clip((total + (1 << (shift - 1))) >> shift, 0, (1 << bit_depth) - 1)
