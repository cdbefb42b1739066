"""SSIM (Wang, Bovik, Sheikh, Simoncelli, 2004) and multi-scale SSIM (Wang, Simoncelli, Bovik, 2003).

An 11x11 Gaussian window of sigma 1.5, evaluated where it fits whole ("valid"), K1 = 0.01, K2 = 0.03, five scales by
2x2 averaging, per colour channel and then averaged: the choices of the learned-codec literature.

Two pictures enter as their sum s and difference d, because four blurred maps then do: with V the variance under the
window, 2 cov(x, y) = (V(s) - V(d)) / 2 and V(x) + V(y) = (V(s) + V(d)) / 2. The window is separable, and each of its
passes over a tile is a product with a banded matrix, which a CPU does several times faster than a convolution with
one channel. `nvcodec.metrics.ssim_conv` has the same by plain convolutions.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.errors import UsageError
from nvcodec.hardware import exact_fp32

WINDOW = 11
SIGMA = 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang 2003, one a scale, finest first
MIN_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
"""Smallest picture side, 161, at which the window still fits at the fifth scale; below it MS-SSIM is None."""
DB_CAP = 100.0
"""dB reported for an MS-SSIM of 1, and never exceeded."""

_MARGIN = WINDOW - 1
_TILE = 48  # columns of the result that one product gives
_STRIP = 1 << 17  # samples of the result at a time: their maps stay in a CPU's cache


def gaussian_window() -> Tensor:
    """The normalised 1-D window, shape (11,), float64."""
    offset = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(offset**2) / (2 * SIGMA**2))
    return weights / weights.sum()


@cache
def _band(size: int, device: torch.device) -> Tensor:
    """The window as a matrix (size + 10, size): x @ band filters ``size`` + 10 samples to ``size``."""
    window, band = gaussian_window().float(), torch.zeros(size + _MARGIN, size)
    for column in range(size):
        band[column : column + WINDOW, column] = window
    return band.to(device)


class _Workspace:
    """Buffers that all strips share: to touch fresh memory would cost more than the arithmetic on it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """An uninitialised float32 tensor; the one taken before under this name is lost."""
        count = math.prod(shape)
        if name not in self._buffers or self._buffers[name].numel() < count:
            self._buffers[name] = torch.empty(count, device=self.device)
        return self._buffers[name][:count].view(shape)


def _blurred(strip: Tensor, work: _Workspace) -> Tensor:
    """Windowed means of (2C, R + 10, W) maps and of their squares: (W - 10, 4C x R), a map after the other.

    Both passes write the picture turned on its side, so that each is a product of matrices that lie whole in memory.
    """
    maps, rows, width = strip.shape
    rows -= _MARGIN
    squares = torch.mul(strip, strip, out=work.take("squares", *strip.shape))
    down = work.take("down", width, 2 * maps * rows)
    for index, plane in enumerate((*strip, *squares)):
        torch.mm(plane.T, _band(rows, strip.device), out=down[:, index * rows : (index + 1) * rows])
    across = work.take("across", width - _MARGIN, 2 * maps * rows)
    for left in range(0, width - _MARGIN, _TILE):
        size = min(_TILE, width - _MARGIN - left)
        torch.mm(_band(size, strip.device).T, down[left : left + size + _MARGIN], out=across[left : left + size])
    return across


