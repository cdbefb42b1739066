"""The blocks of hnerv-boost and nerv-boost, from bitstream/FITTED.md: numpy, float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Convolution = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Block:
    """``u``, ``v``, ``r`` and ``l`` of the text."""

    c_in: int
    c_out: int
    stride: int
    kernel: int


def blocks(stages: list[Block], single: int, stem: Block | None) -> list[Block]:
    out = [] if stem is None else [stem]
    for number, stage in enumerate(stages):
        out.append(stage)
        if number >= single:
            out.append(Block(stage.c_out, stage.c_out, 1, stage.kernel))
    return out


def condition_layers(made: list[Block], levels: int, width: int) -> list[tuple[int, int]]:
    total = sum(block.c_out for block in made)
    return [(2 * width, 2 * levels), (width, 2 * width), (4 * width * len(made), width), (4 * total, width)]


def block_layers(made: list[Block]) -> list[tuple[int, ...]]:
    out: list[tuple[int, ...]] = []
    for b in made:
        out += [(b.c_out * b.stride**2, b.c_in, b.kernel, b.kernel), (b.c_out, b.c_out, 3, 3), (b.c_out, b.c_out, 3, 3)]
    return out


def cost(made: list[Block], levels: int, width: int, cells: int) -> tuple[int, list[int], int]:
    """Multiply-adds of condition and blocks, their activations, cells after them."""
    total = sum(block.c_out for block in made)
    macs, alive = width * (4 * levels + 2 * width + 4 * width * len(made) + 4 * total), []
    for b in made:
        macs += cells * b.c_out * b.stride**2 * (b.c_in * b.kernel**2 + 18 * b.c_out)
        alive.append(cells * (b.c_in + 4 * b.c_out * b.stride**2))
        cells *= b.stride**2
    return macs, alive, cells


def scales(made: list[Block], weights: list[np.ndarray], code: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """``f`` of each block, (4, channels)."""
    x = np.sin(weights[0] @ code + weights[1])
    x = np.sin(weights[2] @ x + weights[3])
    e = np.maximum(weights[4] @ x + weights[5], 0)
    a, b, at = weights[6], weights[7], 0
    for j, block in enumerate(made):
        f = np.empty((4, block.c_out))
        for p in range(4):
            for c in range(block.c_out):
                o = at + p * block.c_out + c
                f[p, c] = b[o] + sum(a[o, k] * e[(4 * j + p) * width + k] for k in range(width))
        at += 4 * block.c_out
        yield f


def run(x: np.ndarray, f: np.ndarray, weights: list[np.ndarray], convolution: Convolution) -> np.ndarray:
    """What follows a block's shuffle."""
    x, f = np.sin(x), f[..., None, None]
    y = convolution(x * (1 + f[0]) + f[1], weights[0], weights[1])
    y = y / 2 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
    return x + convolution(y * (1 + f[2]) + f[3], weights[2], weights[3])
