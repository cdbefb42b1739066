"""NeRV++: An Enhanced Implicit Neural Video Representation (Ghorbel et al., ICIP 2024).

As NeRV, with a gated stem, and with stages whose convolution stands between a gated depthwise block and a residual
one, beside a bilinear way around all of them. Layers that see one place are linear here, which is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from nvcodec.models.blocks import UpBlock, positional_encoding
from nvcodec.models.growth import Growth, Stage, Window, grow
from nvcodec.models.nerv import NeRVConfig

GATED_KERNEL = 5
FEED_KERNEL = 3


class PlusStage(Stage):
    """What a :class:`PlusBlock` is made of and costs; ``kernel`` is its convolution's."""

    @property
    def hidden(self) -> int:
        """Width of each half of the gated block."""
        return 8 * self.c_out // 3

    @property
    def reach(self) -> int:
        return GATED_KERNEL // 2 + self.kernel // 2

    @property
    def unit_reach(self) -> int:
        return FEED_KERNEL // 2

    @property
    def macs_a_value(self) -> int:
        before = self.c_in + 3 * self.hidden + GATED_KERNEL**2  # of each of its values, as many as c_out a cell
        after = self.c_out * self.kernel**2 + FEED_KERNEL**2 + 2 * self.c_out
        return before // (self.stride * self.stride) + after

    def shapes(self) -> list[tuple[int, ...]]:
        c, h, k = self.c_out, self.hidden, self.kernel
        weights: list[tuple[int, ...]] = [
            (c * self.stride * self.stride, c, k, k),
            (c, self.c_in, 1, 1),
            *((2 * h, c, 1, 1), (c, 1, GATED_KERNEL, GATED_KERNEL), (c, h, 1, 1)),
            *((c, 1, FEED_KERNEL, FEED_KERNEL), (c, c, 1, 1), (c, c, 1, 1)),
        ]
        return [shape for weight in weights for shape in (weight, weight[:1])]

    def cost(self, cells: int) -> tuple[int, int]:
        c, h, area = self.c_out, self.hidden, self.stride * self.stride
        before = self.c_in + 3 * h + GATED_KERNEL**2
        after = c * self.kernel**2 + FEED_KERNEL**2 + 2 * c + 4  # the way around: four samples each
        gated = cells * (self.c_in + 2 * c + 6 * h)
        return cells * c * (before + area * after), max(gated, cells * (self.c_in + c + 4 * c * area))


@dataclass(frozen=True)
class NeRVPlusConfig(NeRVConfig):
    """Shape of the network; the published ones have ``width`` 8, 26, 58 and 112."""

    min_width: int = 80

    def growth(self) -> Growth:
        plain = super().growth()
        stages = tuple(PlusStage(s.c_in, s.c_out, s.stride, s.kernel) for s in plain.stages)
        return replace(plain, stages=stages)


class PlusBlock(UpBlock):
    """1x1, gated depthwise, convolution and pixel shuffle with SiLU, residual depthwise; and the first one enlarged."""

    def __init__(self, stage: PlusStage) -> None:
        c, h = stage.c_out, stage.hidden
        super().__init__(c, c, stage.stride, stage.kernel, "silu")
        self.project = nn.Conv2d(stage.c_in, c, 1)
        self.open = nn.Conv2d(c, 2 * h, 1)
        self.depthwise = nn.Conv2d(c, c, GATED_KERNEL, padding=GATED_KERNEL // 2, groups=c)
        self.close = nn.Conv2d(h, c, 1)
        self.feed = nn.Sequential(
            nn.Conv2d(c, c, FEED_KERNEL, padding=FEED_KERNEL // 2, groups=c),
            nn.Conv2d(c, c, 1),
            nn.GELU(),
            nn.Conv2d(c, c, 1),
        )
        self._parts = h, h - c, c

    def gated(self, x: Tensor) -> Tensor:
        """Of all channels only ``c`` see their neighbours."""
        gate, still, moved = self.open(x).split(self._parts, dim=1)
        return x + self.close(functional.gelu(gate) * torch.cat((still, self.depthwise(moved)), 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.project(x)
        y = super().forward(self.gated(x))
        around = functional.interpolate(x, size=y.shape[2:], mode="bilinear", align_corners=False)
        return y + self.feed(y) + around


class NeRVPlus(nn.Module):
    """Times (N,) in [0, 1) -> pictures (N, out_channels, H, W) in [0, 1]; with a ``window``, a part of them."""

    def __init__(self, config: NeRVPlusConfig) -> None:
        super().__init__()
        self.config, growth = config, config.growth()
        rows, columns = config.grid
        self.open = nn.Linear(2 * config.pe_levels, 2 * config.hidden)
        self.close = nn.Linear(config.hidden, rows * columns * config.width)
        self.stages = nn.ModuleList(PlusBlock(stage) for stage in growth.stages if isinstance(stage, PlusStage))
        self.head = nn.Conv2d(growth.head.c_in, config.out_channels, 1)

    def forward(self, t: Tensor, window: Window | None = None) -> Tensor:
        code = positional_encoding(t, self.config.pe_base, self.config.pe_levels).to(self.head.weight.dtype)
        passed, gate = self.open(code).chunk(2, dim=1)
        x = self.close(passed * functional.gelu(gate)).view(-1, self.config.width, *self.config.grid)
        x = grow(x.contiguous(memory_format=torch.channels_last), self.stages, window)
        return torch.tanh(self.head(x).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level
