"""Coded parameters of a fitted network <-> bytes (bitstream/FITTED.md, section 3). Integers only, but for the steps.

A group may lean on the one before: its weights are then coded as differences to the decoded ones of that group, tensor
by tensor, and its embedding goes on from the last frame there.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nvcodec.codecs.prediction import WHOLE, residual_of, restored
from nvcodec.codecs.scale_search import ScaleSearch
from nvcodec.codecs.scales import Scales, check_word, read_scales, symbol_tables, write_offsets
from nvcodec.codecs.state import FittedState
from nvcodec.codecs.steps import step_size
from nvcodec.entropy.cost import code_length, table_costs
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.entropy.tables import GGD
from nvcodec.errors import DamagedError, FormatError

Ints = NDArray[np.int32]
_TABLE_WORD = struct.Struct("<H")
_WEIGHT_SIDE = struct.Struct("<BH")  # step exponent, table word
_CHANNEL_SIDE = struct.Struct("<BBH")  # step exponent, prediction weight, table word
_CHANNEL_AXES = 1  # a channel's frames may have scales


@dataclass
class CodedTensors:
    """Integers and steps of one network: ``weights[i]`` any shape, ``embedding`` (C, T, h, w) or None."""

    weights: list[Ints]
    weight_exponents: list[int]
    embedding: Ints | None = None
    embedding_exponents: tuple[int, ...] = ()
    previous: FittedState | None = None  # what the group leans on; then
    predictions: tuple[int, ...] = ()  # of each weight tensor from there, in eighths

    def encode(self, *, scaled: bool = True) -> tuple[bytes, float]:
        """As :func:`encode_tensors`."""
        return encode_tensors(self, scaled=scaled)

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

    def shown_weights(self, state: FittedState) -> Sequence[NDArray[np.float32]]:
        """What the network computes with; ``state`` is what :meth:`state` gave."""
        return state.weights

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


def _weight_axes(shape: tuple[int, ...]) -> int:
    """How many axes of a tensor may have scales: a bias has none."""
    return 2 if len(shape) > 1 else 0


def best_table(symbols: NDArray[np.integer]) -> tuple[float, int]:
    """(bits, index) of the shortest table of the weights' family."""
    costs = table_costs(symbols.reshape(-1), GGD)
    index = int(np.argmin(costs))
    return float(costs[index]), index


def _best_prediction(channel: Ints, before: Ints | None) -> tuple[int, int]:
    """(weight, table) of fewest bits; no prediction whose residual leaves 32 bits."""
    choices = []
    for weight in range(WHOLE + 1):
        residual = residual_of(channel, weight, before)
        if np.abs(residual.astype(np.int64)).max(initial=0) < 1 << 31 or weight == 0:
            choices.append((*best_table(residual), weight))
    _, table, weight = min(choices)
    return weight, table


def _before(tensors: CodedTensors, channel: int) -> Ints | None:
    """The last frame of an embedding's channel in the group before, in this one's steps."""
    previous = tensors.previous
    if previous is None or previous.embedding is None:
        return None
    exponents = previous.embedding_exponents[channel], tensors.embedding_exponents[channel]
    return rescaled(previous.embedding[channel], *exponents)


@dataclass(frozen=True)
class Stream:
    """What is coded of a tensor or a channel."""

    head: bytes  # side information before the table word
    symbols: NDArray[np.integer]
    table: int  # the best one for all of them
    axes: int  # that may have scales


def streams_of(tensors: CodedTensors) -> list[Stream]:
    """Of all weights and channels, in order."""
    out = []
    for number, (values, exponent) in enumerate(zip(tensors.weights, tensors.weight_exponents, strict=True)):
        head = (exponent,) if tensors.previous is None else (exponent, tensors.predictions[number])
        out.append(Stream(bytes(head), values, best_table(values)[1], _weight_axes(values.shape)))
    if tensors.embedding is not None:
        for number, (channel, exponent) in enumerate(zip(tensors.embedding, tensors.embedding_exponents, strict=True)):
            before = _before(tensors, number)
            weight, table = _best_prediction(channel, before)
            residual = residual_of(channel, weight, before)
            out.append(Stream(bytes((exponent, weight)), residual, table, _CHANNEL_AXES))
    return out


