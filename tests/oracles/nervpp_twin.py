"""The stages of nervpp, from bitstream/FITTED.md: numpy, float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.oracles.boost_twin import Block

Convolution = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
erf = np.vectorize(math.erf)


def layers(stage: Block) -> list[tuple[int, ...]]:
    c, g, k = stage.c_out, 8 * stage.c_out // 3, stage.kernel
    return [
        (c * stage.stride**2, c, k, k), (c, stage.c_in, 1, 1), (2 * g, c, 1, 1), (c, 1, 5, 5), (c, g, 1, 1),
        (c, 1, 3, 3), (c, c, 1, 1), (c, c, 1, 1),
    ]  # fmt: skip


def cost(stage: Block, cells: int) -> tuple[int, list[int]]:
    """Multiply-adds and activations."""
    c, g, area = stage.c_out, 8 * stage.c_out // 3, stage.stride**2
    macs = cells * c * (stage.c_in + 3 * g + 25 + area * (11 * c + 13))
    return macs, [cells * (stage.c_in + 2 * c + 6 * g), cells * (stage.c_in + c + 4 * c * area)]


def depthwise(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, convolution: Convolution) -> np.ndarray:
    return np.concatenate([convolution(x[c : c + 1], weight[c : c + 1], bias[c : c + 1]) for c in range(len(x))])


def enlarged(x: np.ndarray, s: int) -> np.ndarray:
    for axis in (1, 2):
        size = x.shape[axis]
        at = [max(0.0, (i + 0.5) / s - 0.5) for i in range(s * size)]
        low = [math.floor(a) for a in at]
        high = [min(i + 1, size - 1) for i in low]
        share = np.array([a - i for a, i in zip(at, low, strict=True)]).reshape((-1, 1) if axis == 1 else (1, -1))
        x = x.take(low, axis) * (1 - share) + x.take(high, axis) * share
    return x


def gelu(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + erf(x / math.sqrt(2)))


def run(
    x: np.ndarray, stage: Block, weights: list[np.ndarray], convolution: Convolution,
    shuffle: Callable[[np.ndarray, int], np.ndarray],
) -> np.ndarray:  # fmt: skip
    c, g = stage.c_out, 8 * stage.c_out // 3
    around = convolution(x, weights[2], weights[3])
    opened = convolution(around, weights[4], weights[5])
    moved = depthwise(opened[2 * g - c :], weights[6], weights[7], convolution)
    product = gelu(opened[:g]) * np.concatenate([opened[g : 2 * g - c], moved])
    y = around + convolution(product, weights[8], weights[9])
    y = shuffle(convolution(y, weights[0], weights[1]), stage.stride)
    y = y / (1 + np.exp(-y))
    fed = gelu(convolution(depthwise(y, weights[10], weights[11], convolution), weights[12], weights[13]))
    return y + convolution(fed, weights[14], weights[15]) + enlarged(around, stage.stride)
