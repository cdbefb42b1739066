"""The bytes of motion fields in plain Python: slow, readable, and byte for byte what the native coder does.

Written after ``bitstream/MOTION.md``, section 3; its names are used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy import chain_py
from nvcodec.errors import DamagedError
from nvcodec.motion.field import VECTOR_HIGH, VECTOR_LOW, grid_shape
from nvcodec.motion.tables import FLAG_TABLES, motion_tables

Vector = tuple[int, int]
Grid = list[list[Vector]]

FIRST_SCALE, MEAN_LOW, WIDEST = 13, 4, VECTOR_HIGH - VECTOR_LOW
SAME = (3650, 2550, 2270, 2200, 2760, 1700, 1450, 1240, 2100, 1000, 620, 470)
SPLIT = (800, 2150, 3050)
COPY, PART_COPY = (1750, 655, 324, 164, 53), (1290, 830, 520, 280, 240)
PART_SAME = (2170, 1500, 1160, 1000)
ACROSS, PART_ACROSS = (120, 66, 140, 340), (120, 66, 130, 340)
DOWN, PART_DOWN = (160, 40, 100, 340), (100, 55, 100, 340)


class Coder(Protocol):
    """Takes a symbol and its table; says which symbol was coded."""

    def code(self, table: int, symbol: int) -> int: ...


class Repeater:
    """Every flag is 1."""

    def code(self, table: int, symbol: int) -> int:
        return -1


@dataclass
class Writer:
    """Keeps what is to be coded."""

    symbols: list[int] = field(default_factory=list)
    tables: list[int] = field(default_factory=list)

    def code(self, table: int, symbol: int) -> int:
        self.symbols.append(symbol)
        self.tables.append(table)
        return symbol


class Reader:
    """Reads a chain."""

    def __init__(self, data: bytes) -> None:
        self.chain = chain_py.ChainDecoder(data, motion_tables())

    def code(self, table: int, symbol: int) -> int:
        return int(self.chain.decode(np.array([table], np.uint16))[0])


class Chance:
    """The chance of a flag of 1 in 4096ths."""

    def __init__(self, one: int) -> None:
        self.one, self.seen = one, 0

    def code(self, coder: Coder, flag: bool) -> bool:
        coded = coder.code(self.one >> 6, -1 if flag else 0)
        if coded not in (0, -1):
            raise DamagedError("a flag of a motion field is neither 0 nor 1")
        shift = 3 + sum(self.seen >= bound for bound in (4, 10, 40))
        self.one += (4096 - self.one) >> shift if coded else -(self.one >> shift)
        self.seen += 1
        return coded != 0


class Magnitude:
    """The mean magnitude of a difference in sixteenths."""

    def __init__(self, mean: int) -> None:
        self.mean = mean

    def code(self, coder: Coder, difference: int) -> int:
        whole = self.mean.bit_length() - 1
        table = FLAG_TABLES + FIRST_SCALE + 8 * whole + (((self.mean << 3) >> whole) & 7)
        coded = coder.code(table, difference)
        if abs(coded) > WIDEST:
            raise DamagedError("a vector of a motion field is out of range")
        change = 16 * abs(coded) - self.mean
        self.mean = max(MEAN_LOW, self.mean + (abs(change) // 8) * (1 if change > 0 else -1))
        return coded


def _chances(first: Sequence[int]) -> list[Chance]:
    return [Chance(one) for one in first]


def _magnitudes(first: Sequence[int]) -> list[Magnitude]:
    return [Magnitude(mean) for mean in first]


class Contexts:
    """Those of whole blocks or of parts, beside the flag *same*."""

    def __init__(self, copy: Sequence[int], across: Sequence[int], down: Sequence[int]) -> None:
        self.copy, self.across, self.down = _chances(copy), _magnitudes(across), _magnitudes(down)


def _distance(a: Vector, b: Vector) -> int:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _median(vectors: Sequence[Vector]) -> Vector:
    return sorted(v[0] for v in vectors)[1], sorted(v[1] for v in vectors)[1]


def forecast(now: Grid, previous: Grid | None, i: int, j: int, size: int) -> tuple[list[Vector], int]:
    """(candidates, spread) for the block (size 2) or part (size 1) at part (i, j)."""
    near = [(i, j - 1)] if j > 0 else []
    if i > 0:
        near.append((i - 1, j))
        if j + size < len(now[0]) and not (size == 1 and i % 2 and j % 2):
            near.append((i - 1, j + size))
        elif j > 0:
            near.append((i - 1, j - 1))
    vectors = [now[r][c] for r, c in near]
    before = [previous[r][c] if previous else (0, 0) for r, c in near]
    old = previous[i][j] if previous else (0, 0)
    predictor = (old, *vectors)[len(near)] if len(near) < 2 else _median([*vectors, old][:3])
    error = sum(_distance(v, predictor) for v in vectors)
    earlier = sum(_distance(v, t) for v, t in zip(vectors, before, strict=True))
    if previous and near and earlier < error:
        predictor, error = old, earlier
    share = 2 * error // len(near) if near else 16
    return list(dict.fromkeys([predictor, *vectors, old, (0, 0)])), sum(share > bound for bound in (0, 4, 16))


class FieldCoder:
    """Walks over the blocks of a field; `vectors` is read where it encodes and written either way."""

    def __init__(self, coder: Coder, vectors: Grid, previous: Grid | None, width: int, height: int) -> None:
        self.coder, self.now, self.previous, self.width, self.height = coder, vectors, previous, width, height
        rows, columns = grid_shape(width, height)
        self.other = [[0] * columns for _ in range(rows)]
        self.split = [[0] * columns for _ in range(rows)]
        self.same, self.split_flag, self.part_same = _chances(SAME), _chances(SPLIT), _chances(PART_SAME)
        self.whole, self.part = Contexts(COPY, ACROSS, DOWN), Contexts(PART_COPY, PART_ACROSS, PART_DOWN)

    def run(self) -> None:
        for row in range(len(self.other)):
            for column in range(len(self.other[0])):
                self._block(row, column)

    def _block(self, row: int, column: int) -> None:
        i, j = 2 * row, 2 * column
        candidates, spread = forecast(self.now, self.previous, i, j, 2)
        wanted = [self.now[i + k // 2][j + k % 2] for k in range(4)]
        whole = len(set(wanted)) == 1
        same = self.same[4 * self._around(self.other, row, column) + spread]
        if same.code(self.coder, whole and wanted[0] == candidates[0]):
            return self._fill(i, j, candidates[0])
        self.other[row][column] = 1
        if self._inside(i, j + 1) or self._inside(i + 1, j):
            context = self._around(self.split, row, column)
            if self.split_flag[context].code(self.coder, not whole):
                self.split[row][column] = 1
                return self._parts(i, j, wanted)
        self._fill(i, j, self._another(candidates, spread, self.whole, wanted[0]))

    def _parts(self, i: int, j: int, wanted: list[Vector]) -> None:
        for k in range(4):
            r, c = i + k // 2, j + k % 2
            if not self._inside(r, c):
                continue
            candidates, spread = forecast(self.now, self.previous, r, c, 1)
            if self.part_same[spread].code(self.coder, wanted[k] == candidates[0]):
                vector = candidates[0]
            else:
                vector = self._another(candidates, spread, self.part, wanted[k])
            if k == 0:
                self._fill(i, j, vector)
            self.now[r][c] = vector
        if len({self.now[i + k // 2][j + k % 2] for k in range(4)}) == 1:
            raise DamagedError("a split block of a motion field has equal parts")

    def _another(self, candidates: list[Vector], spread: int, contexts: Contexts, wanted: Vector) -> Vector:
        for chance, candidate in zip(contexts.copy, candidates[1:], strict=False):
            if chance.code(self.coder, wanted == candidate):
                return candidate
        x, y = candidates[0]
        dx = contexts.across[spread].code(self.coder, wanted[0] - x)
        step = sum(abs(dx) >= bound for bound in (1, 4, 16))
        dy = contexts.down[step].code(self.coder, wanted[1] - y)
        if not (VECTOR_LOW <= x + dx <= VECTOR_HIGH and VECTOR_LOW <= y + dy <= VECTOR_HIGH):
            raise DamagedError("a vector of a motion field is out of range")
        return x + dx, y + dy

    def _fill(self, i: int, j: int, vector: Vector) -> None:
        for k in range(4):
            self.now[i + k // 2][j + k % 2] = vector

    def _inside(self, i: int, j: int) -> bool:
        return 8 * i < self.height and 8 * j < self.width

    @staticmethod
    def _around(marks: list[list[int]], row: int, column: int) -> int:
        return (marks[row][column - 1] if column else 0) + (marks[row - 1][column] if row else 0)


def _grid(vectors: NDArray[np.int16]) -> Grid:
    return [[(int(x), int(y)) for x, y in row] for row in vectors]


def encode_motion(vectors: NDArray[np.int16], previous: NDArray[np.int16] | None, width: int, height: int) -> bytes:
    """Vectors (2 rows, 2 columns, 2) to bytes."""
    earlier, wanted = None if previous is None else _grid(previous), _grid(vectors)
    repeated = _grid(np.zeros_like(vectors))
    FieldCoder(Repeater(), repeated, earlier, width, height).run()
    if repeated == wanted:
        return b""
    writer = Writer()
    FieldCoder(writer, wanted, earlier, width, height).run()
    return chain_py.encode_chain(
        np.array(writer.symbols, np.int32), np.array(writer.tables, np.uint16), motion_tables()
    )


def decode_motion(
    data: bytes, previous: NDArray[np.int16] | None, width: int, height: int, out: NDArray[np.int16]
) -> None:
    """Bytes to vectors, into `out`. Raises TruncatedError or DamagedError."""
    reader = Reader(data) if data else None
    vectors = _grid(np.zeros_like(out))
    FieldCoder(reader or Repeater(), vectors, None if previous is None else _grid(previous), width, height).run()
    if reader is not None:
        reader.chain.finish()
    out[:] = vectors
