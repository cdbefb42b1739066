"""What latents cost under Gaussians of the coder's tables, differentiably: the rate of the training objective."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nvcodec.models.integer import straight_through

_CORE = 5.0  # standard deviations up to which the estimate is the Gaussian itself
_ESCAPE_BITS = 14.0  # what the coder's rarest symbol costs; beyond it, an Exp-Golomb code


class GaussianBits(nn.Module):
    """Bits of values under the table that an index names; ``sigmas``: standard deviations of the tables, log-spaced.

    Raises ValueError unless sigmas rise by one factor within 0.1 %.
    """

    def __init__(self, sigmas: Sequence[float]) -> None:
        super().__init__()
        self.tables = len(sigmas)
        self.first = math.log(sigmas[0])
        self.step = (math.log(sigmas[-1]) - self.first) / (self.tables - 1)
        for index, sigma in enumerate(sigmas):
            if abs(self.first + self.step * index - math.log(sigma)) > 1e-3:
                raise ValueError("the tables' standard deviations are not log-spaced")

    def index_of(self, sigma: float) -> float:
        """The (fractional) index of a standard deviation."""
        return (math.log(sigma) - self.first) / self.step

    def forward(self, values: Tensor, index: Tensor) -> Tensor:
        """Bits of each value (in quantisation steps) under the tables ``index`` (any floats), same shape.

        Inside five standard deviations -log2 of the Gaussian's mass over +-1/2, continuous in both arguments. Outside
        the number is about what the coder's escape takes, and the gradient goes on by the logarithm of the distance,
        where the Gaussian's own would explode and then vanish.
        """
        inverse = torch.exp(-(index * self.step + self.first))
        size = values.abs()
        near, far = (size - 0.5) * inverse, (size + 0.5) * inverse
        inside = near.clamp(max=_CORE)
        wide = inside + torch.minimum(far - near, torch.full_like(far, 64.0))
        mass = 0.5 * (torch.erfc(inside * math.sqrt(0.5)) - torch.erfc(wide * math.sqrt(0.5)))
        core = -torch.log2(mass.clamp_min(1e-9))
        # d/da of the tail's -log2 mass at a = 5 is about a / ln 2: 36 bits for each factor of e.
        tail = (near.clamp_min(_CORE) / _CORE).log() * (_CORE * _CORE / math.log(2))
        escape = _ESCAPE_BITS + 2 * torch.log2(1 + size * 0.125)
        outside = (near > _CORE) | (core > escape)
        return straight_through(torch.where(outside, torch.minimum(core + tail, escape), core).detach(), core + tail)
