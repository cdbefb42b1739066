"""A conditional decoder for any stem (Boosting Neural Representations for Videos, Zhang et al., CVPR 2024).

Each block enlarges with a sine for its activation, and adds a residual whose features are scaled and shifted channel
by channel as the frame's time says. Here are the blocks, and how HNeRV and NeRV have them. What scales and shifts is
made for all blocks at once: the layers are the paper's, but share their tensors, which are fewer to step and to code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from nvcodec.models.blocks import Sine, UpBlock, positional_encoding
from nvcodec.models.growth import UNIT_KERNEL, Growth, Stage, Window, grow
from nvcodec.models.hnerv import HNeRVConfig
from nvcodec.models.nerv import NeRVConfig

PARTS = 4  # of what a block is told: scale and shift before its unit's first convolution, and before the second


def boosted(stages: Iterable[Stage], single: int) -> tuple[Stage, ...]:
    """Blocks of ``stages``: one each, from number ``single`` on a second one that does not enlarge."""
    out = []
    for number, stage in enumerate(stages):
        out.append(replace(stage, unit=True))
        if number >= single:
            out.append(Stage(stage.c_out, stage.c_out, 1, stage.kernel, unit=True))
    return tuple(out)


@dataclass(frozen=True)
class HNeRVBoostConfig(HNeRVConfig):
    """Shape of an HNeRV decoder of such blocks; the stem is one, too."""

    max_kernel: int = 3
    activation: str = "sin"
    pe_base: float = 1.25
    pe_levels: int = 80
    single: int = 2  # how many stages have one block; those after them have two
    condition: int = 32  # width of the time's vector

    def growth(self) -> Growth:
        """The stem's block first."""
        plain = super().growth()
        stem = Stage(self.embedding_channels, self.width, 1, 1, unit=True)
        return replace(plain, stages=(stem, *boosted(plain.stages, self.single)))


@dataclass(frozen=True)
class NeRVBoostConfig(NeRVConfig):
    """Shape of a NeRV network of such blocks."""

    min_width: int = 12
    hidden: int = 256
    pe_levels: int = 80
    activation: str = "sin"
    single: int = 2
    condition: int = 32

    def growth(self) -> Growth:
        plain = super().growth()
        return replace(plain, stages=boosted(plain.stages, self.single))


class Condition(nn.Module):
    """Encoded times (N, 2 * levels) -> for each block what it is told, (N, PARTS, channels).

    A vector of ``width`` numbers tells the time; every part of every block is made of it by two layers of its own.
    """

    def __init__(self, levels: int, width: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.width, self.channels = width, tuple(channels)
        self.time = nn.Sequential(nn.Linear(2 * levels, 2 * width), Sine(), nn.Linear(2 * width, width), Sine())
        self.hidden = nn.Linear(width, PARTS * width * len(self.channels))
        self.parts = nn.Linear(width, PARTS * sum(self.channels))  # each of its own share of the hidden values
        with torch.no_grad():
            self.parts.weight.zero_()  # blocks that the time does not touch yet are easier to begin with
            self.parts.bias.zero_()

    def forward(self, code: Tensor) -> list[Tensor]:
        hidden = functional.relu(self.hidden(self.time(code))).view(len(code), -1, PARTS, self.width)
        sizes = [PARTS * c for c in self.channels]
        weights, biases = self.parts.weight.split(sizes), self.parts.bias.split(sizes)
        return [
            torch.einsum("pcd,npd->npc", weight.view(PARTS, -1, self.width), hidden[:, block]) + bias.view(PARTS, -1)
            for block, (weight, bias) in enumerate(zip(weights, biases, strict=True))
        ]


def condition_shapes(levels: int, width: int, growth: Growth) -> tuple[tuple[int, ...], ...]:
    """Of the parameters of :class:`Condition`."""
    channels = [stage.c_out for stage in growth.stages]
    own, hidden = PARTS * sum(channels), PARTS * width * len(channels)
    time = (2 * width, 2 * levels), (2 * width,), (width, 2 * width), (width,)
    return *time, (hidden, width), (hidden,), (own, width), (own,)


def condition_macs(levels: int, width: int, growth: Growth) -> int:
    """Multiply-adds of :class:`Condition` for a frame."""
    return sum(prod(shape) for shape in condition_shapes(levels, width, growth) if len(shape) == 2)


class BoostBlock(UpBlock):
    """Convolution, pixel shuffle, sine; and a residual of two convolutions behind what the time scales and shifts."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.c_in, stage.c_out, stage.stride, stage.kernel, "sin")
        self.conv0, self.conv1 = (
            nn.Conv2d(stage.c_out, stage.c_out, UNIT_KERNEL, padding=UNIT_KERNEL // 2) for _ in range(2)
        )

    def forward(self, x: Tensor, told: Tensor) -> Tensor:  # type: ignore[override]
        scale0, shift0, scale1, shift1 = told[..., None, None].unbind(1)
        x = super().forward(x)
        y = functional.gelu(self.conv0(torch.addcmul(shift0, x, 1 + scale0)))
        return x + self.conv1(torch.addcmul(shift1, y, 1 + scale1))


class HNeRVBoost(nn.Module):
    """(N, 1 + embedding_channels, rows, columns), time in [0, 1) first -> pictures (N, out_channels, H, W) in [0, 1].

    With a ``window``, only the part of the pictures that it grows into.
    """

    def __init__(self, config: HNeRVBoostConfig) -> None:
        super().__init__()
        self.config, growth = config, config.growth()
        self.condition = Condition(config.pe_levels, config.condition, [stage.c_out for stage in growth.stages])
        self.stages = nn.ModuleList(BoostBlock(stage) for stage in growth.stages)
        self.head = nn.Conv2d(growth.head.c_in, config.out_channels, 3, padding=1)

    def forward(self, x: Tensor, window: Window | None = None) -> Tensor:
        dtype = self.head.weight.dtype
        code = positional_encoding(x[:, 0, 0, 0].float(), self.config.pe_base, self.config.pe_levels)
        embedding = x[:, 1:].to(dtype).contiguous(memory_format=torch.channels_last)
        y = grow(embedding, self.stages, window, self.condition(code.to(dtype)))
        return torch.tanh(self.head(y).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level


class NeRVBoost(nn.Module):
    """Times (N,) in [0, 1) -> pictures (N, out_channels, H, W) in [0, 1]; with a ``window``, a part of them."""

    def __init__(self, config: NeRVBoostConfig) -> None:
        super().__init__()
        self.config, growth = config, config.growth()
        rows, columns = config.grid
        self.condition = Condition(config.pe_levels, config.condition, [stage.c_out for stage in growth.stages])
        self.stem = nn.Sequential(
            nn.Linear(2 * config.pe_levels, config.hidden),
            Sine(),
            nn.Linear(config.hidden, rows * columns * config.width),
            Sine(),
        )
        self.stages = nn.ModuleList(BoostBlock(stage) for stage in growth.stages)
        self.head = nn.Conv2d(growth.head.c_in, config.out_channels, 1)

    def forward(self, t: Tensor, window: Window | None = None) -> Tensor:
        code = positional_encoding(t, self.config.pe_base, self.config.pe_levels).to(self.head.weight.dtype)
        x = self.stem(code).view(-1, self.config.width, *self.config.grid)
        x = grow(x.contiguous(memory_format=torch.channels_last), self.stages, window, self.condition(code))
        return torch.tanh(self.head(x).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level
