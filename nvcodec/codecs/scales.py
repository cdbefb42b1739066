"""Tables of a tensor's rows and columns (bitstream/FITTED.md, section 3): one table, made wider or narrower by offsets.

Telling classes of numbers apart by scales that are sent first is what transform coders do (Chen and Smith, "Adaptive
Coding of Monochrome and Color Images", 1977); here the classes are the rows and the columns of a weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.codecs.fields import FieldWriter
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GGD, GGD_SCALES
from nvcodec.errors import DamagedError, FormatError

Ints = NDArray[np.int64]
Shape = tuple[int, ...]
INDEX = (1 << 10) - 1  # bits of a table word that hold the index
AXES = (1 << 10, 1 << 11)  # bits that say whether there are offsets of rows, of columns
UNIT_SHIFT, OFFSET_TABLE_SHIFT = 12, 14
UNITS = (2, 4, 8)  # eighths of an octave that an offset of 1 stands for
OFFSET_TABLES = (352, 360, 366, 373)  # Laplace of sigma 0.5, 1, 1.68 and 3.08
_LENGTH_BYTES = 4  # most, of a number


@dataclass(frozen=True)
class Scales:
    """How one tensor is coded: ``offsets`` by axis, 0 before 1; none where one table does."""

    base: int  # table index
    unit: int = UNITS[0]
    offset_table: int = 0  # of OFFSET_TABLES
    offsets: tuple[tuple[int, Ints], ...] = ()
    bits: float = 0.0  # of symbols and offsets, where a search found these

    @property
    def word(self) -> int:
        """The u16 of the side information."""
        if not self.offsets:
            return self.base
        how = UNITS.index(self.unit) << UNIT_SHIFT | self.offset_table << OFFSET_TABLE_SHIFT
        return self.base | sum(AXES[axis] for axis, _ in self.offsets) | how

    def tables(self, shape: Shape) -> NDArray[np.uint16]:
        """Table index of every symbol, of ``shape``."""
        row, scale = divmod(self.base, GGD_SCALES)
        if not self.offsets:
            return np.full(shape, self.base, np.uint16)
        sums = np.zeros([n if i < 2 else 1 for i, n in enumerate(shape)], np.int64)
        for axis, values in self.offsets:
            sums += values.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        scales = np.clip(scale + self.unit * sums, 0, GGD_SCALES - 1)
        return np.broadcast_to((row * GGD_SCALES + scales).astype(np.uint16), shape)


def symbol_tables(scales: Sequence[Scales], shapes: Sequence[Shape]) -> NDArray[np.uint16]:
    """Of all tensors, one after the other."""
    return np.concatenate([each.tables(shape).reshape(-1) for each, shape in zip(scales, shapes, strict=True)])


def write_offsets(scales: Sequence[Scales]) -> bytes:
    """Length and segment of all offsets; nothing where there are none."""
    lines = [(values, OFFSET_TABLES[each.offset_table]) for each in scales for _, values in each.offsets]
    if not lines:
        return b""
    tables = np.repeat(np.array([table for _, table in lines], np.uint16), [len(values) for values, _ in lines])
    values = np.concatenate([values for values, _ in lines]).astype(np.int32)
    segment = encode_segment(values, tables, GGD, lanes_log2=0, chunk_symbols=0)
    length = FieldWriter()
    length.put(len(segment))
    return bytes(length.data) + segment


def check_word(word: int, axes: int) -> None:
    """Raises :class:`FormatError` for a table word that a tensor with so many axes of offsets cannot have."""
    if word & INDEX >= GGD.size:
        raise FormatError("a network's side information names a table that does not exist")
    if word >> UNIT_SHIFT & 3 >= len(UNITS):
        raise FormatError("a network's side information names a unit of scales that does not exist")
    if any(word & bit for bit in AXES[axes:]):
        raise FormatError("a network's side information has scales of rows or columns that the tensor does not have")
    if word >> UNIT_SHIFT and not any(word & bit for bit in AXES):
        raise FormatError("a network's side information describes scales that it does not have")


def read_scales(data: bytes, at: int, words: Sequence[int], shapes: Sequence[Shape]) -> tuple[list[Scales], int]:
    """Of tensors with such (checked) words, and where the segment of all symbols begins; ``at``: the offsets' length.

    Raises :class:`FormatError` or :class:`DamagedError`.
    """
    axes = [[axis for axis, bit in enumerate(AXES) if word & bit] for word in words]
    tables = [OFFSET_TABLES[word >> OFFSET_TABLE_SHIFT] for word in words]
    counts = [shape[axis] for shape, its in zip(shapes, axes, strict=True) for axis in its]
    parts: Iterator[NDArray[np.integer]] = iter(())
    if counts:
        length, at = _read_length(data, at)
        if at + length > len(data):
            raise DamagedError("a network's unit ends within its scales")
        by_line = np.array([table for table, its in zip(tables, axes, strict=True) for _ in its], np.uint16)
        symbols = decode_segment(data[at : at + length], np.repeat(by_line, counts), GGD)
        parts, at = iter(np.split(symbols, np.cumsum(counts)[:-1])), at + length
    found = []
    for word, its in zip(words, axes, strict=True):
        offsets = tuple((axis, next(parts).astype(np.int64)) for axis in its)
        found.append(Scales(word & INDEX, UNITS[word >> UNIT_SHIFT & 3], word >> OFFSET_TABLE_SHIFT, offsets))
    return found, at


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at``, and what follows it."""
    value = 0
    for number, byte in enumerate(data[at : at + _LENGTH_BYTES]):
        value |= (byte & 0x7F) << 7 * number
        if byte == 0:
            raise FormatError("the length of a network's scales is 0 or not in the shortest form")
        if byte < 0x80:
            return value, at + number + 1
    if len(data) < at + _LENGTH_BYTES:
        raise DamagedError("a network's unit ends within the length of its scales")
    raise FormatError("the length of a network's scales is longer than four bytes")
