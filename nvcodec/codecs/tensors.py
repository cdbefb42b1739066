"""Coded parameters of a fitted network <-> bytes (bitstream/FITTED.md, section 3). Integers only, but for the steps."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.cost import code_length, table_costs
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.entropy.tables import GGD
from nvcodec.errors import DamagedError, FormatError

Ints = NDArray[np.int32]
STEP_BIAS = 13 * 16  # a coded step exponent e stands for 2**((e - STEP_BIAS) / 16)
PREDICTION_SHIFT = 3  # the previous frame's embedding is weighted by a / 8
# round(2**(23 + k/16)): a step's float32 is one of these times a power of two, the same on every machine
_MANTISSAS = (
    8388608, 8760003, 9147842, 9552851, 9975792, 10417458, 10878679, 11360319,
    11863283, 12388516, 12937002, 13509772, 14107901, 14732511, 15384775, 16065917,
)  # fmt: skip
_WEIGHT_SIDE = struct.Struct("<BH")  # step exponent, table
_CHANNEL_SIDE = struct.Struct("<BBH")  # step exponent, prediction weight, table


def step_size(exponent: int) -> np.float32:
    """The float32 step of a coded exponent 0..255, 2**(exponent/16 - 13), made without a library's pow."""
    octave, fraction = divmod(exponent - STEP_BIAS, 16)
    return np.float32(np.ldexp(np.float64(_MANTISSAS[fraction]), octave - 23))


def step_exponent(log2_step: float) -> int:
    """The nearest exponent that the stream can hold."""
    return max(0, min(255, round(log2_step * 16) + STEP_BIAS))


@dataclass
class CodedTensors:
    """Integers and steps of one network: ``weights[i]`` any shape, ``embedding`` (C, T, h, w) or None."""

    weights: list[Ints]
    weight_exponents: list[int]
    embedding: Ints | None = None
    embedding_exponents: tuple[int, ...] = ()

    def hash(self) -> bytes:
        """8 bytes over all step exponents and symbols; equal on every machine or the stream is damaged."""
        exponents = np.array([*self.weight_exponents, *self.embedding_exponents], np.int32)
        arrays: list[Ints] = [exponents, *self.weights]
        return symbol_hash(arrays if self.embedding is None else [*arrays, self.embedding])

    def weight_values(self) -> list[NDArray[np.float32]]:
        return [q.astype(np.float32) * step_size(e) for q, e in zip(self.weights, self.weight_exponents, strict=True)]

    def embedding_values(self) -> NDArray[np.float32] | None:
        """(T, C, h, w)."""
        if self.embedding is None:
            return None
        steps = np.array([step_size(e) for e in self.embedding_exponents], np.float32)[:, None, None, None]
        return np.ascontiguousarray((self.embedding.astype(np.float32) * steps).swapaxes(0, 1))


@dataclass(frozen=True)
class Shapes:
    """What a decoder knows of the tensors from the network's description."""

    weights: tuple[tuple[int, ...], ...]
    embedding: tuple[int, int, int, int] | None = None  # (C, T, h, w)

    @property
    def count(self) -> int:
        return sum(prod(shape) for shape in self.weights) + (prod(self.embedding) if self.embedding else 0)

    @property
    def side_bytes(self) -> int:
        channels = self.embedding[0] if self.embedding else 0
        return _WEIGHT_SIDE.size * len(self.weights) + _CHANNEL_SIDE.size * channels


def _residual(channel: Ints, weight: int) -> Ints:
    """(T, h, w) minus the weighted previous frame; arithmetic shift, half rounded up."""
    if weight == 0:
        return channel
    predicted = np.zeros_like(channel)
    predicted[1:] = (channel[:-1] * weight + (1 << (PREDICTION_SHIFT - 1))) >> PREDICTION_SHIFT
    return channel - predicted


