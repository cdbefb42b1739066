"""A patch-wise network after NIRVANA (Maiya et al., CVPR 2023): coordinates through sinusoidal layers to whole patches.

Each patch of each frame is made by one small network from where and when it is, and from a few latents of its own;
narrow convolutions over the joined patches then enlarge them. What differs from the paper: convolutions see their
neighbours' patches, so that no seams show; time is a coordinate instead of a set of weights a frame, so that groups
may have any length; and patches have latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from nvcodec.models.blocks import UpBlock
from nvcodec.models.growth import Growth, Stage, Window, grow

KERNEL = 3


@dataclass(frozen=True)
class NirvanaConfig:
    """Shape of the network. A patch has ``cell`` x ``cell`` features, which the strides enlarge."""

    patches: tuple[int, int] = (9, 11)  # rows and columns of them
    cell: int = 4
    latents: int = 4  # a patch and frame
    hidden: int = 32  # width of the sinusoidal layers
    width: int = 16  # channels of a patch's features
    strides: tuple[int, ...] = (2, 2)
    reduction: float = 1.6  # width of a stage over the next one's
    min_width: int = 8
    space_levels: int = 5  # octaves of the coordinates' sines
    time_levels: int = 4
    out_channels: int = 6

    @property
    def inputs(self) -> int:
        """Of the first layer: sines of two coordinates and time, and latents."""
        return 4 * self.space_levels + 2 * self.time_levels + self.latents

    def widths(self) -> list[int]:
        """Channels after each stage."""
        widths, current = [], self.width
        for _ in self.strides:
            current = max(round(current / self.reduction), self.min_width)
            widths.append(current)
        return widths

    def growth(self) -> Growth:
        """From the joined patches' features on."""
        widths = [self.width, *self.widths()]
        stages = zip(widths[:-1], widths[1:], self.strides, strict=True)
        grid = self.patches[0] * self.cell, self.patches[1] * self.cell
        return Growth(grid, tuple(Stage(*s, KERNEL) for s in stages), Stage(widths[-1], self.out_channels, 1, KERNEL))

    def layers(self) -> tuple[tuple[int, int], ...]:
        """(outputs, inputs) of the linear layers."""
        patch = self.cell * self.cell * self.width
        return (self.hidden, self.inputs), (self.hidden, self.hidden), (patch, self.hidden)

    def patch_macs(self) -> int:
        """Multiply-adds of all patches of a picture before the convolutions."""
        return prod(self.patches) * sum(prod(layer) for layer in self.layers())


def octaves(values: Tensor, levels: int) -> Tensor:
    """sin and cos of pi * 2^l * ``values``, l < ``levels``: (...,) -> (..., 2 * levels) float32, in float64 within."""
    scales = torch.tensor([math.pi * 2**level for level in range(levels)], dtype=torch.float64, device=values.device)
    angles = values.to(torch.float64)[..., None] * scales
    return torch.cat((angles.sin(), angles.cos()), dim=-1).to(torch.float32)


class Nirvana(nn.Module):
    """(N, 1 + latents, rows, columns), time in [0, 1) first -> pictures (N, out_channels, H, W) in [0, 1].

    One value a patch; with a ``window``, only the part of the pictures that it grows into.
    """

    def __init__(self, config: NirvanaConfig) -> None:
        super().__init__()
        self.config = config
        self._places: Tensor | None = None
        first, second, last = (nn.Linear(inputs, outputs) for outputs, inputs in config.layers())
        with torch.no_grad():
            for layer in (first, second):  # sines' arguments vary by about 1 (Sitzmann et al. 2020)
                bound = math.sqrt(6 / layer.in_features)
                layer.weight.uniform_(-bound, bound)
                layer.bias.uniform_(-math.pi, math.pi)
        self.first, self.second, self.last = first, second, last
        widths = [config.width, *config.widths()]
        self.stages = nn.ModuleList(
            UpBlock(c_in, c_out, stride, KERNEL)
            for c_in, c_out, stride in zip(widths[:-1], widths[1:], config.strides, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], config.out_channels, KERNEL, padding=1)

    def places(self, device: torch.device) -> Tensor:
        """Sines of where each patch is, (rows, columns, 4 * space_levels) float32; the row's first. Kept."""
        if self._places is None or self._places.device != device:
            (rows, columns), levels = self.config.patches, self.config.space_levels
            y, x = (
                octaves((torch.arange(count, device=device).double() * 2 + (1 - count)) / count, levels)
                for count in (rows, columns)
            )
            sides = y[:, None].expand(-1, columns, -1), x[None].expand(rows, -1, -1)
            self._places = torch.cat(sides, dim=-1).contiguous()
        return self._places

    def hidden(self, x: Tensor) -> Tensor:
        """The first layer before its sine: (N, 1 + latents, rows, columns) -> (N, rows, columns, hidden).

        Its inputs are where, when and the latents, in that order; what is the same for all of a kind is done once.
        """
        weight, config = self.first.weight, self.config
        where, when, own = weight.split([4 * config.space_levels, 2 * config.time_levels, config.latents], dim=1)
        time = octaves(x[:, 0, 0, 0].float(), config.time_levels).to(weight.dtype)
        shared = functional.linear(self.places(x.device).to(weight.dtype), where, self.first.bias)
        latents = functional.linear(x[:, 1:].permute(0, 2, 3, 1).to(weight.dtype), own)
        return latents + shared + functional.linear(time, when)[:, None, None]

    def features(self, x: Tensor) -> Tensor:
        """Patches joined: (N, width, rows * cell, columns * cell)."""
        config = self.config
        y = torch.sin(self.hidden(x))
        y = self.last(torch.sin(self.second(y)))
        n, (rows, columns), cell = len(x), config.patches, config.cell
        y = y.reshape(n, rows, columns, cell, cell, config.width).transpose(2, 3)
        return y.reshape(n, rows * cell, columns * cell, config.width).permute(0, 3, 1, 2)

    def forward(self, x: Tensor, window: Window | None = None) -> Tensor:
        y = grow(self.features(x), self.stages, window)
        return torch.tanh(self.head(y).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level
