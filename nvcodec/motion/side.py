"""What a predicted frame's prior is told beside latents: whole numbers of its motion and of its place.

All of them follow from what is coded, in integers, so they are the same on every machine
(bitstream/CONDITIONAL.md, section 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.motion.field import MotionField

CHANNELS = 16
LIMIT = 255
FLAG = 64
_DISTANCE = 8  # units a frame of distance
_QUALITY = 4  # units a step of quality


@dataclass(frozen=True)
class Place:
    """Where a frame stands beside the frames that it leans on: how far away they are shown, how much better it is
    coded than they are; 0 of one that is not there."""

    distances: tuple[int, int] = (1, 0)
    qualities: tuple[int, int] = (0, 0)
    key: bool = False  # the first of them is coded alone


def side_channels(fields: Sequence[tuple[MotionField, MotionField | None]], place: Place) -> NDArray[np.int32]:
    """(16, rows, columns) of blocks, each within +-255; ``fields``: one or two, each with what it was coded after.

    Of the first field: 0-3 how far a block's vector lies from those of its left, upper, right and lower neighbours, 4
    from its own parts', 5 from rest, 6 from the forecast; 7 and 8 whether it has a fraction across and down. 9 whether
    the first reference is coded alone; 10 and 11 differences of quality, 12 and 13 distances of the references; 14
    whether there is a second field, 15 how far its vector lies from its forecast.
    """
    (field, forecast), *more = fields
    parts = field.vectors.astype(np.int32)
    block = parts[::2, ::2]
    rows, columns = block.shape[:2]
    out = np.zeros((CHANNELS, rows, columns), np.int32)
    across, down = _length(block[:, 1:] - block[:, :-1]), _length(block[1:] - block[:-1])
    out[0, :, 1:], out[1, 1:], out[2, :, :-1], out[3, :-1] = across, down, across, down
    out[4] = np.maximum.reduce([_length(parts[i::2, j::2] - block) for i, j in ((0, 1), (1, 0), (1, 1))])
    out[5] = _length(block)
    out[6] = _missed(field, forecast)
    out[7:9] = FLAG * ((block & 3) != 0).transpose(2, 0, 1)
    out[9] = FLAG * place.key
    for k in (0, 1):
        out[10 + k], out[12 + k] = _QUALITY * place.qualities[k], _DISTANCE * place.distances[k]
    if more:
        out[14], out[15] = FLAG, _missed(*more[0])
    return np.clip(out, -LIMIT, LIMIT)


def _missed(field: MotionField, forecast: MotionField | None) -> NDArray[np.int32]:
    if forecast is None:
        return np.zeros((len(field.vectors) // 2, field.vectors.shape[1] // 2), np.int32)
    return _length(field.vectors[::2, ::2].astype(np.int32) - forecast.vectors[::2, ::2])


def _length(vectors: NDArray[np.int32]) -> NDArray[np.int32]:
    length: NDArray[np.int32] = np.abs(vectors).sum(-1)
    return length