def _strip_sums(strip: Tensor, peak: float, luminance: bool, work: _Workspace) -> tuple[Tensor, Tensor]:
    """Sums of SSIM (0 without ``luminance``) and of its contrast-structure term over (2C, R + 10, W): two of (C,)."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    channels, rows = len(strip) // 2, strip.shape[1] - _MARGIN
    moments = _blurred(strip, work)
    mean, variance = moments.chunk(2, 1)
    square = torch.mul(mean, mean, out=work.take("square", *mean.shape))
    sums, differences = variance.sub_(square).chunk(2, 1)
    sums.add_(2 * c2)
    above, below = work.take("terms", 2, *sums.shape)
    torch.sub(sums, differences, out=above)
    torch.add(sums, differences, out=below)
    contrast = above.div_(below)

    def total(values: Tensor) -> Tensor:
        return values.view(-1, channels, rows).sum((0, 2)).double()

    if not luminance:
        return torch.zeros(channels, dtype=torch.float64, device=strip.device), total(contrast)
    mean_sum = mean.chunk(2, 1)[0].add_(peak)  # the sums came centred
    mean_sum.mul_(mean_sum).add_(2 * c1)
    difference = square.chunk(2, 1)[1]
    result = total(contrast)
    full = torch.sub(mean_sum, difference, out=below).div_(mean_sum.add_(difference)).mul_(contrast)
    return total(full), result


def _means(maps: Tensor, peak: float, luminance: bool, work: _Workspace) -> tuple[Tensor, Tensor]:
    """Means of SSIM and of its contrast-structure term over sums and differences (2C, H, W): two of (C,), float64."""
    count, height, width = maps.shape[0] // 2, maps.shape[1] - _MARGIN, maps.shape[2] - _MARGIN
    strips = -(-height // min(_TILE, max(16, _STRIP // (count * maps.shape[2]))))
    rows = -(-height // strips)
    full = contrast = torch.zeros(count, dtype=torch.float64, device=maps.device)
    for top in range(0, height, rows):
        bottom = min(top + rows, height) + _MARGIN
        sums = _strip_sums(maps[:, top:bottom], peak, luminance, work)
        full, contrast = full + sums[0], contrast + sums[1]
    return full / (height * width), contrast / (height * width)


def _halved(maps: Tensor, peak: float) -> Tensor:
    """2x2 means of sums and differences (2C, H, W); an odd side gets a row or column of black in front."""
    odd = maps.shape[1] % 2, maps.shape[2] % 2
    if any(odd):
        sums, differences = maps.chunk(2)
        padding = (odd[1], 0, odd[0], 0)
        maps = torch.cat([F.pad(sums, padding, value=-peak), F.pad(differences, padding)])
    rows = maps[:, 0::2] + maps[:, 1::2]
    return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)


def _of_picture(x: Tensor, y: Tensor, peak: float, multi_scale: bool) -> tuple[Tensor, Tensor]:
    """SSIM and MS-SSIM (or SSIM again) of two (C, H, W) pictures of any type: two scalars, float64."""
    work = _Workspace(x.device)
    maps = torch.empty(2, *x.shape, device=x.device)
    sums, differences = maps
    differences.copy_(x)
    other = torch.empty_like(sums).copy_(y)
    # Variance does not change with an offset, and a small mean keeps E[s^2] - E[s]^2 from cancelling in float32.
    torch.add(differences, other, out=sums).sub_(peak)
    differences.sub_(other)
    maps = maps.flatten(0, 1)
    first, term = _means(maps, peak, True, work)
    if not multi_scale:
        return first.mean(), first.mean()
    product = term.clamp_min(0) ** SCALE_WEIGHTS[0]
    for weight in SCALE_WEIGHTS[1:]:
        last = weight == SCALE_WEIGHTS[-1]
        maps = _halved(maps, peak)
        full, contrast = _means(maps, peak, last, work)
        product = product * (full if last else contrast).clamp_min(0) ** weight
    return first.mean(), product.mean()


def checked(x: Tensor, y: Tensor, smallest: int) -> tuple[Tensor, Tensor]:
    """Two (N, C, H, W) batches in float32, or UsageError: shapes differ or a side is under ``smallest`` pixels."""
    if x.shape != y.shape or x.dim() != 4:
        raise UsageError(f"two (N, C, H, W) batches of one shape expected, got {tuple(x.shape)} and {tuple(y.shape)}")
    if min(x.shape[2:]) < smallest:
        raise UsageError(f"pictures of at least {smallest} pixels a side expected, got {x.shape[3]}x{x.shape[2]}")
    return x.float(), y.float()


@torch.no_grad()
def _of_batch(x: Tensor, y: Tensor, peak: float, multi_scale: bool) -> tuple[Tensor, Tensor]:
    with exact_fp32(x.device.type):
        values = [_of_picture(a, b, peak, multi_scale) for a, b in zip(x, y, strict=True)]
    single, multi = (torch.stack(list(column)).float() for column in zip(*values, strict=True))
    return single, multi


def ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), averaged over channels.

    No gradient passes. Raises:
        UsageError: the shapes differ or a side is under 11 pixels.
    """
    return _of_batch(*checked(x, y, WINDOW), peak, False)[0]


def ms_ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """MS-SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), mean over channels.

    Negative terms count as 0. An odd side is padded by a zero row or column on each end before halving, as the common
    implementations do; both pictures get the same padding. No gradient passes.

    Raises:
        UsageError: the shapes differ or a side is under `MIN_SIDE`.
    """
    return _of_batch(*checked(x, y, MIN_SIDE), peak, True)[1]


def ms_ssim_db(value: float) -> float:
    """-10 log10(1 - x) of an MS-SSIM, in dB, at most `DB_CAP`: it spreads the values near 1 out."""
    return DB_CAP if value >= 1 else min(DB_CAP, -10 * math.log10(1 - value))


def similarity_rgb(
    reference: NDArray[Any], decoded: NDArray[Any], peak: float = 255.0, multi_scale: bool = True
) -> tuple[float | None, float | None]:
    """SSIM and MS-SSIM of two integer RGB pictures of shape (H, W, 3), in one pass over the first scale.

    SSIM is None where a side is under 11 pixels, MS-SSIM under `MIN_SIDE` or without ``multi_scale``.
    """
    if reference.ndim != 3 or min(reference.shape[:2]) < WINDOW:
        return None, None
    multi_scale = multi_scale and min(reference.shape[:2]) >= MIN_SIDE
    x, y = (torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in (reference, decoded))
    single, multi = _of_batch(x, y, peak, multi_scale)
    return float(single), float(multi) if multi_scale else None


def ms_ssim_rgb(reference: NDArray[Any], decoded: NDArray[Any], peak: float = 255.0) -> float | None:
    """MS-SSIM of two integer RGB pictures of shape (H, W, 3), or None where a side is under `MIN_SIDE` pixels."""
    return similarity_rgb(reference, decoded, peak)[1]
