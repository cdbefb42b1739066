"""How a network grows a small grid into a picture, and how to run only the part that shows a window of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

UNIT_KERNEL = 3


@dataclass(frozen=True)
class Stage:
    """A convolution that enlarges by ``stride`` (pixel shuffle), and perhaps a residual unit behind it."""

    c_in: int
    c_out: int
    stride: int
    kernel: int
    unit: bool = False  # whether there is one: two convolutions of as many channels

    @property
    def reach(self) -> int:
        """Cells of the input that the output sees to each side."""
        return self.kernel // 2

    @property
    def unit_reach(self) -> int:
        """Cells of the output that the unit sees to each side."""
        return 2 * (UNIT_KERNEL // 2) if self.unit else 0

    @property
    def macs_a_value(self) -> int:
        """Multiply-adds that each value of the output takes."""
        unit = 2 * self.c_out * UNIT_KERNEL * UNIT_KERNEL if self.unit else 0
        return self.c_in * self.kernel * self.kernel + unit

    def shapes(self) -> list[tuple[int, ...]]:
        """Weight and bias of each layer, in the order of :class:`nvcodec.models.boost.BoostBlock`."""
        channels, unit = self.c_out * self.stride * self.stride, (self.c_out, self.c_out, UNIT_KERNEL, UNIT_KERNEL)
        weights = [(channels, self.c_in, self.kernel, self.kernel), *([unit, unit] if self.unit else [])]
        return [shape for weight in weights for shape in (weight, weight[:1])]

    def cost(self, cells: int) -> tuple[int, int]:
        """(multiply-adds, most values alive at once) on ``cells`` of input."""
        values = cells * self.c_out * self.stride * self.stride
        return values * self.macs_a_value, cells * self.c_in + (4 if self.unit else 2) * values


@dataclass(frozen=True)
class Growth:
    """The growing part of a network: stages, then a head at the picture's size."""

    grid: tuple[int, int]  # rows and columns before the first stage
    stages: tuple[Stage, ...]
    head: Stage
    windows: bool = True  # whether a part of the features shows a part of the picture; not if a layer sees all of them

    def shapes(self) -> list[tuple[int, ...]]:
        """Of each stage and of the head, as their modules have them."""
        return [shape for s in (*self.stages, self.head) for shape in s.shapes()]

    def cost(self) -> tuple[int, int]:
        """(multiply-adds, most values alive at once) of one picture; exact however large."""
        cells, macs, most = prod(self.grid), 0, 0
        for s in (*self.stages, self.head):
            own, alive = s.cost(cells)
            macs, most = macs + own, max(most, alive)
            cells *= s.stride * s.stride
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
            reach = (reach + s.reach) * s.stride + s.unit_reach
        return -(-(reach + self.head.reach) // self.scale_after(stage))


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


def grow(x: Tensor, stages: Iterable[nn.Module], window: Window | None, told: Sequence[Tensor] | None = None) -> Tensor:
    """Run ``stages`` on (N, C, rows, columns), cutting to ``window`` on the way; each is told its part of ``told``."""
    for done, stage in enumerate(stages):
        if window is not None and window.stage == done:
            x = window.cut(x)
        x = stage(x) if told is None else stage(x, told[done])
    return x
