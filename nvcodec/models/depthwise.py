"""Blocks of depthwise and pointwise layers, the cheap kind for large pictures. Tensors are (N, h, w, channels).

Channels stand last because a pointwise layer then is one matrix product with no copy, and a depthwise one reads the
same memory as a channels-last convolution: on a CPU this takes two thirds of the time of 1x1 convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nvcodec.models.quality import QualityScale


def scaled_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, before: Tensor | None = None, after: Tensor | None = None
) -> Tensor:
    """(``weight`` (x * ``before``) + ``bias``) * ``after`` of (N, h, w, c_in): (N, h, w, c_out).

    ``before`` is (n, c_in), ``after`` (n, c_out), n being N or 1. Where one row serves the whole batch it is folded
    into the weights, so that it costs no pass over the data.
    """
    if before is not None:
        if len(before) == 1:
            weight = weight * before
        else:
            x = x * before[:, None, None].to(x.dtype)  # of bf16 data under autocast, not twice as wide
    if after is not None and len(after) == 1:
        bias = None if bias is None else bias * after[0]
        return functional.linear(x, weight * after[0][:, None], bias)
    out = functional.linear(x, weight, bias)
    return out if after is None else out * after[:, None, None]


class Pointwise(nn.Linear):
    """A 1x1 convolution of (N, h, w, c_in), with scales of channels as in :func:`scaled_linear`."""

    def forward(self, x: Tensor, before: Tensor | None = None, after: Tensor | None = None) -> Tensor:
        return scaled_linear(x, self.weight, self.bias, before, after)


class Depthwise(nn.Conv2d):
    """A 3x3 convolution of each channel of (N, h, w, channels) by itself, zeros outside."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, padding=1, groups=channels)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class DepthwiseBlock(nn.Module):
    """1x1, activation, depthwise 3x3, 1x1, residual; then 1x1 to twice the width, gate, 1x1, residual. Keeps the shape.

    After the block of Jia et al., CVPR 2025 (DCVC-RT), sec. 3.2; with hard-swish and a hard-sigmoid gate, which take a
    fifth of the time of the smooth ones on a CPU with AVX2. A :class:`QualityScale` acts in the first branch.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand = Pointwise(width, width)
        self.depthwise = Depthwise(width)
        self.project = Pointwise(width, width)
        self.modulation = QualityScale(width)
        self.gate = Pointwise(width, 2 * width)
        self.mix = Pointwise(width, width)

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        """(N, h, w, width) and qualities (1,) or (N,) -> (N, h, w, width)."""
        inner = self.depthwise(functional.hardswish(self.expand(x)))
        x = x + self.project(inner, before=self.modulation(quality))
        value, gate = self.gate(x).chunk(2, dim=-1)
        return x + self.mix(value * functional.hardsigmoid(gate))


def block_macs(width: int) -> int:
    """Multiply-adds of a :class:`DepthwiseBlock` at one position."""
    return 5 * width * width + 9 * width


def space_to_depth(x: Tensor) -> Tensor:
    """(N, h, w, C) -> (N, h / 2, w / 2, 4 C), phase after phase, which moves whole rows of channels."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(n, h // 2, w // 2, 4 * c)


def depth_to_space(x: Tensor) -> Tensor:
    """Inverse of :func:`space_to_depth`."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w, 2, 2, c // 4).transpose(2, 3).reshape(n, 2 * h, 2 * w, c // 4)
