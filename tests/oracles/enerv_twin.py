"""The stem and the stages of enerv, from bitstream/FITTED.md: numpy, float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from tests.oracles.boost_twin import Block

Array = np.ndarray
Convolution = Callable[[Array, Array, Array], Array]
Fields = dict[str, int]
erf = np.vectorize(math.erf)


def attention_layers(f: Fields, heads: int) -> list[tuple[int, ...]]:
    d, inner = f["token width"], heads * f["head width"]
    return [(3 * inner, d), (d, inner), (f["feed width"], d), (d, f["feed width"])]


def stem_layers(f: Fields) -> list[tuple[int, ...]]:
    h, d = f["hidden width"], f["token width"]
    first = [(h, 2 * f["levels"]), (d, h), (d, 4 * f["levels of space"])]
    return [*first, *attention_layers(f, 1), *attention_layers(f, f["heads"]), (f["width"], d)]


def condition_layers(f: Fields, stages: list[Block]) -> list[tuple[int, ...]]:
    d = f["condition width"]
    return [(d, 2 * f["levels"]), (d, d), (2 * sum(s.c_in for s in stages), d)]


def between(f: Fields) -> int:
    """``g`` of the text."""
    return max(1, f["width"] // f["squeeze"])


def stage_layers(f: Fields, stages: list[Block]) -> list[tuple[int, ...]]:
    first, *others = stages
    g = between(f)
    out: list[tuple[int, ...]] = [(g * first.stride**2, first.c_in, 3, 3), (first.c_out, g, 3, 3)]
    return out + [(s.c_out * s.stride**2, s.c_in, 3, 3) for s in others]


def stem_cost(f: Fields, cells: int) -> tuple[int, int]:
    """Multiply-adds, values alive."""
    h, d, a, e = f["hidden width"], f["token width"], f["heads"], f["head width"]
    macs = h * (2 * f["levels"] + d) + 2 * cells * cells * e * (1 + a)
    macs += cells * d * (4 * f["levels of space"] + 4 * e * (1 + a) + 4 * f["feed width"] + f["width"] + 1)
    most = max(4 * a * e + 2 * a * cells, 2 * f["feed width"], 4 * f["levels of space"], 2 * f["width"])
    return macs, cells * (2 * d + most)


def cost(f: Fields, stages: list[Block], cells: int) -> tuple[int, list[int], int]:
    """Multiply-adds of condition and stages, their activations, cells after them."""
    told, g, alive = f["condition width"], between(f), []
    macs = told * (2 * f["levels"] + told + 2 * sum(s.c_in for s in stages))
    for number, s in enumerate(stages):
        grown = cells * s.stride**2
        made = g if number == 0 else s.c_out
        macs += cells * s.c_in * (1 + 9 * made * s.stride**2)
        macs += 9 * grown * g * s.c_out if number == 0 else 0
        alive.append(2 * cells * s.c_in + 2 * grown * (s.c_out + (g if number == 0 else 0)))
        cells = grown
    return macs, alive, cells


def norm(x: Array, axes: tuple[int, ...]) -> Array:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def transformer_block(z: Array, heads: int, e: int, weights: Iterator[Array]) -> Array:
    """Of tokens (cells, d)."""
    ask, asked, give, given, up, over, down, under = (next(weights) for _ in range(8))
    parts = norm(z, (1,)) @ ask.T + asked
    q, k, v = (parts[:, n * heads * e : (n + 1) * heads * e] for n in range(3))
    found = np.empty_like(q)
    for head in range(heads):
        own = slice(head * e, (head + 1) * e)
        for i in range(len(z)):
            r = [float(q[i, own] @ k[j, own]) / math.sqrt(e) for j in range(len(z))]
            p = np.array([math.exp(value - max(r)) for value in r])
            found[i, own] = sum(p[j] / p.sum() * v[j, own] for j in range(len(z)))
    y = z + found @ give.T + given
    opened = norm(y, (1,)) @ up.T + over
    return y + (opened / 2 * (1 + erf(opened / math.sqrt(2)))) @ down.T + under


def stem(
    f: Fields, grid: tuple[int, int], weights: list[Array], code: Array, place: Callable[[int, int, int], Array],
    phi: Callable[[Array], Array],
) -> Array:  # fmt: skip
    """``place(i, side, levels)`` is the code of coordinate i of a side."""
    rows, columns = grid
    w = iter(weights)
    u = phi(next(w) @ code + next(w))
    u = phi(next(w) @ u + next(w))
    levels = f["levels of space"]
    of_rows = [place(y, rows, levels) for y in range(rows)]
    of_columns = [place(x, columns, levels) for x in range(columns)]
    codes = np.array([np.concatenate([row, column]) for row in of_rows for column in of_columns])
    z = phi(codes @ next(w).T + next(w))
    z = transformer_block(z, 1, f["head width"], w) * u
    z = transformer_block(z, f["heads"], f["head width"], w)
    z = phi(z @ next(w).T + next(w))
    return np.array([[z[y * columns + x] for x in range(columns)] for y in range(rows)]).transpose(2, 0, 1)


def silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def run(
    f: Fields, stages: list[Block], x: Array, weights: list[Array], code: Array, convolution: Convolution,
    shuffle: Callable[[Array, int], Array],
) -> Array:  # fmt: skip
    """Condition and stages."""
    w = iter(weights)
    told = silu(next(w) @ code + next(w))
    told = silu(next(w) @ told + next(w))
    told = next(w) @ told + next(w)
    for number, s in enumerate(stages):
        scale, shift, told = told[: s.c_in], told[s.c_in : 2 * s.c_in], told[2 * s.c_in :]
        x = norm(x, (1, 2)) * (1 + scale[:, None, None]) + shift[:, None, None]
        x = shuffle(convolution(x, next(w), next(w)), s.stride)
        x = silu(convolution(x, next(w), next(w)) if number == 0 else x)
    return x
