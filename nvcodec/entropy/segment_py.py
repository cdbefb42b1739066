"""The layout of a segment in plain Python: header, index, states, words, tails (``bitstream/CODER.md``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.rans_py import ChunkCode, Rows, decode_chunk, encode_chunk, raw_byte_count, seeded_bytes
from nvcodec.entropy.tables import Tables
from nvcodec.errors import DamagedError, FormatError, TruncatedError

CHUNK_UNIT = 32  # chunk sizes are multiples of this many symbols
CHUNKED, EXTRA, RESERVED = 0x08, 0x10, 0xE0  # flags of the header byte; its low three bits are lanes_log2


def put_varint(value: int) -> bytes:
    """LEB128 in its shortest form."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class _Cursor:
    """Bytes taken from the front, each checked to be there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise TruncatedError("a segment ends too early")
        self.position += count
        return self.data[self.position - count : self.position]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte & 0x80:
                continue
            if value >> 32 or (byte == 0 and shift):
                break
            return value
        raise FormatError("a segment has a malformed number")


@dataclass
class _Layout:
    lanes: int
    chunk_symbols: int
    words: list[int] = field(default_factory=list)  # one a chunk
    tails: list[int] = field(default_factory=list)  # bytes, the seeded part included


def _read_chunked_index(cursor: _Cursor, indices: NDArray[np.integer], tables: Tables, layout: _Layout) -> None:
    layout.chunk_symbols = cursor.varint() * CHUNK_UNIT
    if not 0 < layout.chunk_symbols < len(indices):
        raise FormatError("a segment has an impossible chunk size")
    chunks = -(-len(indices) // layout.chunk_symbols)
    if chunks * (2 + 4 * layout.lanes) > cursor.left:
        raise TruncatedError("a segment ends too early")
    for first in range(0, len(indices), layout.chunk_symbols):
        layout.words.append(cursor.varint())
        raw = raw_byte_count(indices[first : first + layout.chunk_symbols], tables)
        layout.tails.append(raw + cursor.varint())


def _read_single_index(
    cursor: _Cursor, indices: NDArray[np.integer], tables: Tables, has_extra: bool, layout: _Layout
) -> None:
    """Only the tail of a single chunk is told; its words are what is left."""
    layout.chunk_symbols = len(indices)
    tail = raw_byte_count(indices, tables)
    if has_extra:
        extra = cursor.varint()
        if extra == 0:
            raise FormatError("a segment signals escape bytes and has none")
        tail += extra
    fixed = 4 * layout.lanes + tail - seeded_bytes(tail, layout.lanes)
    if fixed > cursor.left:
        raise TruncatedError("a segment ends too early")
    if (cursor.left - fixed) % 2:
        raise DamagedError("a segment has half a word")
    layout.words.append((cursor.left - fixed) // 2)
    layout.tails.append(tail)


def _read_layout(cursor: _Cursor, indices: NDArray[np.integer], tables: Tables) -> _Layout:
    header = cursor.take(1)[0]
    lanes_log2, has_extra = header & 7, bool(header & EXTRA)
    if header & RESERVED or lanes_log2 not in (0, 3, 5) or (header & CHUNKED and has_extra):
        raise FormatError("a segment has an unknown header")
    layout = _Layout(1 << lanes_log2, 0)
    if header & CHUNKED:
        _read_chunked_index(cursor, indices, tables, layout)
    else:
        _read_single_index(cursor, indices, tables, has_extra, layout)
    return layout


def decode_segment(
    data: bytes | memoryview, indices: NDArray[np.integer], tables: Tables, dtype: type[np.signedinteger] = np.int32
) -> NDArray[Any]:
    """Bytes of a segment to values of `dtype`, (n,), n = len(indices); every index must be below ``tables.size``.

    Raises FormatError, TruncatedError or DamagedError.
    """
    cursor = _Cursor(bytes(data))
    if len(indices) == 0:
        if cursor.left:
            raise DamagedError("a segment of no symbols has bytes")
        return np.empty(0, dtype)
    layout = _read_layout(cursor, indices, tables)
    states = np.frombuffer(cursor.take(4 * layout.lanes * len(layout.words)), "<u4").reshape(-1, layout.lanes)
    words = np.frombuffer(cursor.take(2 * sum(layout.words)), "<u2")
    rows = Rows.of(tables, set(np.unique(indices).tolist()))
    values: list[int] = []
    for k, (count, tail) in enumerate(zip(layout.words, layout.tails, strict=True)):
        stored = cursor.take(tail - seeded_bytes(tail, layout.lanes))
        code = ChunkCode(states[k].tolist(), words[:count].tolist(), stored)
        part = indices[k * layout.chunk_symbols : (k + 1) * layout.chunk_symbols]
        values += _fitting(decode_chunk(code, tail, part.tolist(), rows), dtype)
        words = words[count:]
    if cursor.left:
        raise DamagedError("a segment has bytes left over")
    return np.array(values, dtype)


def _fitting(values: list[int], dtype: type[np.signedinteger]) -> list[int]:
    """Those of a chunk, before a later one is looked at. Raises DamagedError."""
    if dtype == np.int16 and not all(-(1 << 15) <= value < 1 << 15 for value in values):
        raise DamagedError("a symbol of a segment does not fit 16 bits")
    return values


def encode_segment(
    values: NDArray[np.integer], indices: NDArray[np.integer], tables: Tables, lanes_log2: int, chunk_symbols: int
) -> bytes:
    """Values to the bytes of a segment; `chunk_symbols` 0 means one chunk. Raises ValueError for bad arguments."""
    if lanes_log2 not in (0, 3, 5):
        raise ValueError("lanes_log2 must be 0, 3 or 5")
    if chunk_symbols % CHUNK_UNIT:
        raise ValueError("chunk_symbols must be a multiple of 32")
    if len(values) == 0:
        return b""
    lanes, step = 1 << lanes_log2, min(chunk_symbols or len(values), len(values))
    rows = Rows.of(tables, set(np.unique(indices).tolist()))
    chunks, extra = [], []
    for first in range(0, len(values), step):
        part = indices[first : first + step]
        chunks.append(encode_chunk(values[first : first + step].tolist(), part.tolist(), rows, lanes))
        extra.append(len(chunks[-1].tail) - raw_byte_count(part, tables))
    return _header(chunks, extra, lanes_log2, step) + _bodies(chunks, lanes)


def _header(chunks: list[ChunkCode], extra: list[int], lanes_log2: int, chunk_symbols: int) -> bytes:
    if len(chunks) == 1:
        return bytes([lanes_log2 | EXTRA]) + put_varint(extra[0]) if extra[0] else bytes([lanes_log2])
    index = [put_varint(len(chunk.words)) + put_varint(more) for chunk, more in zip(chunks, extra, strict=True)]
    return bytes([lanes_log2 | CHUNKED]) + put_varint(chunk_symbols // CHUNK_UNIT) + b"".join(index)


def _bodies(chunks: list[ChunkCode], lanes: int) -> bytes:
    states = np.array([chunk.states for chunk in chunks], "<u4").tobytes()
    words = b"".join(np.array(chunk.words, "<u2").tobytes() for chunk in chunks)
    return states + words + b"".join(chunk.tail[seeded_bytes(len(chunk.tail), lanes) :] for chunk in chunks)
