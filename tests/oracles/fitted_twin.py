"""Groups of the fitted codecs decoded a second time, from bitstream/FITTED.md: numpy, pictures in float64.

Segments, whose text is CODER.md, are the package's twin in Python. What the text forbids is a ValueError here.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from nvcodec.entropy.segment import decode_segment
from nvcodec.entropy.tables import GGD
from tests.oracles import boost_twin, enerv_twin, nervpp_twin
from tests.oracles.fitted_network_twin import Network, require
from tests.oracles.scales_twin import symbol_tables

MANTISSAS = (
    8388608, 8760003, 9147842, 9552851, 9975792, 10417458, 10878679, 11360319,
    11863283, 12388516, 12937002, 13509772, 14107901, 14732511, 15384775, 16065917,
)  # fmt: skip
erf = np.vectorize(math.erf)
Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


def step(exponent: int) -> float:
    return MANTISSAS[exponent % 16] * 2.0 ** (exponent // 16 - 36)


# section 3


@dataclass
class Group:
    """A group's integers and values."""

    network: Network
    config: bytes
    frames: int
    exponents: list[int]
    values: list[np.ndarray]  # float32, of the weights
    channel_exponents: list[int]
    embedding: np.ndarray | None  # (C, T, rows, columns) int64
    symbol_hash: bytes


def decode_group(
    codec_id: int, config: bytes, payload: bytes, width: int, height: int, frames: int, before: Group | None = None
) -> Group:
    """``before`` is the group that this one leans on."""
    network = Network(codec_id, config, width, height)
    require(before is None or (before.network.name, before.config) == (network.name, config), "another network")
    shapes, channels = network.tensors(), network.fields.get("latents", 0)
    sides, at = [], 0
    for number in range(len(shapes) + channels):
        short = number < len(shapes) and before is None
        part = payload[at : at + (3 if short else 4)]
        require(len(part) == (3 if short else 4), "side information ends early")
        sides.append((part[0], 0 if short else part[1], int.from_bytes(part[-2:], "little")))
        at += len(part)
        require(sides[-1][1] <= 8, "no such prediction")
    shapes = [*shapes, *[(frames, *network.grid)] * channels]
    words = [side[2] for side in sides]
    tables, at = symbol_tables(payload, at, words, shapes, channels)
    symbols = decode_segment(payload[at:], tables, GGD, backend="python").astype(np.int64)
    arrays = []
    for shape in shapes:
        arrays.append(symbols[: math.prod(shape)].reshape(shape))
        symbols = symbols[math.prod(shape) :]
    count = len(shapes) - channels
    embedding = None
    if channels:
        embedding = np.stack([_restored(arrays[count + c], c, sides[count + c], before) for c in range(channels)])
    weights, weight_sides = arrays[:count], sides[:count]
    first = [side[0] for side in sides]
    if before is not None:
        first += [side[1] for side in weight_sides]
        halves = before.symbol_hash[:4], before.symbol_hash[4:]
        first += [int.from_bytes(half, "little", signed=True) for half in halves]
    digest = hashlib.blake2b(digest_size=8)
    for array in [np.array(first), *weights, *([] if embedding is None else [embedding])]:
        digest.update(array.size.to_bytes(8, "little") + array.astype("<i4").tobytes())
    values = []
    for number, (q, (exponent, prediction, _)) in enumerate(zip(weights, weight_sides, strict=True)):
        value = (q.astype(np.float32).astype(np.float64) * step(exponent)).astype(np.float32)
        if before is not None:
            part = (before.values[number].astype(np.float64) * (prediction / 8)).astype(np.float32)
            value = (part.astype(np.float64) + value).astype(np.float32)
        values.append(value)
    exponents = [side[0] for side in sides]
    return Group(
        network, config, frames, exponents[:count], values, exponents[count:], embedding, digest.digest()
    )  # fmt: skip


def _restored(residual: np.ndarray, channel: int, side: tuple[int, int, int], before: Group | None) -> np.ndarray:
    exponent, prediction, _ = side
    if prediction == 0:
        return residual
    last = np.zeros(residual.shape[1:], np.int64)
    if before is not None and before.embedding is not None:
        scaled = before.embedding[channel, -1].astype(np.float64) * step(before.channel_exponents[channel])
        last = np.clip(np.rint(scaled / step(exponent)), -(2.0**30), 2.0**30).astype(np.int64)
    out = []
    for row in residual:
        last = row + ((prediction * last + 4) >> 3)
        require(bool((abs(last) < 2**31).all()), "the embedding leaves its range")
        out.append(last)
    return np.stack(out)


# sections 4 and 5


def convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    k = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    out = np.zeros((len(weight), *x.shape[1:])) + bias[:, None, None]
    for i in range(k):
        for j in range(k):
            out += np.einsum("oc,cyx->oyx", weight[:, :, i, j], padded[:, i : i + x.shape[1], j : j + x.shape[2]])
    return out


