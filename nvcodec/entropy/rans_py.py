"""The entropy coder in plain Python: slow, readable, and byte for byte what the native coder does.

It reads as the worked form of ``bitstream/CODER.md``. rANS after Duda, "Asymmetric numeral systems" (2013); lanes that
share one run of words after Giesen, "Interleaved entropy coders" (2014).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.bits_py import MAX_PREFIX, BitReader, BitWriter, put_exp_golomb, take_exp_golomb
from nvcodec.entropy.tables import PROBABILITY_BITS, Tables
from nvcodec.errors import DamagedError

STATE_LOW = 1 << 16  # states live in [2**16, 2**32)
ESCAPE_ORDER = 3  # Exp-Golomb parameter of an escape's excess
MAX_EXCESS = (1 << (MAX_PREFIX + ESCAPE_ORDER + 1)) - (1 << ESCAPE_ORDER) - 1
_SLOT_MASK = (1 << PROBABILITY_BITS) - 1


def zigzag(value: int) -> int:
    """0, -1, 1, -2, 2, ... to 0, 1, 2, 3, 4, ..."""
    return value << 1 if value >= 0 else -2 * value - 1


def unzigzag(order: int) -> int:
    """Inverse of :func:`zigzag`."""
    return (order >> 1) ^ -(order & 1)


@dataclass(frozen=True)
class Rows:
    """Tables as Python lists: per table its cumulative frequencies and raw bits."""

    cumulative: list[list[int]]
    raw_bits: list[int]

    @classmethod
    def of(cls, tables: Tables, used: set[int]) -> Rows:
        bounds = tables.offsets.tolist()
        rows = [tables.cumulative[bounds[t] : bounds[t + 1]].tolist() if t in used else [] for t in range(tables.size)]
        return cls(rows, tables.raw_bits.tolist())


@dataclass(frozen=True)
class ChunkCode:
    """A coded chunk: states as the decoder starts, words in decode order, the whole tail."""

    states: list[int]
    words: list[int]
    tail: bytes


def seeded_bytes(tail_bytes: int, lanes: int) -> int:
    """Bytes of a tail that ride in the initial states instead of being stored."""
    return min(tail_bytes, 2 * lanes)


def raw_byte_count(indices: NDArray[np.integer], tables: Tables) -> int:
    """Bytes that the raw bits of a chunk fill."""
    return (int(tables.raw_bits[indices].sum(dtype=np.int64)) + 7) // 8


def _split(values: Sequence[int], indices: Sequence[int], rows: Rows) -> tuple[list[int], bytes]:
    """Values to table symbols and the tail: all raw bits first, so that their place follows from the indices."""
    bits, symbols, excesses = BitWriter(), [], []
    for value, table in zip(values, indices, strict=True):
        raw, escape = rows.raw_bits[table], len(rows.cumulative[table]) - 2
        order = zigzag(value >> raw)
        bits.put(value & ((1 << raw) - 1), raw)
        symbols.append(min(order, escape))
        if order < escape:
            continue
        if order - escape > MAX_EXCESS:
            raise ValueError("a symbol is too far out for its table")
        excesses.append(order - escape)
    for excess in excesses:
        put_exp_golomb(bits, excess, ESCAPE_ORDER)
    return symbols, bits.finish()


def encode_chunk(values: Sequence[int], indices: Sequence[int], rows: Rows, lanes: int) -> ChunkCode:
    """Codes one chunk, last symbol first. Raises ValueError for a value too far out."""
    symbols, tail = _split(values, indices, rows)
    seeds = tail[: seeded_bytes(len(tail), lanes)].ljust(2 * lanes, b"\0")
    states = [STATE_LOW | seeds[2 * lane] | seeds[2 * lane + 1] << 8 for lane in range(lanes)]
    words = []
    for i in range(len(symbols) - 1, -1, -1):
        cumulative, lane = rows.cumulative[indices[i]], i % lanes
        start = cumulative[symbols[i]]
        frequency = cumulative[symbols[i] + 1] - start
        state = states[lane]
        if state >= frequency << (32 - PROBABILITY_BITS):
            words.append(state & 0xFFFF)
            state >>= 16
        states[lane] = (state // frequency << PROBABILITY_BITS) + state % frequency + start
    return ChunkCode(states, words[::-1], tail)


def _decode_symbols(states: list[int], words: Iterator[int], indices: Sequence[int], rows: Rows) -> list[int]:
    """Table symbols of one chunk; leaves the final states in `states`."""
    symbols, lanes = [], len(states)
    for i, table in enumerate(indices):
        cumulative, state = rows.cumulative[table], states[i % lanes]
        slot = state & _SLOT_MASK
        symbol = bisect_right(cumulative, slot) - 1
        start = cumulative[symbol]
        state = (cumulative[symbol + 1] - start) * (state >> PROBABILITY_BITS) + slot - start
        if state < STATE_LOW:
            word = next(words, None)
            if word is None:
                raise DamagedError("the words of a segment run out")
            state = state << 16 | word
        states[i % lanes] = state
        symbols.append(symbol)
    if next(words, None) is not None:
        raise DamagedError("a segment has words left over")
    return symbols


def _join_tail(states: list[int], stored: bytes, tail_bytes: int) -> bytes:
    """The tail as one string: what rode in the states, then what is stored."""
    if any(state >> 16 != 1 for state in states):
        raise DamagedError("a segment does not end in its starting state")
    seeds = b"".join((state & 0xFFFF).to_bytes(2, "little") for state in states)
    seeded = seeded_bytes(tail_bytes, len(states))
    if any(seeds[seeded:]):
        raise DamagedError("a segment does not end in its starting state")
    return seeds[:seeded] + stored


def _join(symbols: list[int], tail: bytes, indices: Sequence[int], rows: Rows) -> list[int]:
    """Table symbols, raw bits and escapes to values."""
    raw_total = sum(rows.raw_bits[table] for table in indices)
    raws, escapes, values = BitReader(tail, 0), BitReader(tail, raw_total), []
    for symbol, table in zip(symbols, indices, strict=True):
        if symbol == len(rows.cumulative[table]) - 2:
            symbol += take_exp_golomb(escapes, ESCAPE_ORDER)
        raw = rows.raw_bits[table]
        value = (unzigzag(symbol) << raw) + raws.take(raw)
        if not -(1 << 31) <= value < 1 << 31:
            raise DamagedError("a symbol of a segment does not fit 32 bits")
        values.append(value)
    if not escapes.only_padding_left():
        raise DamagedError("a segment has raw or escape bits left over")
    return values


def decode_chunk(code: ChunkCode, tail_bytes: int, indices: Sequence[int], rows: Rows) -> list[int]:
    """Decodes one chunk whose `tail` holds the stored part of `tail_bytes`. Raises DamagedError."""
    if any(state < STATE_LOW for state in code.states):
        raise DamagedError("a starting state of a segment is too small")
    states = list(code.states)
    symbols = _decode_symbols(states, iter(code.words), indices, rows)
    return _join(symbols, _join_tail(states, code.tail, tail_bytes), indices, rows)
