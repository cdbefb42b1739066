"""What latents cost under Gaussians of the coder's tables, differentiably: the rate of the training objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

_CORE = 5.0  # standard deviations up to which the estimate is the Gaussian itself
_TAIL = _CORE * _CORE / math.log(2)  # d/da of the tail's -log2 mass at a = 5 is about a / ln 2
# Of the coder's tables: what their rarest and their likeliest symbols cost, and the escape with its shortest code.
_RAREST, _LIKELIEST, _ESCAPE = 14.0, 2.64e-4, 18.0


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

        -log2 of the Gaussian's mass over +-1/2; where that is below the tables' resolution, about what the coder's
        rarest symbols and escapes take. Beyond five standard deviations the gradient is that of a logarithm of the
        distance, where the Gaussian's own would explode and then vanish.
        """
        out: Tensor = _Bits.apply(values, index.expand_as(values), self.first, self.step)
        return out


class _Bits(torch.autograd.Function):
    """Numbers and gradients in one pass; saves two tensors where autograd would save thirty."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, first: float, step: float) -> Tensor:
        inverse = torch.exp(index * -step - first)
        size = values.abs()
        distance = (size - 0.5).mul_(inverse)
        near = distance.clamp(max=_CORE)
        far = near + inverse
        mass = torch.erfc(near * math.sqrt(0.5)).sub_(torch.erfc(far * math.sqrt(0.5))).mul_(0.5).clamp_min_(1e-9)
        bits = torch.log2(mass).neg_()
        if any(ctx.needs_input_grad[:2]):
            density = _density(near).div_(mass), _density(far).div_(mass)
            outside = distance > _CORE
            by_size = torch.where(outside, _TAIL / distance, density[0] - density[1]).mul_(inverse)
            by_index = torch.where(outside, _TAIL - inverse * density[1], near * density[0] - far * density[1])
            ctx.save_for_backward(by_size.mul_(values.sign()), by_index.mul_(-step))
        return _as_coded(bits, size, inverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        by_value, by_index = ctx.saved_tensors
        return grads[0] * by_value, grads[0] * by_index, None, None


def _as_coded(bits: Tensor, size: Tensor, inverse: Tensor) -> Tensor:
    """Bits with the ends of the coder's tables: masses under half a slot are escapes, unless the value is about 1."""
    excess = (size - 4.2 / inverse).clamp_min_(0).mul_(0.25).div_((1 / (7 * inverse)).clamp_min_(1))
    escape = torch.log2(excess.add_(1)).floor_().mul_(2).add_(_ESCAPE)
    escaped = (bits > _RAREST + 1) & (size >= 1.5)
    return torch.where(escaped, escape, bits.clamp_(_LIKELIEST, _RAREST))


def _density(x: Tensor) -> Tensor:
    """The standard Gaussian's, over ln 2."""
    return x.square().mul_(-0.5).exp_().mul_(1 / (math.sqrt(2 * math.pi) * math.log(2)))