def shuffle(x: np.ndarray, s: int) -> np.ndarray:
    out = np.empty((len(x) // (s * s), s * x.shape[1], s * x.shape[2]))
    for i in range(s):
        for j in range(s):
            out[:, i::s, j::s] = x[s * i + j :: s * s]
    return out


def gelu(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + erf(x / math.sqrt(2)))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def waves(value: float, levels: int) -> list[float]:
    angles = [math.pi * 2.0**level * value for level in range(levels)]
    return [float(np.float32(f(a))) for f in (math.sin, math.cos) for a in angles]


def _coded(at: int, side: int, base: int, levels: int) -> np.ndarray:
    """Of frame ``at`` of so many, or of a row or column."""
    tau = float(np.float32(at / side))
    angles = [math.pi * tau * (base / 100) ** level for level in range(levels)]
    return np.array([np.float32(g(a)) for a in angles for g in (math.sin, math.cos)], np.float64)


def _code(group: Group, t: int) -> np.ndarray:
    """Of the frame's time."""
    return _coded(t, group.frames, group.network.fields["base"], group.network.fields["levels"])


def _stem(group: Group, weights: list[np.ndarray], t: int) -> np.ndarray:
    network, f = group.network, group.network.fields
    tau = float(np.float32(t / group.frames))
    if network.name == "nervpp":
        passed, gate = np.split(weights[0] @ _code(group, t) + weights[1], 2)
        return (weights[2] @ (passed * gelu(gate)) + weights[3]).reshape(-1, *network.grid)
    if network.tokens:
        phi = np.sin if network.boosted else silu

        def place(at: int, side: int, levels: int) -> np.ndarray:
            return _coded(at, side, f["base"], levels)

        return enerv_twin.stem(f, network.grid, weights, _code(group, t), place, phi)
    if network.like_nerv:
        activation = np.sin if network.boosted else silu
        hidden = activation(weights[0] @ _code(group, t) + weights[1])
        return activation(weights[2] @ hidden + weights[3]).reshape(-1, *network.grid)
    steps = np.array([step(e) for e in group.channel_exponents])[:, None, None]
    assert group.embedding is not None
    embedding = group.embedding[:, t] * steps
    if network.name == "hnerv-boost":
        return embedding
    if network.name == "hnerv":
        return gelu(convolution(embedding, weights[0], weights[1]))
    (rows, columns), d, m = network.grid, f["cell"], f["octaves of space"]
    out = np.empty((f["width"], d * rows, d * columns))
    for y in range(rows):
        for x in range(columns):
            place = waves((2 * y + 1 - rows) / rows, m) + waves((2 * x + 1 - columns) / columns, m)
            inputs = np.array([*place, *waves(tau, f["octaves of time"]), *embedding[:, y, x]])
            hidden = np.sin(weights[0] @ inputs + weights[1])
            patch = weights[4] @ np.sin(weights[2] @ hidden + weights[3]) + weights[5]
            for i in range(d):
                for j in range(d):
                    for c in range(f["width"]):
                        out[c, d * y + i, d * x + j] = patch[(i * d + j) * f["width"] + c]
    return out


def _features(group: Group, weights: list[np.ndarray], t: int) -> np.ndarray:
    """What the head takes."""
    network, stages = group.network, group.network.stages()
    if network.boosted:
        condition, weights = weights[:8], weights[8:]
        told = boost_twin.scales(stages, condition, _code(group, t), network.fields["condition width"])
    x, activation = _stem(group, weights, t), silu if network.name == "nerv" else gelu
    weights = weights[
        {"nerv": 4, "hnerv": 2, "nirvana": 6, "hnerv-boost": 0, "nerv-boost": 4, "nervpp": 4}.get(network.name, 24) :
    ]
    if network.name == "enerv":
        return enerv_twin.run(network.fields, stages, x, weights, _code(group, t), convolution, shuffle)
    for stage in stages:
        if network.name == "nervpp":
            x, weights = nervpp_twin.run(x, stage, weights[:16], convolution, shuffle), weights[16:]
            continue
        x = shuffle(convolution(x, weights[0], weights[1]), stage.stride)
        if network.boosted:
            x, weights = boost_twin.run(x, next(told), weights[2:6], convolution), weights[6:]
        else:
            x, weights = activation(x), weights[2:]
    return x


def picture(group: Group, t: int, width: int, height: int, bit_depth: int) -> Planes:
    """Frame ``t``, in float64."""
    network, weights = group.network, [value.astype(np.float64) for value in group.values]
    x = _features(group, weights, t)
    v = np.tanh(convolution(x, weights[-2], weights[-1])) / 2 + 0.5
    samples = np.rint(v * (2**bit_depth - 1))[:, : network.rows, : network.columns]
    luma = np.empty((2 * network.rows, 2 * network.columns))
    for i in (0, 1):
        for j in (0, 1):
            luma[i::2, j::2] = samples[2 * i + j]
    return luma[:height, :width], samples[4], samples[5]
