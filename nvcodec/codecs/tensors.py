"""Coded parameters of a fitted network <-> bytes (bitstream/FITTED.md, section 3). Integers only, but for the steps.

A group may lean on the one before: its weights are then coded as differences to the decoded ones of that group, tensor
by tensor, and its embedding goes on from the last frame there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nvcodec.codecs.state import FittedState
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
WHOLE = 1 << PREDICTION_SHIFT  # the prediction weight that takes all of what was before


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
    previous: FittedState | None = None  # what the group leans on; then
    predictions: tuple[int, ...] = ()  # of each weight tensor from there, in eighths

    def hash(self) -> bytes:
        """8 bytes over all step exponents and symbols; equal on every machine or the stream is damaged.

        Of a group that leans on another, over that one's hash, too.
        """
        numbers = [*self.weight_exponents, *self.embedding_exponents]
        if self.previous is not None:
            numbers += [*self.predictions, *np.frombuffer(self.previous.symbol_hash, "<i4").tolist()]
        arrays: list[Ints] = [np.array(numbers, np.int32), *self.weights]
        return symbol_hash(arrays if self.embedding is None else [*arrays, self.embedding])

    def weight_values(self) -> list[NDArray[np.float32]]:
        """What the network computes with: integers times steps, and what was predicted of them."""
        values = [q.astype(np.float32) * step_size(e) for q, e in zip(self.weights, self.weight_exponents, strict=True)]
        if self.previous is not None:
            for value, base, prediction in zip(values, self.previous.weights, self.predictions, strict=True):
                value += base * np.float32(prediction / WHOLE)
        return values

    def state(self, codec_id: int, config: bytes) -> FittedState:
        """For a group that leans on this one."""
        last = None if self.embedding is None else self.embedding[:, -1].copy()  # not a view, which would hold it all
        exponents = tuple(self.weight_exponents), self.embedding_exponents
        return FittedState(codec_id, config, self.hash(), tuple(self.weight_values()), *exponents, last)

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

    def side_bytes(self, leans: bool = False) -> int:
        channels = self.embedding[0] if self.embedding else 0
        weight = _CHANNEL_SIDE if leans else _WEIGHT_SIDE
        return weight.size * len(self.weights) + _CHANNEL_SIDE.size * channels


def rescaled(before: Ints, exponent: int, to: int) -> Ints:
    """Integers of step ``exponent`` in steps of ``to``: float64, then rounded to nearest."""
    values = before.astype(np.float64) * np.float64(step_size(exponent)) / np.float64(step_size(to))
    return np.clip(np.rint(values), -(2**30), 2**30).astype(np.int32)


def _weighted(frames: NDArray[np.integer], weight: int) -> NDArray[np.int64]:
    """Arithmetic shift, half rounded up."""
    shifted: NDArray[np.int64] = (frames.astype(np.int64) * weight + (WHOLE >> 1)) >> PREDICTION_SHIFT
    return shifted


def _residual(channel: Ints, weight: int, before: Ints | None = None) -> NDArray[np.integer]:
    """(T, h, w) minus the weighted previous frame; that of frame 0 is ``before``, if there is one."""
    if weight == 0:
        return channel
    first = np.zeros_like(channel[:1]) if before is None else before[None]
    return channel - _weighted(np.concatenate([first, channel[:-1]]), weight)


def _restore(residual: NDArray[np.integer], weight: int, before: Ints | None = None) -> Ints:
    """The inverse of :func:`_residual`. Raises :class:`DamagedError` beyond 32 bits, where only damage leads."""
    if weight == 0:
        return residual.astype(np.int32, copy=False)
    out = residual.astype(np.int64)
    if before is not None:
        out[0] += _weighted(before, weight)
    for t in range(1, len(out)):
        out[t] += _weighted(out[t - 1], weight)
    if np.abs(out).max(initial=0) >= 1 << 31:
        raise DamagedError("the embedding leaves the range of 32-bit integers")
    return out.astype(np.int32)


def _best_table(symbols: NDArray[np.integer]) -> tuple[float, int]:
    costs = table_costs(symbols.reshape(-1), GGD)
    index = int(np.argmin(costs))
    return float(costs[index]), index


def _best_prediction(channel: Ints, before: Ints | None) -> tuple[int, int]:
    """(weight, table) of fewest bits; no prediction whose residual leaves 32 bits."""
    choices = []
    for weight in range(WHOLE + 1):
        residual = _residual(channel, weight, before)
        if np.abs(residual.astype(np.int64)).max(initial=0) < 1 << 31 or weight == 0:
            choices.append((*_best_table(residual), weight))
    _, table, weight = min(choices)
    return weight, table


def _before(tensors: CodedTensors, channel: int) -> Ints | None:
    """The last frame of an embedding's channel in the group before, in this one's steps."""
    previous = tensors.previous
    if previous is None or previous.embedding is None:
        return None
    exponents = previous.embedding_exponents[channel], tensors.embedding_exponents[channel]
    return rescaled(previous.embedding[channel], *exponents)


def encode_tensors(tensors: CodedTensors) -> tuple[bytes, float]:
    """A unit's payload and the ideal bits of its symbols under the chosen tables."""
    side, tables = bytearray(), []
    streams: list[NDArray[np.integer]] = []
    for number, (values, exponent) in enumerate(zip(tensors.weights, tensors.weight_exponents, strict=True)):
        table = _best_table(values)[1]
        if tensors.previous is None:
            side += _WEIGHT_SIDE.pack(exponent, table)
        else:
            side += _CHANNEL_SIDE.pack(exponent, tensors.predictions[number], table)
        streams.append(values.reshape(-1))
        tables.append(table)
    if tensors.embedding is not None:
        for number, (channel, exponent) in enumerate(zip(tensors.embedding, tensors.embedding_exponents, strict=True)):
            before = _before(tensors, number)
            weight, table = _best_prediction(channel, before)
            side += _CHANNEL_SIDE.pack(exponent, weight, table)
            streams.append(_residual(channel, weight, before).reshape(-1))
            tables.append(table)
    symbols = np.concatenate(streams).astype(np.int32)
    indices = np.repeat(np.array(tables, np.uint16), [len(stream) for stream in streams])
    bits = code_length(symbols, indices, GGD) + 8 * len(side)
    return bytes(side) + encode_segment(symbols, indices, GGD), bits


