"""Groups of pfnr decoded a second time, from bitstream/PFNR.md: numpy, pictures in float64, the operator by plain sums.

Segments and explicit tables, whose text is CODER.md, are the package's twins in Python. What the text forbids is a
ValueError here.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from nvcodec.entropy.histogram import read_table
from nvcodec.entropy.segment import decode_segment
from nvcodec.entropy.tables import GGD
from tests.oracles import fitted_twin as base
from tests.oracles.fitted_twin import require

FIELDS = [
    ("grid rows", 1, 1024), ("grid columns", 1, 1024), ("width", 1, 8192), ("least width", 1, 8192),
    ("expansion", 1, 16), ("hidden width", 1, 8192), ("base", 100, 400), ("levels", 1, 128),
    ("fourier", 0, 7), ("modes", 0, 16),
]  # fmt: skip


class Network:
    def __init__(self, config: bytes, width: int, height: int) -> None:
        self.config, self._left = config, list(config)
        self.strides = [self._number(1, 16) for _ in range(self._number(1, 8))]
        self.f = {name: self._number(low, high) for name, low, high in FIELDS}
        require(not self._left, "config goes on")
        self.rows, self.columns = (height + 1) // 2, (width + 1) // 2
        scale = math.prod(self.strides)
        self.grid = self.f["grid rows"], self.f["grid columns"]
        require(self.grid[0] * scale >= self.rows and self.grid[1] * scale >= self.columns, "too small")
        require(self.f["fourier"] < len(self.strides), "no such stage")

    def _number(self, low: int, high: int) -> int:
        value = 0
        for place in range(4):
            require(bool(self._left), "config ends early")
            byte = self._left.pop(0)
            value |= (byte & 127) << 7 * place
            if byte < 128:
                require((byte > 0 or place == 0) and low <= value <= high, "out of range")
                return value
        raise ValueError("more than four bytes")

    def widths(self) -> list[int]:
        out = [self.f["width"], self.f["width"] * self.f["expansion"]]
        for s in self.strides[1:]:
            out.append(max(out[-1] // 2, self.f["least width"]) if s > 1 else out[-1])
        return out

    def tensors(self) -> list[tuple[tuple[int, ...], bool]]:
        """(shape, shared) of each."""
        w, h, modes = self.widths(), self.f["hidden width"], self.f["modes"]
        features = math.prod(self.grid) * w[0]
        out: list[tuple[tuple[int, ...], bool]] = [
            ((h, 2 * self.f["levels"]), True), ((h,), False), ((features, h), True), ((features,), False),
        ]  # fmt: skip
        for i, s in enumerate(self.strides):
            out += [((w[i + 1] * s * s, w[i], 3, 3), True), ((w[i + 1] * s * s,), False)]
            if modes and i == self.f["fourier"]:
                out += [((w[i + 1], w[i], 2 * modes - 1, modes), True)] * 2
        return [*out, ((6, w[-1], 1, 1), False), ((6,), False)]

    def cost(self) -> tuple[int, int, int]:
        """Parameters, multiply-adds of a picture, activation bytes."""
        w, f = self.widths(), self.f
        area, m, u = math.prod(self.grid), f["modes"], 2 * f["modes"] - 1
        macs, most = f["hidden width"] * (2 * f["levels"] + area * w[0]), []
        (r, c) = self.grid
        for i, s in enumerate(self.strides):
            macs += 9 * area * w[i] * w[i + 1] * s * s
            alive = area * (w[i] + 2 * w[i + 1] * s * s)
            if m and i == f["fourier"]:
                macs += 2 * w[i] * m * r * (c + 2 * u) + 4 * w[i] * w[i + 1] * u * m
                macs += 2 * w[i + 1] * u * c * s * (2 * m + r * s)
                alive += 2 * w[i] * r * m + w[i + 1] * c * s * (2 * u + r * s)
            most.append(alive)
            area, r, c = area * s * s, r * s, c * s
        parameters = sum(math.prod(shape) for shape, _ in self.tensors())
        return parameters, macs + 6 * area * w[-1], 4 * max(*most, area * (w[-1] + 12))


@dataclass
class Group:
    network: Network
    frames: int
    values: list[np.ndarray]  # float32, what the network computes with
    left: list[np.ndarray | None]  # what is set of shared tensors
    symbol_hash: bytes


def _mask(payload: bytes, at: int, count: int) -> tuple[np.ndarray, int]:
    if count == 0:
        return np.zeros(0, bool), at
    family, used = read_table(payload[at:])
    at, length, place = at + used, 0, 0
    while True:
        require(at < len(payload) and place < 4, "the length ends early")
        byte, at = payload[at], at + 1
        length |= (byte & 127) << 7 * place
        require(byte > 0, "not the shortest form")
        if byte < 128:
            break
        place += 1
    require(at + length <= len(payload), "ends within a mask")
    symbols = decode_segment(payload[at : at + length], np.zeros(count, np.uint16), family, backend="python")
    require(all(int(symbol) in (0, -1) for symbol in symbols), "no flag")
    return symbols == -1, at + length


def decode_group(config: bytes, payload: bytes, width: int, height: int, frames: int, before: Group | None) -> Group:
    network = Network(config, width, height)
    require(before is None or before.network.config == config, "another network")
    tensors, sides, at = network.tensors(), [], 0
    for _, shared in tensors:
        part = payload[at : at + (4 if shared else 3)]
        require(len(part) == (4 if shared else 3), "side information ends early")
        sides.append((part[0], part[1] if shared else 0, int.from_bytes(part[-2:], "little")))
        require(sides[-1][2] < 960, "no such table")
        at += len(part)
    was = [np.zeros(shape, np.float32) for shape, _ in tensors]
    if before is not None:
        was = [values if left is None else left for values, left in zip(was, before.left, strict=True)]
    is_set = [(values != 0).ravel() & shared for values, (_, shared) in zip(was, tensors, strict=True)]
    free = [~flags & shared for flags, (_, shared) in zip(is_set, tensors, strict=True)]
    used, at = _mask(payload, at, sum(int(flags.sum()) for flags in is_set))
    taken, at = _mask(payload, at, sum(int(flags.sum()) for flags in free))
    arrays = [np.zeros(math.prod(shape), np.int64) for shape, _ in tensors]
    numbers, tables = [], []
    for number, (_, shared) in enumerate(tensors):
        places = np.arange(len(arrays[number]))
        if shared:
            mine, used = used[: is_set[number].sum()], used[is_set[number].sum() :]
            arrays[number][is_set[number]] = mine
            mine, taken = taken[: free[number].sum()], taken[free[number].sum() :]
            places = places[free[number]][mine]
        numbers.append(places)
        tables += [sides[number][2]] * len(places)
    symbols = decode_segment(payload[at:], np.array(tables, np.uint16), GGD, backend="python").tolist()
    for number, (_, shared) in enumerate(tensors):
        for place in numbers[number]:
            v, gap = symbols.pop(0), sides[number][1]
            q = v if not shared else v + gap + 1 if v >= 0 else v - gap
            require(abs(q) < 2**31 or not shared, "out of range")
            arrays[number][place] = q
    first = [side[0] for side in sides]
    if before is not None:
        halves = before.symbol_hash[:4], before.symbol_hash[4:]
        first += [int.from_bytes(half, "little", signed=True) for half in halves]
    digest = hashlib.blake2b(digest_size=8)
    for array in [np.array(first), *arrays]:
        digest.update(array.size.to_bytes(8, "little") + array.astype("<i4").tobytes())
    values, left = [], []
    for number, (shape, shared) in enumerate(tensors):
        q = arrays[number].reshape(shape)
        value = (q.astype(np.float32).astype(np.float64) * base.step(sides[number][0])).astype(np.float32)
        known = is_set[number].reshape(shape)
        values.append(np.where(known, np.where(q == 1, was[number], np.float32(0)), value))
        left.append(np.where(known, was[number], value) if shared else None)
    return Group(network, frames, values, left, digest.digest())


def _operator(x: np.ndarray, real: np.ndarray, imaginary: np.ndarray, s: int, modes: int) -> np.ndarray:
    r, c = x.shape[1:]
    out = np.zeros((len(real), r * s, c * s))
    for k in range(1 - modes, modes):
        for j in range(modes):
            wave = np.exp(-2j * np.pi * (k * np.arange(r)[:, None] / r + j * np.arange(c) / c))
            y = (real + 1j * imaginary)[:, :, k + modes - 1, j] @ ((x * wave).sum((1, 2)) / (r * c))
            high, wide = np.arange(r * s)[:, None] / (r * s), np.arange(c * s) / (c * s)
            out += (y[:, None, None] * np.exp(2j * np.pi * (k * high + j * wide))).real
    return out


def picture(group: Group, t: int) -> np.ndarray:
    """(6, rows, columns) in [0, 1]."""
    network, f = group.network, group.network.f
    weights = [value.astype(np.float64) for value in group.values]
    tau = float(np.float32(t / group.frames))
    angles = [math.pi * tau * (f["base"] / 100) ** level for level in range(f["levels"])]
    code = np.array([np.float32(g(a)) for a in angles for g in (math.sin, math.cos)], np.float64)
    x = base.silu(weights[0] @ code + weights[1])
    x = base.silu(weights[2] @ x + weights[3]).reshape(-1, *network.grid)
    at = 4
    for i, s in enumerate(network.strides):
        y, at = base.shuffle(base.convolution(x, weights[at], weights[at + 1]), s), at + 2
        if f["modes"] and i == f["fourier"]:
            y, at = y + _operator(x, weights[at], weights[at + 1], s, f["modes"]), at + 2
        x = base.silu(y)
    out = np.tanh(base.convolution(x, weights[at], weights[at + 1])) / 2 + 0.5
    return out[:, : network.rows, : network.columns]
