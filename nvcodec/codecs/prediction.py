"""An embedding's channel from its frames before (bitstream/FITTED.md, section 3). Integers only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import DamagedError

Ints = NDArray[np.int32]
PREDICTION_SHIFT = 3  # the previous frame is weighted by a / 8
WHOLE = 1 << PREDICTION_SHIFT  # the prediction weight that takes all of what was before


def _weighted(frames: NDArray[np.integer], weight: int) -> NDArray[np.int64]:
    """Arithmetic shift, half rounded up."""
    shifted: NDArray[np.int64] = (frames.astype(np.int64) * weight + (WHOLE >> 1)) >> PREDICTION_SHIFT
    return shifted


def residual_of(channel: Ints, weight: int, before: Ints | None = None) -> NDArray[np.integer]:
    """(T, h, w) minus the weighted previous frame; that of frame 0 is ``before``, if there is one."""
    if weight == 0:
        return channel
    first = np.zeros_like(channel[:1]) if before is None else before[None]
    return channel - _weighted(np.concatenate([first, channel[:-1]]), weight)


def restored(residual: NDArray[np.integer], weight: int, before: Ints | None = None) -> Ints:
    """The inverse of :func:`residual_of`. Raises :class:`DamagedError` beyond 32 bits, where only damage leads."""
    if weight == 0:
        return residual.astype(np.int32, copy=False)
    out = residual.astype(np.int64)
    if before is not None:
        out[0] += _weighted(before, weight)
    for t in range(1, len(out)):
        out[t] += _weighted(out[t - 1], weight)
    if np.abs(out).max(initial=0) >= 1 << 31:
        raise DamagedError("the embedding leaves the range of 32-bit integers")
    return out.astype(np.int32)
