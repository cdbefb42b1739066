"""Groups of trained codecs decoded a second time, from bitstream/TRAINED.md alone: numpy, pictures in float64.

Of the package it takes the entropy coder's Python twin and nothing else; the prior is :mod:`tests.oracles.prior_twin`.
What the text forbids is a ValueError here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nvcodec.entropy.chain import ChainDecoder
from nvcodec.entropy.segment import decode_segment
from nvcodec.entropy.tables import GGD
from tests.oracles.prior_twin import Twin, from_board, to_board

STEM, INTRA = 3, 4
LIMIT, SYMBOL_LIMIT, FIRST_TABLE = 131071, 8191, 335
TYPES = {"I8": "<i1", "U8": "<u1", "I32": "<i4", "F16": "<f2", "F32": "<f4"}
Arrays = dict[str, np.ndarray]
Pictures = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


class UnitLike(Protocol):
    """A row of the unit table."""

    first: int
    count: int
    references: tuple[int, ...]
    payload: bytes


@dataclass
class Group:
    """A decoded group."""

    z: list[np.ndarray]  # (hyper, hz, wz) a frame
    latents: list[np.ndarray]  # (384, h, w) a frame, in sixteenths
    symbol_hash: bytes
    pictures: Pictures  # float64, rounded and clipped


# weights: section 2


class Weights:
    """A file's tensors, sizes and id. Raises ValueError unless the id is the one that the file states."""

    def __init__(self, data: bytes) -> None:
        length = int.from_bytes(data[:8], "little")
        require(length <= 1 << 20 and 8 + length <= len(data) <= 1 << 26, "the head is too long")
        head = json.loads(data[8 : 8 + length])
        about, body = head.pop("__metadata__"), data[8 + length :]
        require(about["format"] == "nvcodec weights 1", "another format")
        self.arrays: Arrays = {name: self._tensor(entry, body) for name, entry in head.items()}
        self.sizes = json.loads(about["sizes"])
        self.id = self._id()
        require(self.id.hex() == about["id"], "the tensors have another id")

    @staticmethod
    def _tensor(entry: dict[str, Any], body: bytes) -> np.ndarray:
        begin, end = entry["data_offsets"]
        return np.frombuffer(body[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])

    def _id(self) -> bytes:
        digest = hashlib.sha256(canonical(self.sizes).encode())
        for name, array in sorted(self.arrays.items(), key=lambda pair: pair[0].encode()):
            if name.startswith(("prior.", "synthesis.", "context.")):
                digest.update(f"\n{name} {array.dtype.kind}{array.dtype.itemsize} ".encode())
                digest.update(",".join(str(n) for n in array.shape).encode() + b"\n" + array.tobytes())
        return digest.digest()[:8]

    def part(self, prefix: str) -> Arrays:
        return {name.removeprefix(prefix): a for name, a in self.arrays.items() if name.startswith(prefix)}


def canonical(value: Any) -> str:
    """JSON in the one form that the id is taken of."""
    if isinstance(value, dict):
        return "{" + ",".join(f'"{name}":{canonical(value[name])}' for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(one) for one in value) + "]"
    return str(value)


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


# units: sections 1 and 3


