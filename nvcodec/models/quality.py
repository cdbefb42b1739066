"""One set of weights for many rates: scales of channels, learned at a few qualities and interpolated between them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TOP_QUALITY = 63
QUALITY_ANCHORS = tuple(range(0, TOP_QUALITY + 1, 9))  # eight


def as_quality(quality: float | Tensor, like: Tensor) -> Tensor:
    """A quality for all pictures, or one for each (N,), as float32 (1,) or (N,) on the device of ``like``."""
    return torch.as_tensor(quality, dtype=torch.float32, device=like.device).reshape(-1)


def anchor_weights(quality: Tensor) -> Tensor:
    """What each anchor counts at each quality, (N,) -> (N, 8): linear between neighbours; clipped to 0..63."""
    anchors = torch.tensor(QUALITY_ANCHORS, dtype=torch.float32, device=quality.device)
    distance = (quality.float().clamp(0, TOP_QUALITY)[:, None] - anchors).abs()
    return (1 - distance / (QUALITY_ANCHORS[1] - QUALITY_ANCHORS[0])).clamp_min(0)


class QualityScale(nn.Module):
    """A positive factor for each channel that depends on quality: exp of a linear interpolation of learned anchors.

    After the feature modulation of Li et al., CVPR 2024 (DCVC-FM), sec. 3.2, with eight anchors instead of two.
    ``start`` are the factors at the anchors, (8, channels) or what broadcasts to it; 1 if left out.
    """

    def __init__(self, channels: int, start: Tensor | None = None) -> None:
        super().__init__()
        shape = (len(QUALITY_ANCHORS), channels)
        self.logs = nn.Parameter(torch.zeros(shape) if start is None else start.log().expand(shape).contiguous())

    def forward(self, quality: Tensor) -> Tensor:
        """(N,) -> (N, channels)."""
        # No matrix product: autocast would take it in bf16, where a step is 0.4 % off.
        return (anchor_weights(quality)[:, :, None] * self.logs).sum(dim=1).exp()
