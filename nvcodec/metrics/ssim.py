"""SSIM (Wang, Bovik, Sheikh, Simoncelli, 2004) and multi-scale SSIM (Wang, Simoncelli, Bovik, 2003).

An 11x11 Gaussian window of sigma 1.5, evaluated where it fits whole ("valid"), K1 = 0.01, K2 = 0.03, five scales by
2x2 averaging, per colour channel and then averaged: the choices of the learned-codec literature.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.errors import UsageError

WINDOW = 11
SIGMA = 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang 2003, table 1
MIN_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
"""Smallest picture side, 161, at which the window still fits at the fifth scale; below it MS-SSIM is None."""


def gaussian_window() -> Tensor:
    """The normalised 1-D window, shape (11,), float64."""
    offset = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(offset**2) / (2 * SIGMA**2))
    return weights / weights.sum()


def _blur(x: Tensor, window: Tensor) -> Tensor:
    """Separable 'valid' filter of (N, 1, H, W) -> (N, 1, H - 10, W - 10)."""
    return F.conv2d(F.conv2d(x, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))


def _similarity(x: Tensor, y: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term of each (1, H, W) plane of a (N, 1, H, W) pair."""
    window = gaussian_window().to(x)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    # Variance does not change with an offset, and a small mean keeps E[x^2] - E[x]^2 from cancelling in float32.
    middle = peak / 2
    shifted_x, shifted_y = x - middle, y - middle
    mean_x, mean_y = _blur(shifted_x, window), _blur(shifted_y, window)
    var_x = _blur(shifted_x * shifted_x, window) - mean_x * mean_x
    var_y = _blur(shifted_y * shifted_y, window) - mean_y * mean_y
    covariance = _blur(shifted_x * shifted_y, window) - mean_x * mean_y
    mean_x, mean_y = mean_x + middle, mean_y + middle
    contrast = (2 * covariance + c2) / (var_x + var_y + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _as_planes(x: Tensor, y: Tensor, smallest: int) -> tuple[Tensor, Tensor]:
    if x.shape != y.shape or x.dim() != 4:
        raise UsageError(f"two (N, C, H, W) batches of one shape expected, got {tuple(x.shape)} and {tuple(y.shape)}")
    if min(x.shape[2:]) < smallest:
        raise UsageError(f"pictures of at least {smallest} pixels a side expected, got {x.shape[3]}x{x.shape[2]}")
    n, c, h, w = x.shape
    return x.float().reshape(n * c, 1, h, w), y.float().reshape(n * c, 1, h, w)


def ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), averaged over channels.

    Raises:
        UsageError: the shapes differ or a side is under 11 pixels.
    """
    planes_x, planes_y = _as_planes(x, y, WINDOW)
    return _similarity(planes_x, planes_y, peak)[0].view(x.shape[0], -1).mean(1)


def ms_ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """MS-SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), mean over channels.

    Negative terms count as 0. An odd side is padded by a zero row or column on each end before halving, as the common
    implementations do; both pictures get the same padding.

    Raises:
        UsageError: the shapes differ or a side is under `MIN_SIDE`.
    """
    planes_x, planes_y = _as_planes(x, y, MIN_SIDE)
    product = torch.ones(planes_x.shape[0], device=planes_x.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        last = scale == len(SCALE_WEIGHTS) - 1
        full, contrast = _similarity(planes_x, planes_y, peak)
        product = product * (full if last else contrast).clamp_min(0) ** weight
        if not last:
            padding = (planes_x.shape[2] % 2, planes_x.shape[3] % 2)
            planes_x, planes_y = (F.avg_pool2d(p, 2, padding=padding) for p in (planes_x, planes_y))
    return product.view(x.shape[0], -1).mean(1)


@torch.no_grad()
def ms_ssim_rgb(reference: NDArray[Any], decoded: NDArray[Any], peak: float = 255.0) -> float | None:
    """MS-SSIM of two integer RGB pictures of shape (H, W, 3), or None where a side is under `MIN_SIDE` pixels."""
    if reference.ndim != 3 or min(reference.shape[:2]) < MIN_SIDE:
        return None
    x, y = (torch.from_numpy(p.astype("float32")).permute(2, 0, 1)[None] for p in (reference, decoded))
    return float(ms_ssim(x, y, peak))
