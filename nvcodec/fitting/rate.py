"""Differentiable code lengths, the twins in training of the integer tables in :mod:`nvcodec.entropy`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG2 = math.log(2)


def laplace_bits(values: Tensor, dim: tuple[int, ...] | None = None) -> Tensor:
    """Bits of ``values`` (in quantisation steps, rounded or with uniform noise) under a discretised Laplace.

    The scale is the maximum-likelihood one, the mean magnitude, over ``dim`` (all axes by default): at that optimum the
    derivative by the scale vanishes, so it is held constant. Returns a scalar, float32. The bin mass follows
    Balle et al. 2018 (sec. 6.1): F(v + 1/2) - F(v - 1/2).
    """
    magnitude = values.abs()
    mean = magnitude.mean() if dim is None else magnitude.mean(dim, keepdim=True)
    scale = mean.detach().clamp_min(0.05)
    half = 0.5 / scale
    central = 1 - torch.exp(-half) * torch.cosh(magnitude.clamp(max=0.5) / scale)
    tail = -magnitude / scale + torch.log(torch.sinh(half))
    log_mass = torch.where(magnitude < 0.5, torch.log(central.clamp_min(1e-9)), tail)
    return -log_mass.sum() / _LOG2
