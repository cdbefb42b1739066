"""Differentiable code lengths, the twins in training of the integer tables in :mod:`nvcodec.entropy`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG2 = math.log(2)


def _scale(mean: Tensor, rounded: bool) -> Tensor:
    """The Laplace scale for a mean magnitude: the mean itself, or what its rounded values would have."""
    if not rounded:
        return mean.clamp_min(0.05)
    mean = mean.clamp_min(1e-3)
    decay = ((1 + 4 * mean.square()).sqrt() - 1) / (2 * mean)  # of the two-sided geometric law
    return -0.5 / decay.log()


def laplace_bits(values: Tensor, rounded: bool = False) -> Tensor:
    """Bits of ``values``, in quantisation steps, under one discretised Laplace; a scalar.

    They are ``rounded``, or have uniform noise of one step. See :func:`laplace_bits_by_row`.
    """
    return laplace_bits_by_row(values.reshape(1, -1), rounded)


def laplace_bits_by_row(values: Tensor, rounded: bool = False) -> Tensor:
    """Bits of all ``values`` (rows, n), each row under a discretised Laplace of its own; a scalar.

    The bin mass follows Balle et al. 2018 (sec. 6.1): F(v + 1/2) - F(v - 1/2). The scale is the maximum-likelihood one,
    from the mean magnitude; there the derivative by the scale vanishes, so it is held constant. Outside the central bin
    the length is linear in the magnitude, so only that bin needs a logarithm.
    """
    magnitude = values.abs()
    scale = _scale(magnitude.detach().mean(1), rounded)
    half = 0.5 / scale
    row, column = (magnitude.detach() < 0.5).nonzero(as_tuple=True)
    central = magnitude[row, column]
    mass = 1 - torch.exp(-half)[row] * torch.cosh(central / scale[row])
    tail = (values.shape[1] * torch.log(torch.sinh(half)) - magnitude.sum(1) / scale).sum()
    instead = torch.log(mass.clamp_min(1e-9)) - torch.log(torch.sinh(half))[row] + central / scale[row]
    return -(tail + instead.sum()) / _LOG2
