"""How a network grows a small grid into a picture, and how to run only the part that shows a window of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn


@dataclass(frozen=True)
class Stage:
    """A convolution that enlarges by ``stride`` (pixel shuffle)."""

    c_in: int
    c_out: int
    stride: int
    kernel: int


@dataclass(frozen=True)
class Growth:
    """The growing part of a network: stages, then a head at the picture's size."""

    grid: tuple[int, int]  # rows and columns before the first stage
    stages: tuple[Stage, ...]
    head: Stage

    def shapes(self) -> list[tuple[int, ...]]:
        """Weight and bias of each stage and of the head, as their modules have them."""
        out: list[tuple[int, ...]] = []
        for s in (*self.stages, self.head):
            channels = s.c_out * s.stride * s.stride
            out += [(channels, s.c_in, s.kernel, s.kernel), (channels,)]
        return out

    def cost(self) -> tuple[int, int]:
        """(multiply-adds, most values alive at once) of one picture; exact however large."""
        cells, macs, most = prod(self.grid), 0, 0
        for s in (*self.stages, self.head):
            area = s.stride * s.stride
            macs += cells * s.c_in * s.c_out * area * s.kernel * s.kernel
            most = max(most, cells * (s.c_in + 2 * s.c_out * area))
            cells *= area
        return macs, most

    def cells(self, stage: int) -> tuple[int, int]:
        """Rows and columns after ``stage`` stages."""
        scale = prod(s.stride for s in self.stages[:stage])
        return self.grid[0] * scale, self.grid[1] * scale

    def scale_after(self, stage: int) -> int:
        """Picture samples a cell is wide after ``stage`` stages."""
        return prod(s.stride for s in self.stages[stage:])

    def halo(self, stage: int) -> int:
        """Cells around a window after ``stage`` stages that its picture samples depend on."""
        reach = 0
        for s in self.stages[stage:]:
            reach = (reach + s.kernel // 2) * s.stride
        return -(-(reach + self.head.kernel // 2) // self.scale_after(stage))


@dataclass(frozen=True)
class Window:
    """Cells that are kept after ``stage`` stages; the rest of the network sees nothing else."""

    stage: int
    top: int
    left: int
    rows: int
    columns: int

    def cut(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, rows, columns)."""
        return x[:, :, self.top : self.top + self.rows, self.left : self.left + self.columns]


def grow(x: Tensor, stages: Iterable[nn.Module], window: Window | None) -> Tensor:
    """Run ``stages`` on (N, C, rows, columns), cutting to ``window`` on the way."""
    for done, stage in enumerate(stages):
        if window is not None and window.stage == done:
            x = window.cut(x)
        x = stage(x)
    return x
