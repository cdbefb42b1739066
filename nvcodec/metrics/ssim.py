"""SSIM (Wang, Bovik, Sheikh, Simoncelli, 2004) and multi-scale SSIM (Wang, Simoncelli, Bovik, 2003).

An 11x11 Gaussian window of sigma 1.5, evaluated where it fits whole ("valid"), K1 = 0.01, K2 = 0.03, five scales by
2x2 averaging, per colour channel and then averaged: the choices of the learned-codec literature.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.errors import UsageError

WINDOW = 11
SIGMA = 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang 2003, one a scale, finest first
MIN_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
"""Smallest picture side, 161, at which the window still fits at the fifth scale; below it MS-SSIM is None."""

DB_CAP = 100.0
"""dB reported for an MS-SSIM of 1, and never exceeded."""

_STRIP = 1 << 19  # values blurred at a time: 2 MB stay in cache, whatever the size of the picture


def gaussian_window() -> Tensor:
    """The normalised 1-D window, shape (11,), float64."""
    offset = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(offset**2) / (2 * SIGMA**2))
    return weights / weights.sum()


def _blur(x: Tensor) -> Tensor:
    """Separable 'valid' filter of each channel, (N, C, H, W) -> (N, C, H - 10, W - 10).

    Depthwise in channels_last: faster on a CPU than a convolution of single-channel planes.
    """
    channels = x.shape[1]
    window = gaussian_window().to(x).expand(channels, 1, 1, WINDOW)
    x = F.conv2d(x.contiguous(memory_format=torch.channels_last), window.mT.contiguous(), groups=channels)
    return F.conv2d(x, window.contiguous(), groups=channels)


def _strip_sums(x: Tensor, y: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Sums over each plane of (N, C, H, W) of SSIM and of its contrast-structure term, both (N, C), float64."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    # Variance does not change with an offset, and a small mean keeps E[x^2] - E[x]^2 from cancelling in float32.
    middle = peak / 2
    x, y = x - middle, y - middle
    mean_x, mean_y, square_x, square_y, product = _blur(torch.cat([x, y, x * x, y * y, x * y], 1)).chunk(5, 1)
    variances = square_x + square_y - mean_x * mean_x - mean_y * mean_y
    contrast = (2 * (product - mean_x * mean_y) + c2) / (variances + c2)
    mean_x, mean_y = mean_x + middle, mean_y + middle
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return (luminance * contrast).sum((2, 3), dtype=torch.float64), contrast.sum((2, 3), dtype=torch.float64)


def _similarity(x: Tensor, y: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Means of SSIM and of its contrast-structure term over each plane of (N, C, H, W); both (N, C), float64."""
    batch, channels, height, width = x.shape
    rows = max(1, _STRIP // (5 * batch * channels * width))
    full = contrast = torch.zeros((), dtype=torch.float64)
    for top in range(0, height - WINDOW + 1, rows):
        strip = slice(top, top + rows + WINDOW - 1)
        sums = _strip_sums(x[:, :, strip], y[:, :, strip], peak)
        full, contrast = full.to(x.device) + sums[0], contrast.to(x.device) + sums[1]
    count = (height - WINDOW + 1) * (width - WINDOW + 1)
    return full / count, contrast / count


def _checked(x: Tensor, y: Tensor, smallest: int) -> tuple[Tensor, Tensor]:
    if x.shape != y.shape or x.dim() != 4:
        raise UsageError(f"two (N, C, H, W) batches of one shape expected, got {tuple(x.shape)} and {tuple(y.shape)}")
    if min(x.shape[2:]) < smallest:
        raise UsageError(f"pictures of at least {smallest} pixels a side expected, got {x.shape[3]}x{x.shape[2]}")
    return x.float(), y.float()


def ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), averaged over channels.

    Raises:
        UsageError: the shapes differ or a side is under 11 pixels.
    """
    x, y = _checked(x, y, WINDOW)
    with torch.autocast(x.device.type, enabled=False), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return _similarity(x, y, peak)[0].mean(1).float()


def ms_ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """MS-SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), mean over channels.

    Negative terms count as 0. An odd side is padded by a zero row or column on each end before halving, as the common
    implementations do; both pictures get the same padding.

    Raises:
        UsageError: the shapes differ or a side is under `MIN_SIDE`.
    """
    x, y = _checked(x, y, MIN_SIDE)
    product = torch.ones(x.shape[:2], dtype=torch.float64, device=x.device)
    with torch.autocast(x.device.type, enabled=False), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for scale, weight in enumerate(SCALE_WEIGHTS):
            last = scale == len(SCALE_WEIGHTS) - 1
            full, contrast = _similarity(x, y, peak)
            product = product * (full if last else contrast).clamp_min(0) ** weight
            if not last:
                padding = (x.shape[2] % 2, x.shape[3] % 2)
                x, y = F.avg_pool2d(x, 2, padding=padding), F.avg_pool2d(y, 2, padding=padding)
    return product.mean(1).float()


def ms_ssim_db(value: float) -> float:
    """-10 log10(1 - x) of an MS-SSIM, in dB, at most `DB_CAP`: it spreads the values near 1 out."""
    return DB_CAP if value >= 1 else min(DB_CAP, -10 * math.log10(1 - value))


@torch.no_grad()
def similarity_rgb(
    reference: NDArray[Any], decoded: NDArray[Any], peak: float = 255.0, multi_scale: bool = True
) -> tuple[float | None, float | None]:
    """SSIM and MS-SSIM of two integer RGB pictures of shape (H, W, 3).

    SSIM is None where a side is under 11 pixels, MS-SSIM under `MIN_SIDE` or without ``multi_scale``.
    """
    if reference.ndim != 3 or min(reference.shape[:2]) < WINDOW:
        return None, None
    x, y = (torch.from_numpy(picture.astype("float32")).permute(2, 0, 1)[None] for picture in (reference, decoded))
    return float(ssim(x, y, peak)), ms_ssim_rgb(reference, decoded, peak) if multi_scale else None


@torch.no_grad()
def ms_ssim_rgb(reference: NDArray[Any], decoded: NDArray[Any], peak: float = 255.0) -> float | None:
    """MS-SSIM of two integer RGB pictures of shape (H, W, 3), or None where a side is under `MIN_SIDE` pixels."""
    if reference.ndim != 3 or min(reference.shape[:2]) < MIN_SIDE:
        return None
    # The permuted view of packed RGB is channels_last already.
    x, y = (torch.from_numpy(picture.astype("float32")).permute(2, 0, 1)[None] for picture in (reference, decoded))
    return float(ms_ssim(x, y, peak))
