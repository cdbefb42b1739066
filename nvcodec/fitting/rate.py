"""Differentiable code lengths, the twins in training of the integer tables in :mod:`nvcodec.entropy`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG2 = math.log(2)
_NARROW = 0.25  # variance under which a Gaussian's density says nothing of its bins
_WIDE = 6.0  # variance from which it does


def _scale(mean: Tensor, rounded: bool) -> Tensor:
    """The Laplace scale for a mean magnitude: the mean itself, or what its rounded values would have."""
    if not rounded:
        return mean.clamp_min(0.05)
    mean = mean.clamp_min(1e-3)
    decay = ((1 + 4 * mean.square()).sqrt() - 1) / (2 * mean)  # of the two-sided geometric law
    return -0.5 / decay.log()


def laplace_bits(values: Tensor, rounded: bool = False) -> Tensor:
    """Bits of each row of ``values`` (rows, n), in quantisation steps, under a discretised Laplace of its own; (rows,).

    They are ``rounded``, or have uniform noise of one step. The bin mass follows Balle et al. 2018 (sec. 6.1):
    F(v + 1/2) - F(v - 1/2). The scale is the maximum-likelihood one, from the mean magnitude; there the derivative by
    the scale vanishes, so it is held constant. Outside the central bin the length is linear in the magnitude, so only
    that bin needs a logarithm.
    """
    magnitude = values.abs()
    scale = _scale(magnitude.detach().mean(1), rounded)
    half = 0.5 / scale
    row, column = (magnitude.detach() < 0.5).nonzero(as_tuple=True)
    central = magnitude[row, column]
    mass = 1 - torch.exp(-half)[row] * torch.cosh(central / scale[row])
    tail = values.shape[1] * torch.log(torch.sinh(half)) - magnitude.sum(1) / scale
    instead = torch.log(mass.clamp_min(1e-9)) - torch.log(torch.sinh(half))[row] + central / scale[row]
    return -tail.index_add(0, row, instead) / _LOG2


def gaussian_bits(values: Tensor) -> Tensor:
    """As :func:`laplace_bits`, under a Gaussian that is wide against the step, by its density; (rows,).

    Rounding and noise both add 1/12 to the variance (Sheppard's correction), which the code length does not have.
    """
    square = values.square()
    variance = (square.detach().mean(1) - 1 / 12).clamp_min(_NARROW)
    exponent = (square.sum(1) - values.shape[1] / 12) / (2 * variance)
    return (exponent + 0.5 * values.shape[1] * torch.log(2 * math.pi * variance)) / _LOG2


def modelled_bits(values: Tensor, rounded: bool = False) -> Tensor:
    """Bits of ``values`` (rows, n), each row under the better of a Laplace and a Gaussian; a scalar.

    The tables of the coder hold both, and shapes between.
    """
    laplace, gaussian = laplace_bits(values, rounded), gaussian_bits(values)
    wide = values.detach().square().mean(1) > _WIDE
    return torch.where(wide & (gaussian < laplace), gaussian, laplace).sum()