@dataclass(frozen=True)
class _Side:
    """Side information of a tensor or a channel."""

    exponent: int
    prediction: int
    table: int


def _sides(payload: bytes, shapes: Shapes, leans: bool) -> tuple[list[_Side], list[_Side]]:
    """Of all weights and all channels. Raises :class:`FormatError` for what does not exist."""
    at, found = 0, []
    channels = shapes.embedding[0] if shapes.embedding else 0
    for number in range(len(shapes.weights) + channels):
        if number < len(shapes.weights) and not leans:
            exponent, table = _WEIGHT_SIDE.unpack_from(payload, at)
            found.append(_Side(exponent, 0, table))
            at += _WEIGHT_SIDE.size
        else:
            found.append(_Side(*_CHANNEL_SIDE.unpack_from(payload, at)))
            at += _CHANNEL_SIDE.size
    if any(side.table >= GGD.size or side.prediction > WHOLE for side in found):
        raise FormatError("a network's side information names a table or a prediction that does not exist")
    return found[: len(shapes.weights)], found[len(shapes.weights) :]


def decode_tensors(payload: bytes, shapes: Shapes, previous: FittedState | None = None) -> CodedTensors:
    """The inverse of :func:`encode_tensors`; ``previous`` is what the group leans on, of the same network.

    Raises :class:`FormatError` or :class:`DamagedError`.
    """
    leans = previous is not None
    if len(payload) < shapes.side_bytes(leans):
        raise DamagedError("a network's unit is shorter than its side information")
    weights, channels = _sides(payload, shapes, leans)
    channel = shapes.embedding[1:] if shapes.embedding else ()
    lengths = [prod(shape) for shape in shapes.weights] + [prod(channel)] * len(channels)
    tables = np.array([side.table for side in (*weights, *channels)], np.uint16)
    symbols = decode_segment(payload[shapes.side_bytes(leans) :], np.repeat(tables, lengths), GGD)
    parts = np.split(symbols, np.cumsum(lengths)[:-1])
    out = CodedTensors(
        [part.reshape(shape) for part, shape in zip(parts, shapes.weights, strict=False)],
        [side.exponent for side in weights],
        embedding_exponents=tuple(side.exponent for side in channels),
        previous=previous,
        predictions=tuple(side.prediction for side in weights) if leans else (),
    )
    if shapes.embedding:
        out.embedding = np.stack([
            _restore(part.reshape(channel), side.prediction, _before(out, number))
            for number, (part, side) in enumerate(zip(parts[len(weights) :], channels, strict=True))
        ])  # fmt: skip
    return out
