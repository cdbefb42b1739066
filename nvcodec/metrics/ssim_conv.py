"""SSIM and MS-SSIM by plain depthwise convolutions: the slow twin of `nvcodec.metrics.ssim`.

The same values, written the way that the papers read, and differentiable. Tests hold the two together.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nvcodec.hardware import exact_fp32
from nvcodec.metrics.similarity import MIN_SIDE, SCALE_WEIGHTS, WINDOW, checked, gaussian_window

_STRIP = 1 << 19  # values blurred at a time: 2 MB stay in cache, whatever the size of the picture


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


def ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), averaged over channels.

    Raises:
        UsageError: the shapes differ or a side is under 11 pixels.
    """
    x, y = checked(x, y, WINDOW)
    with exact_fp32(x.device.type):
        return _similarity(x, y, peak)[0].mean(1).float()


def ms_ssim(x: Tensor, y: Tensor, peak: float = 255.0) -> Tensor:
    """MS-SSIM of each picture of two (N, C, H, W) batches with samples in 0..peak; shape (N,), mean over channels.

    Negative terms count as 0. An odd side is padded by a zero row or column on each end before halving, as the common
    implementations do; both pictures get the same padding.

    Raises:
        UsageError: the shapes differ or a side is under `MIN_SIDE`.
    """
    x, y = checked(x, y, MIN_SIDE)
    product = torch.ones(x.shape[:2], dtype=torch.float64, device=x.device)
    with exact_fp32(x.device.type):
        for scale, weight in enumerate(SCALE_WEIGHTS):
            last = scale == len(SCALE_WEIGHTS) - 1
            full, contrast = _similarity(x, y, peak)
            product = product * (full if last else contrast).clamp_min(0) ** weight
            if not last:
                padding = (x.shape[2] % 2, x.shape[3] % 2)
                x, y = F.avg_pool2d(x, 2, padding=padding), F.avg_pool2d(y, 2, padding=padding)
    return product.mean(1).float()
