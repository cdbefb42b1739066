"""The hyper-encoder of the trained codecs: what a frame's latents look like in a few numbers. Runs in encoders only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nvcodec.models.prior_network import PriorConfig


class HyperEncoder(nn.Module):
    """Latents (N, 4 * latents, h, w) in quantisation steps -> z (N, hyper, ceil(h/4), ceil(w/4)), float."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        width = config.width
        self.squash = nn.Conv2d(4 * config.latents, width, 1)
        last = nn.Conv2d(width, config.hyper, 2, stride=2)
        with torch.no_grad():  # so that z of common latents is about +-1: rounded to zeros it would teach nothing
            last.weight.mul_(10)
        self.stages = nn.Sequential(
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width),
            nn.Conv2d(width, width, 2, stride=2),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width),
            last,
        )

    def forward(self, y: Tensor) -> Tensor:
        x = self.squash(torch.asinh(y))  # local means are tens of steps, what matters else is about one
        z: Tensor = self.stages(F.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4), mode="replicate"))
        return z
