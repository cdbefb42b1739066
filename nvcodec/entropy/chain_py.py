"""Chains in plain Python: slow, readable, and byte for byte what the native coder does (``bitstream/CODER.md``).

Everything is coded in one state: a symbol of a table, and bits as a table of 2**count symbols of frequency 1 each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.bits_py import take_exp_golomb
from nvcodec.entropy.rans_py import ESCAPE_ORDER, MAX_EXCESS, STATE_LOW, Rows, unzigzag, zigzag
from nvcodec.entropy.tables import PROBABILITY_BITS, Tables
from nvcodec.errors import DamagedError, TruncatedError

MAX_TAKE = 16  # most bits that one step carries
_SLOT_MASK = (1 << PROBABILITY_BITS) - 1


class _Step(NamedTuple):
    """One symbol for the state: its slots are ``start`` to ``start + frequency - 1`` of ``2**bits``."""

    start: int
    frequency: int
    bits: int


def _bit_steps(value: int, count: int) -> Iterator[_Step]:
    """The `count` low bits of `value` in steps of at most 16, lowest first."""
    for low in range(0, count, MAX_TAKE):
        size = min(MAX_TAKE, count - low)
        yield _Step(value >> low & ((1 << size) - 1), 1, size)


def _escape_steps(excess: int) -> Iterator[_Step]:
    """An Exp-Golomb code: a prefix of single bits, then the low bits. Raises ValueError if it is too long."""
    if excess > MAX_EXCESS:
        raise ValueError("a symbol is too far out for its table")
    biased = excess + (1 << ESCAPE_ORDER)
    prefix = biased.bit_length() - 1 - ESCAPE_ORDER
    for bit in [0] * prefix + [1]:
        yield from _bit_steps(bit, 1)
    yield from _bit_steps(biased, prefix + ESCAPE_ORDER)


def _value_steps(value: int, cumulative: list[int], raw: int) -> Iterator[_Step]:
    """A value in the order of a decoder: table symbol, escape code, raw bits."""
    order, escape = zigzag(value >> raw), len(cumulative) - 2
    symbol = min(order, escape)
    yield _Step(cumulative[symbol], cumulative[symbol + 1] - cumulative[symbol], PROBABILITY_BITS)
    if order >= escape:
        yield from _escape_steps(order - escape)
    yield from _bit_steps(value, raw)


def encode_chain(values: NDArray[np.int32], indices: NDArray[np.uint16], tables: Tables) -> bytes:
    """Values (n,) to the bytes of a chain. Raises ValueError for a value too far out."""
    rows = Rows.of(tables, set(np.unique(indices).tolist()))
    steps: list[_Step] = []
    for value, table in zip(values.tolist(), indices.tolist(), strict=True):
        steps += _value_steps(value, rows.cumulative[table], rows.raw_bits[table])
    state, words = STATE_LOW, []
    for start, frequency, bits in reversed(steps):
        if state >= frequency << (32 - bits):
            words.append(state & 0xFFFF)
            state >>= 16
        state = (state // frequency << bits) + state % frequency + start
    return state.to_bytes(4, "little") + np.array(words[::-1], "<u2").tobytes()


@dataclass
class _Cursor:
    """Where a decoder stands: its state, and how many words it has read."""

    words: list[int]
    state: int
    read: int = 0

    def _renew(self) -> None:
        if self.state >= STATE_LOW:
            return
        if self.read == len(self.words):
            raise TruncatedError("a chain ends too early")
        self.state = self.state << 16 | self.words[self.read]
        self.read += 1

    def symbol(self, cumulative: list[int]) -> int:
        slot = self.state & _SLOT_MASK
        symbol = bisect_right(cumulative, slot) - 1
        start = cumulative[symbol]
        self.state = (cumulative[symbol + 1] - start) * (self.state >> PROBABILITY_BITS) + slot - start
        self._renew()
        return symbol

    def take(self, count: int) -> int:
        """The next `count` bits, in steps of at most 16, lowest first."""
        value = 0
        for low in range(0, count, MAX_TAKE):
            size = min(MAX_TAKE, count - low)
            value |= (self.state & ((1 << size) - 1)) << low
            self.state >>= size
            self._renew()
        return value

    def value(self, cumulative: list[int], raw: int) -> int:
        order = self.symbol(cumulative)
        if order == len(cumulative) - 2:
            order += take_exp_golomb(self, ESCAPE_ORDER)
        value = (unzigzag(order) << raw) + self.take(raw)
        if not -(1 << 31) <= value < 1 << 31:
            raise DamagedError("a symbol of a chain does not fit 32 bits")
        return value


class ChainDecoder:
    """A chain that is decoded part by part. Raises TruncatedError or DamagedError for bytes that cannot be one."""

    def __init__(self, data: bytes | memoryview, tables: Tables) -> None:
        data = bytes(data)
        if len(data) < 4:
            raise TruncatedError("a chain ends too early")
        if len(data) % 2:
            raise DamagedError("a chain has half a word")
        self._tables = tables
        self._cursor = _Cursor(np.frombuffer(data, "<u2", offset=4).tolist(), int.from_bytes(data[:4], "little"))
        if self._cursor.state < STATE_LOW:
            raise DamagedError("the starting state of a chain is too small")

    def decode(self, indices: NDArray[np.uint16]) -> NDArray[np.int32]:
        """The next ``len(indices)`` symbols; moves on only if all are there. Raises TruncatedError or DamagedError."""
        rows = Rows.of(self._tables, set(np.unique(indices).tolist()))
        cursor = replace(self._cursor)
        values = [cursor.value(rows.cumulative[table], rows.raw_bits[table]) for table in indices.tolist()]
        self._cursor = cursor
        return np.array(values, np.int32)

    def finish(self) -> None:
        """Raises DamagedError unless the chain ends here."""
        if self._cursor.read < len(self._cursor.words):
            raise DamagedError("a chain has words left over")
        if self._cursor.state != STATE_LOW:
            raise DamagedError("a chain does not end in its starting state")