def _restore(residual: Ints, weight: int) -> Ints:
    """The inverse of :func:`_residual`. Raises :class:`DamagedError` beyond 32 bits, where only damage leads."""
    if weight == 0:
        return residual
    out = residual.astype(np.int64)
    for t in range(1, len(out)):
        out[t] += (out[t - 1] * weight + (1 << (PREDICTION_SHIFT - 1))) >> PREDICTION_SHIFT
    if np.abs(out).max(initial=0) >= 1 << 31:
        raise DamagedError("the embedding leaves the range of 32-bit integers")
    return out.astype(np.int32)


def _best_table(symbols: Ints) -> tuple[float, int]:
    costs = table_costs(symbols.reshape(-1), GGD)
    index = int(np.argmin(costs))
    return float(costs[index]), index


def encode_tensors(tensors: CodedTensors) -> tuple[bytes, float]:
    """A unit's payload and the ideal bits of its symbols under the chosen tables."""
    side, streams, tables = bytearray(), [], []
    for values, exponent in zip(tensors.weights, tensors.weight_exponents, strict=True):
        table = _best_table(values)[1]
        side += _WEIGHT_SIDE.pack(exponent, table)
        streams.append(values.reshape(-1))
        tables.append(table)
    if tensors.embedding is not None:
        for channel, exponent in zip(tensors.embedding, tensors.embedding_exponents, strict=True):
            candidates = [(*_best_table(_residual(channel, a)), a) for a in range((1 << PREDICTION_SHIFT) + 1)]
            _, table, weight = min(candidates)
            side += _CHANNEL_SIDE.pack(exponent, weight, table)
            streams.append(_residual(channel, weight).reshape(-1))
            tables.append(table)
    symbols = np.concatenate(streams).astype(np.int32)
    indices = np.repeat(np.array(tables, np.uint16), [len(stream) for stream in streams])
    bits = code_length(symbols, indices, GGD) + 8 * len(side)
    return bytes(side) + encode_segment(symbols, indices, GGD), bits


def decode_tensors(payload: bytes, shapes: Shapes) -> CodedTensors:
    """The inverse of :func:`encode_tensors`. Raises :class:`FormatError` or :class:`DamagedError`."""
    if len(payload) < shapes.side_bytes:
        raise DamagedError("a network's unit is shorter than its side information")
    at, tables, weights = 0, [], []
    exponents: list[int] = []
    for _ in shapes.weights:
        exponent, table = _WEIGHT_SIDE.unpack_from(payload, at)
        at += _WEIGHT_SIDE.size
        exponents.append(exponent)
        tables.append(table)
        weights.append(0)
    for _ in range(shapes.embedding[0] if shapes.embedding else 0):
        exponent, weight, table = _CHANNEL_SIDE.unpack_from(payload, at)
        at += _CHANNEL_SIDE.size
        exponents.append(exponent)
        tables.append(table)
        weights.append(weight)
    if max(tables) >= GGD.size or max(weights) > 1 << PREDICTION_SHIFT:
        raise FormatError("a network's side information names a table or a prediction that does not exist")
    return _split(payload[at:], shapes, tables, exponents, weights)


def _split(
    segment: bytes, shapes: Shapes, tables: Sequence[int], exponents: list[int], weights: Sequence[int]
) -> CodedTensors:
    channel = shapes.embedding[1:] if shapes.embedding else ()
    lengths = [prod(shape) for shape in shapes.weights] + [prod(channel)] * (len(tables) - len(shapes.weights))
    symbols = decode_segment(segment, np.repeat(np.array(tables, np.uint16), lengths), GGD)
    parts = np.split(symbols, np.cumsum(lengths)[:-1])
    count = len(shapes.weights)
    tensors = [part.reshape(shape) for part, shape in zip(parts[:count], shapes.weights, strict=True)]
    if not shapes.embedding:
        return CodedTensors(tensors, exponents)
    channels = [_restore(part.reshape(channel), a) for part, a in zip(parts[count:], weights[count:], strict=True)]
    return CodedTensors(tensors, exponents[:count], np.stack(channels), tuple(exponents[count:]))
