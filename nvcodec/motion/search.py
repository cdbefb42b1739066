"""A motion field for a picture, found by rate and distortion: an encoder's affair, in native code.

Coarse motion comes from halved pictures; then each block tries its neighbours' vectors, the field before and the
caller's guesses, walks downhill in whole, half and quarter samples of the warp's own filters, and splits where that
pays. The cost is the sum of absolute differences of luma plus a weight times the approximate bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy import native
from nvcodec.errors import UnsupportedError
from nvcodec.format import Planes
from nvcodec.motion.field import VECTOR_HIGH, VECTOR_LOW, MotionField, earlier_vectors, grid_shape, settle
from nvcodec.motion.warp import check_planes

if native.AVAILABLE:
    from nvcodec import _native


def _guesses(flow: NDArray[np.floating[Any]], width: int, height: int) -> NDArray[np.int16]:
    """The median of a flow (h, w, 2) in samples over each 8x8 cell, in quarters, (2 rows, 2 columns, 2)."""
    if flow.shape != (height, width, 2):
        raise ValueError(f"a flow of {width}x{height} is {(height, width, 2)}, not {flow.shape}")
    rows, columns = grid_shape(width, height)
    padded = np.pad(np.asarray(flow, np.float32), ((0, 16 * rows - height), (0, 16 * columns - width), (0, 0)), "edge")
    cells = padded.reshape(2 * rows, 8, 2 * columns, 8, 2).swapaxes(1, 2).reshape(2 * rows, 2 * columns, 64, 2)
    middle = np.nan_to_num(4 * np.median(cells, 2))
    return settle(np.clip(np.rint(middle), VECTOR_LOW, VECTOR_HIGH).astype(np.int16), width, height)


def _luma(planes: Planes, bit_depth: int) -> NDArray[np.uint8]:
    """Luma as 8 bits."""
    if bit_depth == 8:
        return np.ascontiguousarray(planes[0])
    return np.minimum((planes[0] + 2) >> 2, 255).astype(np.uint8)


def search(
    current: Planes,
    reference: Planes,
    lam: float,
    previous: MotionField | None = None,
    start: NDArray[np.floating[Any]] | None = None,
    *,
    bit_depth: int = 8,
    threads: int = 1,
) -> MotionField:
    """The field that predicts `current` from `reference`, pictures of one size, U and V unused.

    `lam` is what a bit costs in sums of absolute differences of 8-bit samples, 0 to 100000. `previous` is the field
    that the coder will know; `start` a flow (h, w, 2) in samples, (x, y), to try as well. The result does not depend
    on `threads`, 1 to 256. Raises ValueError for other arguments, UnsupportedError without the native module.
    """
    if not native.AVAILABLE:
        raise UnsupportedError("motion needs the native module, which was not built")
    height, width = current[0].shape
    check_planes(current, width, height, bit_depth)
    check_planes(reference, width, height, bit_depth)
    rows, columns = grid_shape(width, height)
    vectors = np.zeros((2 * rows, 2 * columns, 2), np.int16)
    earlier = earlier_vectors(previous, width, height)
    guesses = None if start is None else _guesses(start, width, height)
    planes = _luma(current, bit_depth), _luma(reference, bit_depth)
    _native.search_motion(*planes, float(lam), earlier, guesses, threads, vectors)
    return MotionField(width, height, vectors)
