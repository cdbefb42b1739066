"""Which small grid and which strides enlarge it to a picture: shared by the families that grow a feature map."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.errors import FormatError

MOST_STAGES = 8
MOST_GRID = 1024
MOST_WIDTH = 8192
LEAST_WIDTHS = (12, 8, 6, 4, 3)  # floor of the widths: lower only where a network of that floor is too large

Strides = tuple[int, ...]

STRIDES: tuple[Strides, ...] = (
    (2, 2), (3, 2), (4, 2), (5, 2),
    (2, 2, 2), (3, 2, 2), (4, 2, 2), (5, 2, 2), (3, 3, 2), (4, 3, 2), (5, 3, 2), (4, 4, 2), (5, 4, 2), (5, 5, 2),
    (3, 2, 2, 2), (4, 2, 2, 2), (5, 2, 2, 2), (4, 3, 2, 2), (5, 3, 2, 2), (4, 4, 2, 2), (5, 4, 2, 2), (5, 5, 2, 2),
    (4, 3, 3, 2), (5, 3, 3, 2), (4, 4, 3, 2), (5, 4, 3, 2), (5, 4, 4, 2), (5, 5, 4, 2),
)  # fmt: skip


def choose_strides(rows: int, columns: int, wanted_rows: float, options: Sequence[Strides] = STRIDES) -> Strides:
    """Strides whose grid has about ``wanted_rows`` rows and wastes little of the ``rows`` x ``columns`` picture."""

    def price(strides: Strides) -> float:
        scale = math.prod(strides)
        grid_rows, grid_columns = -(-rows // scale), -(-columns // scale)
        waste = grid_rows * grid_columns * scale * scale / (rows * columns) - 1
        return waste + 0.1 * abs(math.log2(grid_rows / wanted_rows)) + 0.01 * len(strides)

    return min(options, key=price)


def largest(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest n in [low, high] with ``holds(n)``, which falls from true to false; ``low`` if none has it."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _flipped(fits: Callable[[int, int], bool], least: int, width: int) -> bool:
    return fits(width, least)


def widest(fits: Callable[[int, int], bool], narrowest: int | None = None) -> tuple[int, int]:
    """(width, least width): the widest network with ``fits(width, least width)`` at the highest least width possible.

    ``narrowest`` is the smallest width to think of, the least width itself if None. The smallest pair if none fits.
    """
    for least in LEAST_WIDTHS:
        low = narrowest or least
        if fits(low, least):
            return largest(low, MOST_WIDTH, partial(_flipped, fits, least)), least
    return narrowest or LEAST_WIDTHS[-1], LEAST_WIDTHS[-1]


def grid_of(rows: int, columns: int, strides: Strides) -> tuple[int, int]:
    """The smallest grid that the strides enlarge to at least the picture."""
    scale = math.prod(strides)
    return -(-rows // scale), -(-columns // scale)


def put_strides(fields: FieldWriter, strides: Strides) -> None:
    fields.put(len(strides), *strides)


def get_strides(fields: FieldReader) -> Strides:
    count = fields.get("number of stages", 1, MOST_STAGES)
    return tuple(fields.get("stride", 1, 16) for _ in range(count))


def get_grid(fields: FieldReader, strides: Strides, rows: int, columns: int) -> tuple[int, int]:
    """The grid, which must be the one that the strides and the picture imply."""
    grid = fields.get("grid rows", 1, MOST_GRID), fields.get("grid columns", 1, MOST_GRID)
    if grid != grid_of(rows, columns, strides):
        raise FormatError(f"a grid of {grid[0]}x{grid[1]} does not fit the picture under strides {strides}")
    return grid
