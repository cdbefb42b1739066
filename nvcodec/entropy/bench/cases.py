"""Symbols to code: Gaussians of known scale, so that the fewest bits that any coder could take are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nvcodec.entropy.tables import GAUSSIAN, gaussian_index


@dataclass(frozen=True, eq=False)
class Case:
    """`values` (n,) int16, each from a Gaussian of scale `sigma` (n,) rounded, which is table `indices` (n,) uint8."""

    name: str
    values: NDArray[np.int16]
    indices: NDArray[np.uint8]
    sigma: NDArray[np.float64]

    def ideal_bits(self) -> float:
        """-sum log2 of the probabilities of the rounded Gaussians."""
        total = 0.0
        for first in range(0, len(self.values), 1 << 20):
            part = slice(first, first + (1 << 20))
            distance = torch.from_numpy(np.abs(self.values[part].astype(np.float64)))
            sigma = torch.from_numpy(self.sigma[part])
            above = torch.special.ndtr((0.5 - distance) / sigma) - torch.special.ndtr((-0.5 - distance) / sigma)
            total -= float(torch.log2(above).sum())
        return total

    def first(self, count: int) -> Case:
        return Case(self.name, self.values[:count], self.indices[:count], self.sigma[:count])


def _one_table(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.full(count, gaussian_index(4.0))


def _per_symbol(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return random.integers(0, GAUSSIAN.size, count)


def _latent_like(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.clip(np.rint(random.normal(12, 10, count)), 0, GAUSSIAN.size - 1).astype(np.int64)


CASES: dict[str, Callable[[int, np.random.Generator], NDArray[np.int64]]] = {
    "one_table": _one_table,  # sigma 4
    "per_symbol": _per_symbol,  # all 64 scales alike
    "latent_like": _latent_like,  # mostly small scales, as in the latents of an autoencoder
}


def make_case(name: str, count: int, seed: int = 1) -> Case:
    """One of CASES with `count` symbols."""
    random = np.random.default_rng(seed)
    indices = CASES[name](count, random)
    sigma = np.array([GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)])[indices]
    values = np.rint(random.normal(0, 1, count) * sigma).astype(np.int16)
    return Case(name, values, indices.astype(np.uint8), sigma)
