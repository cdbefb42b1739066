"""NeRV: Neural Representations for Videos (Chen et al., NeurIPS 2021).

A frame's time goes through a positional encoding and an MLP to a small feature map, which stages of
convolution and pixel shuffle enlarge to the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from nvcodec.models.blocks import UpBlock, make_activation, positional_encoding
from nvcodec.models.growth import Growth, Stage, Window, grow


@dataclass(frozen=True)
class NeRVConfig:
    """Shape of a NeRV network; the published ones are ``NeRVConfig(grid=(9, 16), width=26)`` and the like."""

    grid: tuple[int, int] = (9, 16)  # rows and columns of the stem's feature map
    width: int = 26  # channels of the stem's feature map
    strides: tuple[int, ...] = (5, 2, 2, 2, 2)
    min_width: int = 96  # floor of the halving widths
    expansion: int = 1  # first stage's width over ``width``
    hidden: int = 512  # width of the MLP
    pe_base: float = 1.25
    pe_levels: int = 40
    out_channels: int = 3
    activation: str = "silu"

    @property
    def output_size(self) -> tuple[int, int]:
        scale = prod(self.strides)
        return self.grid[0] * scale, self.grid[1] * scale

    def growth(self) -> Growth:
        widths = [self.width, *self.widths()]
        stages = zip(widths[:-1], widths[1:], self.strides, strict=True)
        return Growth(self.grid, tuple(Stage(*s, 3) for s in stages), Stage(widths[-1], self.out_channels, 1, 1))

    def widths(self) -> list[int]:
        """Channels after each stage (NeRV, sec. 3.1: halved, with a floor; stride 1 keeps)."""
        widths, current = [], self.width
        for stage, stride in enumerate(self.strides):
            if stage == 0:
                current = self.width * self.expansion
            elif stride > 1:
                current = max(current // 2, self.min_width)
            widths.append(current)
        return widths


class NeRV(nn.Module):
    """Times (N,) in [0, 1) -> pictures (N, out_channels, H, W) in [0, 1]; with a ``window``, a part of them."""

    def __init__(self, config: NeRVConfig) -> None:
        super().__init__()
        self.config = config
        rows, columns = config.grid
        self.stem = nn.Sequential(
            nn.Linear(2 * config.pe_levels, config.hidden),
            make_activation(config.activation),
            nn.Linear(config.hidden, rows * columns * config.width),
            make_activation(config.activation),
        )
        widths = [config.width, *config.widths()]
        self.stages = nn.ModuleList(
            UpBlock(c_in, c_out, stride, 3, config.activation)
            for c_in, c_out, stride in zip(widths[:-1], widths[1:], config.strides, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], config.out_channels, 1)

    def forward(self, t: Tensor, window: Window | None = None) -> Tensor:
        rows, columns = self.config.grid
        code = positional_encoding(t, self.config.pe_base, self.config.pe_levels)
        x = self.stem(code.to(self.head.weight.dtype)).view(-1, self.config.width, rows, columns)
        x = x.contiguous(memory_format=torch.channels_last)
        x = grow(x, self.stages, window)
        return torch.tanh(self.head(x).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level
