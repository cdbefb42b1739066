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
    """Bits of ``values``, in quantisation steps, under a discretised Laplace; a scalar.

    They are ``rounded``, or have uniform noise of one step. The bin mass follows Balle et al. 2018 (sec. 6.1):
    F(v + 1/2) - F(v - 1/2). The scale is the maximum-likelihood one, from the mean magnitude; there the derivative by
    the scale vanishes, so it is held constant. Outside the central bin the length is linear in the magnitude, so only
    that bin needs a logarithm.
    """
    magnitude = values.abs().flatten()
    scale = _scale(magnitude.detach().mean(), rounded)
    half = 0.5 / scale
    small = (magnitude.detach() < 0.5).nonzero().squeeze(1)
    central = magnitude[small]
    central_log = torch.log((1 - torch.exp(-half) * torch.cosh(central / scale)).clamp_min(1e-9))
    others = magnitude.numel() - small.numel()
    tail_log = others * torch.log(torch.sinh(half)) - (magnitude.sum() - central.sum()) / scale
    return -(central_log.sum() + tail_log) / _LOG2
