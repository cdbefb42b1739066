"""What latents cost under the coder's tables, differentiably: the rate of the training objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

_CORE = 5.0  # standard deviations up to which the estimate is the Gaussian itself
_TAIL = _CORE * _CORE / math.log(2)  # d/da of the tail's -log2 mass at a = 5 is about a / ln 2
# Of the coder's tables: what their rarest and their likeliest symbols cost, and the escape with its shortest code.
_BIT = 1 / math.log(2)
_RAREST, _LIKELIEST, _ESCAPE = 14.0, 2.64e-4, 18.0


class TableBits(nn.Module):
    """Bits of values under the table that an index names; ``sigmas``: standard deviations of the tables, log-spaced.

    The tables are Gaussians, or ``laplace`` distributions. Raises ValueError unless sigmas rise by one factor within
    0.1 %.
    """

    def __init__(self, sigmas: Sequence[float], laplace: bool = False) -> None:
        super().__init__()
        self.laplace = laplace
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

        -log2 of the mass over +-1/2; where that is below the tables' resolution, about what the coder's rarest symbols
        and escapes take. A Gaussian's gradient beyond five standard deviations is that of a logarithm of the distance:
        its own would explode and then vanish.
        """
        kind = _LaplaceBits if self.laplace else _GaussianBits
        out: Tensor = kind.apply(values, index.expand_as(values), self.first, self.step)
        return out


class _GaussianBits(torch.autograd.Function):
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
        return _as_coded(bits, size, 4.2 / inverse, inverse * 7)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        by_value, by_index = ctx.saved_tensors
        return grads[0] * by_value, grads[0] * by_index, None, None


class _LaplaceBits(torch.autograd.Function):
    """As :class:`_GaussianBits`; beyond 1/2 the bits rise linearly, so that no gradient explodes or vanishes."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, first: float, step: float) -> Tensor:
        rate = torch.exp(index * -step - (first - 0.5 * math.log(2)))  # sqrt(2) / sigma
        size = values.abs()
        distance = size - 0.5
        fall = torch.exp(-rate)
        kept = torch.log1p(-fall)  # log of 1 - fall; rates go down to 0.02
        upper, lower = torch.exp(distance.clamp(max=0) * rate).mul_(0.5), torch.exp(-(size + 0.5) * rate).mul_(0.5)
        mass = 1 - upper - lower
        outside = distance > 0
        bits = torch.where(outside, distance * rate - kept + math.log(2), -mass.log()).mul_(_BIT)
        if any(ctx.needs_input_grad[:2]):
            by_size = torch.where(outside, rate, rate * (upper - lower) / mass).mul_(_BIT)
            inner = (distance * upper - (size + 0.5) * lower) / mass
            by_rate = torch.where(outside, distance - fall / (1 - fall), inner).mul_(_BIT)
            ctx.save_for_backward(by_size.mul_(values.sign()), by_rate.mul_(rate).mul_(-step))
        edge = (kept + _RAREST * math.log(2)) / rate + 0.5
        return _as_coded(bits, size, edge, rate * (8 / math.sqrt(2)))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        by_value, by_index = ctx.saved_tensors
        return grads[0] * by_value, grads[0] * by_index, None, None


def _as_coded(bits: Tensor, size: Tensor, edge: Tensor, fineness: Tensor) -> Tensor:
    """Bits with the ends of the coder's tables: masses under half a slot are escapes, unless the value is about 1.

    ``edge``: about where escapes begin; ``fineness``: below 1 where low bits travel raw, by about which factor.
    """
    excess = (size - edge).clamp_min_(0).mul_(0.25).mul_(fineness.clamp_max(1))
    escape = torch.log2(excess.add_(1)).floor_().mul_(2).add_(_ESCAPE)
    escaped = (bits > _RAREST + 1) & (size >= 1.5)
    return torch.where(escaped, escape, bits.clamp_(_LIKELIEST, _RAREST))


def _density(x: Tensor) -> Tensor:
    """The standard Gaussian's, over ln 2."""
    return x.square().mul_(-0.5).exp_().mul_(1 / (math.sqrt(2 * math.pi) * math.log(2)))
