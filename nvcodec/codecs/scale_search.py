"""The scales under which a tensor is shortest: offsets of rows, of columns, or of both, chosen by turns.

Costs are multiples of 2**-12 bits, so that their sums are exact: the same choice on every machine, by any BLAS.
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from nvcodec.codecs.scales import OFFSET_TABLES, UNITS, Scales
from nvcodec.entropy.cost import zigzag_array
from nvcodec.entropy.rans_py import ESCAPE_ORDER
from nvcodec.entropy.tables import GGD, GGD_SCALES, SHAPES

Bits = NDArray[np.float64]
REACH = 7  # offsets are -REACH ... REACH
OFFSETS = np.arange(-REACH, REACH + 1)
SUMS = np.arange(-2 * REACH, 2 * REACH + 1)  # of a row's and a column's
SHIFTS = np.arange(-6, 7)  # scales tried around a tensor's best one
ROUNDS = 3  # of choosing rows with columns fixed, and the other way about
WIDEST = 1 << 11  # symbols further from 0 count as this one
FEW = 64  # if not one in so many is
CODABLE = 1 << 20  # symbols nearer to 0 have a code under every table
# beyond these, which bound the memory, there is no search
MOST_LINES = 1 << 14
MOST_COUNTS = 1 << 23  # lines times values
MOST_PAIRS = 1 << 19  # rows times columns, to have offsets both


@cache
def _costs(reach: int, shape: int) -> Bits:
    """Bits of the values -reach ... reach - 1 under the tables of one row of GGD, (2 reach, 160)."""
    tables, values = GGD.tables, np.arange(-reach, reach)[:, None]
    which = slice(shape * GGD_SCALES, (shape + 1) * GGD_SCALES)
    raw, escape = tables.raw_bits[which].astype(np.int64), tables.escapes[which]
    order = zigzag_array(values >> raw)
    bits = tables.symbol_bits[which][np.arange(GGD_SCALES), np.minimum(order, escape)] + raw
    prefix = np.frexp(np.maximum(0, order - escape) + float(1 << ESCAPE_ORDER))[1] - 1 - ESCAPE_ORDER
    bits += np.where(order >= escape, tables.escape_bits[which] + 2.0 * prefix + 1 + ESCAPE_ORDER, 0.0)
    return np.asarray(np.rint(bits * 4096) / 4096)


@cache
def _offset_costs(table: int) -> Bits:
    """(2 REACH + 1,) bits."""
    row, scale = divmod(OFFSET_TABLES[table], GGD_SCALES)
    return _costs(64, row)[64 + OFFSETS, scale]


class ScaleSearch:
    """Scales of one tensor around the ``table`` that is best for all of it."""

    def __init__(self, symbols: NDArray[np.integer], table: int) -> None:
        self.shape = symbols.shape
        inside = np.clip(symbols.astype(np.int64), -WIDEST, WIDEST - 1)
        furthest = int(np.abs(symbols.astype(np.int64)).max(initial=0))
        self.possible = int((inside != symbols).sum()) * FEW < symbols.size and furthest < CODABLE
        low, high = (int(inside.min()), int(inside.max())) if symbols.size else (0, 0)
        self.values, self.count = inside - low, high - low + 1
        self._reach = 1 << max(6, (-1 - low).bit_length(), high.bit_length())
        self._range = slice(low + self._reach, high + self._reach + 1)
        row, scale = divmod(table, GGD_SCALES)
        counts = np.bincount(self.values.reshape(-1), minlength=self.count)
        self.plain = Scales(table, bits=float(counts @ self.costs(row)[:, scale]))

    def costs(self, row: int) -> Bits:
        """Bits of the values that occur, (count, 160)."""
        return _costs(self._reach, row)[self._range]

    def best(self, axes: int = 2) -> Scales:
        """The shortest of one table, offsets along one of the first ``axes`` axes, and along both."""
        lines = [self.single(axis) for axis in range(axes) if self._is_worth(axis)]
        both = []
        if len(lines) == 2 and self.shape[0] * self.shape[1] <= MOST_PAIRS:
            both = [self.pair(line) for line in lines]
        return min([self.plain, *lines, *both], key=attrgetter("bits"))

    def _is_worth(self, axis: int) -> bool:
        lines = self.shape[axis]
        return self.possible and 1 < lines <= MOST_LINES and lines * self.count <= MOST_COUNTS

    def single(self, axis: int) -> Scales:
        """Offsets along one axis, shorter than one table or not."""
        lines = np.moveaxis(self.values, axis, 0).reshape(self.shape[axis], -1)
        places = np.arange(len(lines))[:, None] * self.count + lines
        counts = np.bincount(places.reshape(-1), minlength=len(lines) * self.count).reshape(len(lines), -1)
        found = [_along(axis, row, counts @ self.costs(row)) for row in range(len(SHAPES))]
        return min(found, key=attrgetter("bits"))

    def pair(self, start: Scales) -> Scales:
        """Offsets along both axes, by turns, from those of one."""
        row, scale = divmod(start.base, GGD_SCALES)
        by_sum = self.costs(row)[:, np.clip(scale + start.unit * SUMS, 0, GGD_SCALES - 1)]
        # a row at a time: all at once would take 232 bytes a symbol; (rows, columns, sums)
        summed = np.stack([by_sum[line].sum(1) for line in self.values.reshape(*self.shape[:2], -1)])
        found = [_both(start, number, summed) for number in range(len(OFFSET_TABLES))]
        return min([start, *found], key=attrgetter("bits"))


def _along(axis: int, row: int, by_scale: Bits) -> Scales:
    """The best base, unit and offsets of lines with such costs under each scale, (lines, 160), of a row of GGD."""
    bases = np.clip(int(by_scale.sum(0).argmin()) + SHIFTS, 0, GGD_SCALES - 1)
    scales = np.clip(np.add.outer(bases, np.multiply.outer(UNITS, OFFSETS)), 0, GGD_SCALES - 1)
    bits, found = by_scale.T[scales], []  # (bases, units, offsets, lines)
    for number in range(len(OFFSET_TABLES)):
        with_offsets = bits + _offset_costs(number)[:, None]
        totals = with_offsets.min(2).sum(2)
        base, unit = divmod(int(totals.argmin()), len(UNITS))
        offsets = OFFSETS[with_offsets[base, unit].argmin(0)]
        index, total = row * GGD_SCALES + int(bases[base]), float(totals[base, unit])
        found.append(Scales(index, UNITS[unit], number, ((axis, offsets),), total))
    return min(found, key=attrgetter("bits"))


def _both(start: Scales, number: int, summed: Bits) -> Scales:
    """Of costs by row, column and sum of their offsets."""
    (first, chosen), own = start.offsets[0], _offset_costs(number)
    offsets, total = {first: chosen}, 0.0
    for axis in (1 - first, first) * ROUNDS:
        fixed, lines = offsets[1 - axis], summed if axis == 0 else summed.swapaxes(0, 1)
        bits = np.tile(own, (len(lines), 1))
        for value in np.unique(fixed):
            bits += lines[:, fixed == value, REACH + value : REACH + value + len(OFFSETS)].sum(1)
        offsets[axis] = OFFSETS[bits.argmin(1)]
        total = float(bits.min(1).sum() + own[fixed + REACH].sum())
    return Scales(start.base, start.unit, number, tuple(sorted(offsets.items())), total)
