"""The hyper-encoder of the trained codecs: what a frame's latents look like in a few numbers. Runs in encoders only.

Behind a frame it sees that one's latents, too: what the prior knows from them need not be said again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nvcodec.models.prior_network import PriorConfig


class HyperEncoder(nn.Module):
    """Latents (N, 4 * latents, h, w) in quantisation steps -> z (N, hyper, ceil(h/4), ceil(w/4)), float.

    ``last`` are the decoded latents of the frame before, of the same shape; what they add starts at nothing.
    """

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        width = config.width
        self.squash = nn.Conv2d(4 * config.latents, width, 1)
        self.change = nn.Conv2d(4 * config.latents, width, 1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)  # type: ignore[arg-type]
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

    def forward(self, y: Tensor, last: Tensor | None = None) -> Tensor:
        x = self.squash(torch.asinh(y))  # local means are tens of steps, what matters else is about one
        if last is not None:
            x = x + self.change(torch.asinh(y - last))
        z: Tensor = self.stages(F.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4), mode="replicate"))
        return z
