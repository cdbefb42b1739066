"""A group of 4:2:0 frames, resident at its bit depth, as tensors that a network can predict.

Luma is taken apart into its four phases, so that a frame is six planes of half size: (Y00, Y01, Y10, Y11, U, V).
No sample is interpolated on the way, and the network's last and dearest stage runs at half size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.format import Planes

CHANNELS = 6
# (6Y + U + V) / 8 over planes of equal size: a luma phase is a quarter of the luma samples
CHANNEL_WEIGHTS = (6 / 32, 6 / 32, 6 / 32, 6 / 32, 1 / 8, 1 / 8)


def to_phases(planes: Planes) -> NDArray[Any]:
    """(Y (H, W), U, V (ceil(H/2), ceil(W/2))) -> (6, ceil(H/2), ceil(W/2)); odd sizes repeat the last row or column."""
    y, u, v = planes
    y = np.pad(y, ((0, y.shape[0] % 2), (0, y.shape[1] % 2)), mode="edge")
    return np.stack([y[0::2, 0::2], y[0::2, 1::2], y[1::2, 0::2], y[1::2, 1::2], u, v])


def from_phases(phases: NDArray[Any], height: int, width: int) -> Planes:
    """The inverse of :func:`to_phases`, cropped to ``height`` x ``width``."""
    rows, columns = phases.shape[1:]
    y = np.empty((2 * rows, 2 * columns), phases.dtype)
    y[0::2, 0::2], y[0::2, 1::2], y[1::2, 0::2], y[1::2, 1::2] = phases[:4]
    return np.ascontiguousarray(y[:height, :width]), phases[4].copy(), phases[5].copy()


class Clip:
    """The frames of one group: ``phases`` is (T, 6, H/2, W/2), uint8 at bit depth 8, int16 at 10.

    ``known`` (T, H/2, W/2) says where a fit looks at them; everywhere if it is None.
    """

    known: Tensor | None = None

    def __init__(
        self,
        frames: Sequence[Planes],
        bit_depth: int,
        device: str = "cpu",
        known: NDArray[np.bool_] | None = None,
    ) -> None:
        rows, columns = frames[0][1].shape
        stacked = np.empty((len(frames), CHANNELS, rows, columns), np.uint8 if bit_depth == 8 else np.int16)
        sums = np.zeros(CHANNELS, np.int64)
        for into, planes in zip(stacked, frames, strict=True):
            into[...] = to_phases(planes)
            sums += into.sum((1, 2), np.int64)  # numpy makes no wide copy, as torch does
        self._sums = torch.from_numpy(sums)
        self.phases = torch.from_numpy(stacked).to(device)
        self.bit_depth = bit_depth
        self.height, self.width = frames[0][0].shape
        if known is not None:
            self.known = torch.from_numpy(known).to(device)

    @property
    def peak(self) -> int:
        return (1 << self.bit_depth) - 1

    @property
    def frame_count(self) -> int:
        return int(self.phases.shape[0])

    @property
    def luma_samples(self) -> int:
        """Display samples of the whole group: what bits per pixel divide by."""
        return self.frame_count * self.height * self.width

    def batch(
        self, frames: Sequence[int], dtype: torch.dtype, rows: slice = slice(None), columns: slice = slice(None)
    ) -> Tensor:
        """(N, 6, H/2, W/2), or a rectangle of it, in [0, 1], channels last."""
        picked = self.phases[:, :, rows, columns][list(frames)].to(dtype).div_(self.peak)
        return picked.contiguous(memory_format=torch.channels_last)

    def seen(self, target: Tensor, predicted: Tensor, frames: Sequence[int], rows: slice, columns: slice) -> Tensor:
        """``target``, a :meth:`batch`, with what was ``predicted`` where it is not known: no error there."""
        if self.known is None:
            return target
        return torch.where(self.known[list(frames), None, rows, columns], target, predicted.detach().float())

    def means(self) -> Tensor:
        """(6,) mean of each plane over all frames, in [0, 1], float32."""
        return self._sums / (self.peak * self.phases[:, 0].numel())


def weighted_mse(predicted: Tensor, target: Tensor) -> Tensor:
    """The 6:1:1 mean squared error of (N, 6, h, w) phases, in the square of their unit; a scalar, float32."""
    per_channel = (predicted - target).float().square().mean((0, 2, 3))
    return (per_channel * per_channel.new_tensor(CHANNEL_WEIGHTS)).sum()