def decode_group(
    codec: int, config: bytes, units: Sequence[UnitLike], weights: Weights, width: int, height: int, bit_depth: int = 8
) -> Group:
    """Everything that a group's units say."""
    require(len(config) == 10 and config[:8] == weights.id, "a config of other weights")
    quality, skip = config[8:]
    require(quality < 64 and skip < 64, "a config out of range")
    size = (-(-height // 16), -(-width // 16))
    reader = UnitReader(weights, quality, skip, size)
    older: list[int | None] = []
    for number, unit in enumerate(units):
        require((unit.first, unit.count) == (number, 1), "units are no frames in order")
        require(len(unit.references) <= (codec == STEM), "too many references")
        last = unit.references[0] if unit.references else None
        older.append(last)
        before = [last, None if last is None else older[last]]
        reader.read(unit.payload, *(None if n is None else reader.latents[n] for n in before))
    synthesis = Synthesis(weights.part("synthesis."), quality)
    shown = [planes(synthesis.picture(y / 16), width, height, bit_depth) for y in reader.latents]
    return Group(reader.z, reader.latents, symbol_hash(reader.z, reader.latents), shown)


class UnitReader:
    """Units to integers, one after the other."""

    def __init__(self, weights: Weights, quality: int, skip: int, size: tuple[int, int]) -> None:
        self.prior = Twin(weights.part("prior."), quality)
        self.z_index = weights.arrays["prior.z_index"][:, quality]
        self.skip, self.size = skip, size
        self.z: list[np.ndarray] = []
        self.latents: list[np.ndarray] = []

    def read(self, payload: bytes, last: np.ndarray | None, older: np.ndarray | None) -> None:
        data = forms(payload)
        h, w = self.size
        z_index = self.z_index[0 if last is None else 1]
        shape = len(z_index), -(-h // 4), -(-w // 4)
        z = symbols(data, np.broadcast_to(z_index[:, None, None], shape), 0)
        seen_last, seen_older = (None if y is None else np.moveaxis(y, 0, -1) for y in (last, older))
        parts = (None, None) if last is None else steps(last)
        features = self.prior.features(np.moveaxis(z, 0, -1), seen_last, seen_older, h, w)
        step = self.prior.first(features, parts[0])
        known = self._latents(data, step[0], step[1])
        means, indices = self.prior.second(features, step, known, parts[1])
        others = self._latents(data, means, indices)
        if isinstance(data, ChainDecoder):
            data.finish()
        self.z.append(z)
        self.latents.append(whole(known, others))

    def _latents(self, data: list[bytes] | ChainDecoder, means: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """(h, w, 192) from a part in the order (192, h, w)."""
        values = np.moveaxis(symbols(data, np.moveaxis(indices, -1, 0), self.skip), 0, -1)
        return np.clip(16 * np.clip(values, -SYMBOL_LIMIT, SYMBOL_LIMIT) + means, -LIMIT, LIMIT)


def number(data: bytes, at: int) -> tuple[int, int]:
    """A uv, and where it ends."""
    value = 0
    for place in range(9):
        require(at < len(data), "a number is cut")
        byte = data[at]
        at, value = at + 1, value | (byte & 127) << 7 * place
        if byte < 128:
            require(byte > 0 or place == 0, "a number is not in its shortest form")
            return value, at
    raise ValueError("a number of more than nine bytes")


def forms(payload: bytes) -> list[bytes] | ChainDecoder:
    """What a payload is decoded from: three segments, or a chain."""
    require(len(payload) > 0 and payload[0] < 2, "no form of a payload")
    if payload[0] == 1:
        return ChainDecoder(payload[1:], GGD, backend="python")
    first, at = number(payload, 1)
    second, at = number(payload, at)
    require(at + first + second <= len(payload), "segments are longer than the payload")
    return [payload[at : at + first], payload[at + first : at + first + second], payload[at + first + second :]]


def symbols(data: list[bytes] | ChainDecoder, indices: np.ndarray, skip: int) -> np.ndarray:
    """The next part: int64 in the shape of ``indices``."""
    out, coded = np.zeros(indices.shape, np.int64), indices >= skip
    tables = FIRST_TABLE + indices[coded].astype(np.uint16)
    if isinstance(data, ChainDecoder):
        out[coded] = data.decode(tables)
    elif segment := data.pop(0):
        out[coded] = decode_segment(segment, tables, GGD, backend="python")
    return out


def steps(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The steps' (h, w, 192) of latents (384, h, w)."""
    board = np.zeros((2 * y.shape[1], 2 * y.shape[2], len(y) // 4), np.int64)
    for place in range(4):
        board[place // 2 :: 2, place % 2 :: 2] = np.moveaxis(y[place::4], 0, -1)
    return from_board(board, True), from_board(board, False)


def whole(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The inverse of :func:`steps`."""
    board = to_board(first, True)[0] + to_board(second, False)[0]
    out = np.zeros((4 * board.shape[2], *first.shape[:2]), np.int64)
    for place in range(4):
        out[place::4] = np.moveaxis(board[place // 2 :: 2, place % 2 :: 2], -1, 0)
    return out


def symbol_hash(z: list[np.ndarray], latents: list[np.ndarray]) -> bytes:
    digest = hashlib.blake2b(digest_size=8)
    for pair in zip(z, latents, strict=True):
        for array in pair:
            digest.update(array.size.to_bytes(8, "little") + array.astype("<i4").tobytes())
    return digest.digest()


# pictures: sections 6 and 7; arrays are (channels, rows, columns)


class Synthesis:
    def __init__(self, arrays: Arrays, quality: int) -> None:
        self.arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
        self.cell = min(quality // 9, 6)
        self.part = quality - 9 * self.cell

    def scale(self, name: str) -> np.ndarray:
        logs = self.arrays[name + ".logs"]
        mixed = ((9 - self.part) * logs[self.cell] + self.part * logs[self.cell + 1]) / 9
        return np.exp(mixed)[:, None, None]

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return np.tensordot(self.arrays[name + ".weight"], x, 1) + self.arrays[name + ".bias"][:, None, None]

    def depthwise(self, name: str, x: np.ndarray) -> np.ndarray:
        weight, padded = self.arrays[name + ".weight"], np.pad(x, ((0, 0), (1, 1), (1, 1)))
        out = np.zeros_like(x) + self.arrays[name + ".bias"][:, None, None]
        for i in range(3):
            for j in range(3):
                out += weight[:, 0, i, j][:, None, None] * padded[:, i : i + x.shape[1], j : j + x.shape[2]]
        return out

    def blocks(self, name: str, x: np.ndarray) -> np.ndarray:
        count = 0
        while f"{name}.{count}.mix.bias" in self.arrays:
            block = f"{name}.{count}."
            inner = self.linear(block + "expand", x)
            inner = self.depthwise(block + "depthwise", inner * hardsigmoid(inner))
            x = x + self.linear(block + "project", self.scale(block + "modulation") * inner)
            p = self.linear(block + "gate", x)
            x = x + self.linear(block + "mix", p[: len(x)] * hardsigmoid(p[len(x) :]))
            count += 1
        return x

    def picture(self, u: np.ndarray) -> np.ndarray:
        """Latents (384, h, w) in quantisation steps -> the 96 channels of samples, (96, 2h, 2w)."""
        look = self.scale("look")
        channels = np.zeros((len(u) // 4, 2 * u.shape[1], 2 * u.shape[2]))
        for place in range(4):
            channels[:, place // 2 :: 2, place % 2 :: 2] = u[place::4]
        x = self.blocks("coarse", self.linear("coarse_stem", np.repeat(look, 4, axis=0) * u))
        x = self.blocks("fine", enlarged(self.linear("up", x)) + self.linear("stem", look * channels))
        channels = channels + self.scale("unit") * self.linear("head", x)
        return np.tensordot(self.arrays["linear"], self.scale("step") * channels, 1)


def hardsigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(x + 3, 0, 6) / 6


def enlarged(x: np.ndarray) -> np.ndarray:
    quarter = len(x) // 4
    out = np.zeros((quarter, 2 * x.shape[1], 2 * x.shape[2]))
    for place in range(4):
        out[:, place // 2 :: 2, place % 2 :: 2] = x[place * quarter : (place + 1) * quarter]
    return out


def planes(v: np.ndarray, width: int, height: int, bit_depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    peak = 2**bit_depth - 1
    samples = np.clip(np.rint((v + 128) * (peak / 255)), 0, peak)
    y, u, v = (unpacked(samples[a:b], n) for a, b, n in ((0, 64, 8), (64, 80, 4), (80, 96, 4)))
    half = slice((height + 1) // 2), slice((width + 1) // 2)
    return y[:height, :width], u[half], v[half]


def unpacked(v: np.ndarray, factor: int) -> np.ndarray:
    out = np.zeros((factor * v.shape[1], factor * v.shape[2]))
    for place in range(factor * factor):
        out[place // factor :: factor, place % factor :: factor] = v[place]
    return out
