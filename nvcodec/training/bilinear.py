"""A prediction that differentiates: the exact filter's stand-in where gradients go back through a chain of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nvcodec.motion.field import MotionField


def bilinear_warp(planes: Sequence[Tensor], fields: Sequence[MotionField]) -> tuple[Tensor, Tensor, Tensor]:
    """Y (N, H, W), U and V (N, H/2, W/2), float32, each predicted by its clip's field; the border is repeated."""
    vectors = torch.from_numpy(np.stack([each.vectors for each in fields]).astype(np.float32)).to(planes[0].device)
    luma, chroma = _grid(vectors, planes[0], 8, 4.0), _grid(vectors, planes[1], 4, 8.0)
    y = _sampled(planes[0][:, None], luma)
    uv = _sampled(torch.stack((planes[1], planes[2]), 1), chroma)
    return y[:, 0], uv[:, 0], uv[:, 1]


def _grid(vectors: Tensor, plane: Tensor, part: int, unit: float) -> Tensor:
    """Where each sample comes from, (N, H, W, 2) in -1..1."""
    height, width = plane.shape[1:]
    moves = vectors.repeat_interleave(part, 1)[:, :height].repeat_interleave(part, 2)[:, :, :width] / unit
    rows = torch.arange(height, device=plane.device, dtype=torch.float32)[:, None].expand(height, width)
    columns = torch.arange(width, device=plane.device, dtype=torch.float32).expand(height, width)
    x, y = columns + moves[..., 0], rows + moves[..., 1]
    return torch.stack((2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1), -1)


def _sampled(planes: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=True)
