"""Blocks that several families share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class UpBlock(nn.Module):
    """Convolution, pixel shuffle by ``stride``, activation (NeRV, sec. 3.1).

    (N, c_in, h, w) -> (N, c_out, h * stride, w * stride)
    """

    def __init__(self, c_in: int, c_out: int, stride: int, kernel: int, activation: str = "gelu") -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out * stride * stride, kernel, padding=kernel // 2)
        self.shuffle = nn.PixelShuffle(stride) if stride > 1 else nn.Identity()
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.shuffle(self.conv(x)))


class Sine(nn.Module):
    """The sine of each value."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


def make_activation(name: str) -> nn.Module:
    """The activation called ``name`` ("gelu", "silu", "sin"); erf-GELU, the faster form on CPUs."""
    table: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "silu": nn.SiLU, "sin": Sine}
    return table[name]()


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of (N, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, LayerNorm, 4x MLP with GELU, layer scale, residual (Liu et al. 2022). Keeps the shape."""

    def __init__(self, channels: int, layer_scale: float = 1e-6) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.project = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), layer_scale))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.gamma * self.project(nn.functional.gelu(self.expand(y)))
        return x + y.permute(0, 3, 1, 2)


def positional_encoding(t: Tensor, base: float, levels: int) -> Tensor:
    """[sin(base^l pi t), cos(base^l pi t)] for l < levels (NeRV, eq. 2). (N,) -> (N, 2 * levels), float32."""
    powers = torch.tensor([base**level for level in range(levels)], dtype=torch.float64, device=t.device)
    angles = math.pi * t.to(torch.float64)[:, None] * powers
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1).to(torch.float32)
