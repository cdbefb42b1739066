"""Parameters of one video of a library <-> bytes (bitstream/PFNR.md, section 3). Integers only, but for the steps.

Of the shared weights a video takes some that no video before it has taken, by a mask, and sets them for good; of those
that were taken before it uses some, by another mask. Biases and head are its own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.state import FittedState
from nvcodec.codecs.steps import step_size
from nvcodec.codecs.tensors import CodedTensors, Ints, best_table
from nvcodec.entropy.cost import code_length
from nvcodec.entropy.histogram import fit_table, read_table
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GGD
from nvcodec.errors import DamagedError, FormatError

Shape = tuple[int, ...]
Flags = NDArray[np.bool_]
_OWN, _SHARED = struct.Struct("<BH"), struct.Struct("<BBH")  # step exponent, (gap,) table index
MOST_GAP = 255


@dataclass
class MaskedTensors(CodedTensors):
    """As its base; of a shared tensor, an integer is 1 or 0 where an earlier video has taken the weight (used or not),
    else what the weight is set to, 0 if it stays free."""

    shared: tuple[bool, ...] = ()  # of each tensor

    def taken(self, number: int) -> Flags:
        """Which weights of a tensor were set before."""
        if self.previous is None or not self.shared[number]:
            return np.zeros(self.weights[number].shape, bool)
        return self.previous.weights[number] != 0

    def encode(self, *, scaled: bool = True) -> tuple[bytes, float]:
        return encode_masked(self)

    def weight_values(self) -> list[NDArray[np.float32]]:
        return [self._value(number, used=True) for number in range(len(self.weights))]

    def shown_weights(self, state: FittedState) -> Sequence[NDArray[np.float32]]:
        return self.weight_values()

    def state(self, codec_id: int, config: bytes) -> FittedState:
        """The library with what this video has set."""
        values = tuple(self._value(number, used=False) for number in range(len(self.weights)))
        return FittedState(codec_id, config, self.hash(), values, tuple(self.weight_exponents))

    def _value(self, number: int, used: bool) -> NDArray[np.float32]:
        """What a tensor of this video is, or (not ``used``) the whole of what was set so far."""
        values = self.weights[number].astype(np.float32) * step_size(self.weight_exponents[number])
        if self.previous is not None and self.shared[number]:
            before, taken = self.previous.weights[number], self.taken(number)
            values[taken] = (before * self.weights[number] if used else before)[taken].astype(np.float32)
        return values


def _closed(values: Ints, gap: int) -> NDArray[np.int64]:
    """Numbers other than 0, none nearer to it than ``gap`` + 1, moved together: 1 + gap becomes 0, -1 - gap -1."""
    wide = values.astype(np.int64)
    return np.where(wide > 0, wide - gap - 1, wide + gap)


def _opened(symbols: Ints, gap: int) -> NDArray[np.int64]:
    wide = symbols.astype(np.int64)
    return np.where(wide >= 0, wide + gap + 1, wide - gap)


def write_flags(flags: Flags) -> bytes:
    """A table, the length of a segment, and the segment: -1 for a flag, 0 where there is none. Nothing of no flags."""
    if not flags.size:
        return b""
    symbols = -flags.astype(np.int32)
    family, table, _ = fit_table(symbols)
    segment = encode_segment(symbols, np.zeros(len(symbols), np.uint16), family)
    length = FieldWriter()
    length.put(len(segment))
    return table + bytes(length.data) + segment


def read_flags(data: bytes, at: int, count: int) -> tuple[Flags, int]:
    """``count`` flags at ``at``, and what follows them. Raises :class:`FormatError` or :class:`DamagedError`."""
    if not count:
        return np.zeros(0, bool), at
    family, used = read_table(data[at:])
    fields = FieldReader(data[at + used : at + used + 4])
    length = fields.get("mask's length", 1, (1 << 28) - 1)
    at += used + fields.at
    if at + length > len(data):
        raise DamagedError("a network's unit ends within a mask")
    symbols = decode_segment(data[at : at + length], np.zeros(count, np.uint16), family)
    if ((symbols != 0) & (symbols != -1)).any():
        raise FormatError("a mask holds other numbers than 0 and -1")
    return symbols != 0, at + length


def encode_masked(tensors: MaskedTensors) -> tuple[bytes, float]:
    """A unit's payload and its ideal bits."""
    side, streams, tables, used, fresh = bytearray(), [], [], [], []
    for number, (values, exponent) in enumerate(zip(tensors.weights, tensors.weight_exponents, strict=True)):
        symbols = values.reshape(-1).astype(np.int64)
        gap = 0
        if tensors.shared[number]:
            taken = tensors.taken(number).reshape(-1)
            used.append(symbols[taken] != 0)
            fresh.append(symbols[~taken] != 0)
            symbols = symbols[~taken][fresh[-1]]
            gap = min(MOST_GAP, int(np.abs(symbols).min(initial=1 << 20)) - 1) if symbols.size else 0
            symbols = _closed(symbols.astype(np.int32), gap)
        table = best_table(symbols)[1] if symbols.size else 0
        side += _SHARED.pack(exponent, gap, table) if tensors.shared[number] else _OWN.pack(exponent, table)
        streams.append(symbols)
        tables.append(table)
    front = bytes(side) + b"".join(write_flags(np.concatenate(flags or [np.zeros(0, bool)])) for flags in (used, fresh))
    symbols = np.concatenate(streams).astype(np.int32)
    indices = np.repeat(np.array(tables, np.uint16), [len(stream) for stream in streams])
    return front + encode_segment(symbols, indices, GGD), code_length(symbols, indices, GGD) + 8 * len(front)