def write_streams(streams: Sequence[Stream], scales: Sequence[Scales]) -> tuple[bytes, float]:
    """The payload of such scales, one a stream, and its ideal bits."""
    side = b"".join(
        stream.head + _TABLE_WORD.pack(each.word) for stream, each in zip(streams, scales, strict=True)
    ) + write_offsets(scales)
    symbols = np.concatenate([stream.symbols.reshape(-1) for stream in streams]).astype(np.int32)
    indices = symbol_tables(scales, [stream.symbols.shape for stream in streams])
    return side + encode_segment(symbols, indices, GGD), code_length(symbols, indices, GGD) + 8 * len(side)


def encode_tensors(tensors: CodedTensors, *, scaled: bool = True) -> tuple[bytes, float]:
    """A unit's payload and the ideal bits of its symbols under the chosen tables.

    Not ``scaled``: faster, for trials; the payload is never shorter than with scales.
    """
    streams = streams_of(tensors)
    plain = write_streams(streams, [Scales(stream.table) for stream in streams])
    scales = [ScaleSearch(s.symbols, s.table).best(s.axes) for s in streams] if scaled else []
    if not any(each.offsets for each in scales):
        return plain
    return min(plain, write_streams(streams, scales), key=lambda coded: len(coded[0]))


@dataclass(frozen=True)
class _Side:
    """Side information of a tensor or a channel."""

    exponent: int
    prediction: int
    word: int  # table and scales


def _sides(payload: bytes, shapes: Shapes, leans: bool) -> list[_Side]:
    """Of all weights and then all channels. Raises :class:`FormatError` for what does not exist."""
    at, found = 0, []
    axes = [_weight_axes(shape) for shape in shapes.weights]
    axes += [_CHANNEL_AXES] * (shapes.embedding[0] if shapes.embedding else 0)
    for number, most in enumerate(axes):
        if number < len(shapes.weights) and not leans:
            exponent, word = _WEIGHT_SIDE.unpack_from(payload, at)
            found.append(_Side(exponent, 0, word))
            at += _WEIGHT_SIDE.size
        else:
            found.append(_Side(*_CHANNEL_SIDE.unpack_from(payload, at)))
            at += _CHANNEL_SIDE.size
        check_word(found[-1].word, most)
    if any(side.prediction > WHOLE for side in found):
        raise FormatError("a network's side information names a prediction that does not exist")
    return found


def decode_tensors(payload: bytes, shapes: Shapes, previous: FittedState | None = None) -> CodedTensors:
    """The inverse of :func:`encode_tensors`; ``previous`` is what the group leans on, of the same network.

    Raises :class:`FormatError` or :class:`DamagedError`.
    """
    leans, count = previous is not None, len(shapes.weights)
    if len(payload) < shapes.side_bytes(leans):
        raise DamagedError("a network's unit is shorter than its side information")
    sides = _sides(payload, shapes, leans)
    channel = shapes.embedding[1:] if shapes.embedding else ()
    all_shapes = [*shapes.weights, *[channel] * (len(sides) - count)]
    scales, at = read_scales(payload, shapes.side_bytes(leans), [side.word for side in sides], all_shapes)
    symbols = decode_segment(payload[at:], symbol_tables(scales, all_shapes), GGD)
    parts = np.split(symbols, np.cumsum([prod(shape) for shape in all_shapes])[:-1])
    weights, channels = sides[:count], sides[count:]
    out = CodedTensors(
        [part.reshape(shape) for part, shape in zip(parts, shapes.weights, strict=False)],
        [side.exponent for side in weights],
        embedding_exponents=tuple(side.exponent for side in channels),
        previous=previous,
        predictions=tuple(side.prediction for side in weights) if leans else (),
    )
    if shapes.embedding:
        out.embedding = np.stack([
            restored(part.reshape(channel), side.prediction, _before(out, number))
            for number, (part, side) in enumerate(zip(parts[count:], channels, strict=True))
        ])  # fmt: skip
    return out