def decode_masked(
    payload: bytes, shapes: Sequence[Shape], shared: Sequence[bool], previous: FittedState | None
) -> MaskedTensors:
    """The inverse of :func:`encode_masked`. Raises :class:`FormatError` or :class:`DamagedError`."""
    if len(payload) < sum(_SHARED.size if s else _OWN.size for s in shared):
        raise DamagedError("a network's unit is shorter than its side information")
    sides, at = _read_sides(payload, shared)
    zeros, exponents = [np.zeros(shape, np.int32) for shape in shapes], [side[0] for side in sides]
    out = MaskedTensors(zeros, exponents, previous=previous, shared=tuple(shared))
    taken = [out.taken(number).reshape(-1) for number in range(len(shapes))]
    counts = [int(t.sum()) for t in taken]
    frees = [prod(shape) - count if s else 0 for shape, count, s in zip(shapes, counts, shared, strict=True)]
    used, at = read_flags(payload, at, sum(counts))
    fresh, at = read_flags(payload, at, sum(frees))
    parts, uses = _split(fresh, frees), _split(used, counts)
    lengths = [int(part.sum()) if s else prod(shape) for part, s, shape in zip(parts, shared, shapes, strict=True)]
    symbols = decode_segment(payload[at:], np.repeat(np.array([side[2] for side in sides], np.uint16), lengths), GGD)
    ends = np.cumsum([0, *lengths])
    for number, (values, side) in enumerate(zip(out.weights, sides, strict=True)):
        own, flat = symbols[ends[number] : ends[number + 1]], values.reshape(-1)
        if shared[number]:
            flat[taken[number]] = uses[number]
            flat[np.flatnonzero(~taken[number])[parts[number]]] = _checked(_opened(own, side[1]))
        else:
            flat[:] = own
    return out


def _checked(values: NDArray[np.int64]) -> Ints:
    if np.abs(values).max(initial=0) >= 1 << 31:
        raise DamagedError("a weight leaves the range of 32-bit integers")
    return values.astype(np.int32)


def _split(flags: Flags, counts: Sequence[int]) -> list[Flags]:
    return np.split(flags, np.cumsum(counts)[:-1])


def _read_sides(payload: bytes, shared: Sequence[bool]) -> tuple[list[tuple[int, int, int]], int]:
    """(step exponent, gap, table index) of each tensor, and what follows them."""
    found, at = [], 0
    for is_shared in shared:
        if is_shared:
            found.append(_SHARED.unpack_from(payload, at))
        else:
            exponent, table = _OWN.unpack_from(payload, at)
            found.append((exponent, 0, table))
        at += (_SHARED if is_shared else _OWN).size
    if any(table >= GGD.size for _, _, table in found):
        raise FormatError("a network's side information names a table that does not exist")
    return found, at
