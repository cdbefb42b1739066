"""The integer tables: their hash, their definition worked a second way, and how near they are to the true densities."""

from __future__ import annotations

import struct
from math import gamma
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import nvcodec.entropy.tables as tables_module
from nvcodec.entropy.tables import (
    GAUSSIAN,
    GGD,
    GGD_SCALES,
    SHAPES,
    TABLES_SHA256,
    TableFamily,
    Tables,
    base_tables,
    gaussian_index,
    ggd_index,
    ggd_parameters,
)

FAMILIES = [GAUSSIAN, GGD]


def upper_tail(shape: float, x: np.ndarray) -> np.ndarray:
    """P(X > x) of a generalised Gaussian of unit variance, in floats."""
    a = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    tail = special.gammaincc(1 / shape, (np.abs(x) / a) ** shape) / 2
    return np.where(x >= 0, tail, 1 - tail)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_published_hash(family: TableFamily) -> None:
    assert family.tables.sha256() == TABLES_SHA256[family.name]
    assert family.tables.size == family.size


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_table_sums_and_has_no_zero(family: TableFamily) -> None:
    for index in range(family.size):
        row = family.tables.frequencies(index)
        assert row.sum() == 1 << 14 and row.min() >= 1 and 4 <= len(row) <= 256
        assert family.tables.escapes[index] == len(row) - 1


def test_base_tables_are_the_densities_tails() -> None:
    grid = np.arange(1281) / 64
    for shape, row in zip(SHAPES, base_tables(), strict=True):
        assert np.abs(row[:-1] - upper_tail(shape, grid[:-1]) * 2**32).max() <= 1
        assert row[-1] == 0 and (np.diff(row) <= 0).all()


def plain_table(row: tuple[int, ...], reciprocal: int, ratio: int) -> tuple[int, list[int]]:
    """The definition of CODER.md in plain integers: (raw bits, frequencies)."""

    def above(edge: int) -> int:
        cell, part = divmod(abs(edge) * reciprocal >> 9, 1 << 16)
        tail = row[cell] - ((row[cell] - row[cell + 1]) * part >> 16) if cell < 1280 else 0
        return tail if edge > 0 else 2**32 - tail

    raw = 0
    while reciprocal * 2**raw * ratio <= 2**30:
        raw += 1
    masses: list[int] = []
    for order in range(255):
        value = order // 2 if order % 2 == 0 else -(order + 1) // 2
        mass = above(2 * value * 2**raw - 1) - above(2 * (value + 1) * 2**raw - 1)
        if order >= 3 and mass < 2**17:
            break
        masses.append(mass)
    masses.append(2**32 - sum(masses))
    frequencies = [max(1, (mass + 2**17) // 2**18) for mass in masses]
    frequencies[0] += 2**14 - sum(frequencies)
    return raw, frequencies


def test_tables_follow_their_definition() -> None:
    data = Path(tables_module.__file__).with_name("base_tables.bin").read_bytes()
    rows = [struct.unpack_from("<1281I", data, 4 * 1281 * k) for k in range(6)]
    for index in range(0, GAUSSIAN.size, 7):
        raw, row = plain_table(rows[5], GAUSSIAN.reciprocals[index], 10)
        assert (GAUSSIAN.tables.raw_bits[index], GAUSSIAN.tables.frequencies(index).tolist()) == (raw, row)
    for index in range(0, GGD.size, 23):
        raw, row = plain_table(rows[index // GGD_SCALES], GGD.reciprocals[index], 16)
        assert (GGD.tables.raw_bits[index], GGD.tables.frequencies(index).tolist()) == (raw, row)


def overhead(shape: float, sigma: float, tables: Tables, index: int) -> tuple[float, float]:
    """(bits above the entropy, entropy) a symbol when the table codes the density it stands for."""
    values = np.arange(-int(20 * sigma) - 10, int(20 * sigma) + 11)
    p = np.maximum(upper_tail(shape, (values - 0.5) / sigma) - upper_tail(shape, (values + 0.5) / sigma), 1e-300)
    raw, escape = int(tables.raw_bits[index]), int(tables.escapes[index])
    order = (values >> raw << 1) ^ (values >> 63)
    escape_bits = tables.escape_bits[index] + 2 * np.floor(np.log2(np.maximum(order - escape, 0) + 8)) - 2
    cost = raw + np.where(order < escape, tables.symbol_bits[index][np.minimum(order, 255)], escape_bits)
    entropy = float(-(p * np.log2(p)).sum())
    return float((p * cost).sum()) - entropy, entropy


@pytest.mark.parametrize("shape", SHAPES)
def test_tables_are_near_the_entropy(shape: float) -> None:
    for sigma in (0.04, 0.1, 0.3, 1, 3, 10, 30, 100, 500, 2000):
        index = ggd_index(shape, sigma)
        true_shape, true_sigma = ggd_parameters(index)
        assert true_shape == shape and abs(np.log2(true_sigma / sigma)) <= 1 / 16 + 1e-3
        over, entropy = overhead(shape, true_sigma, GGD.tables, index)
        assert over < 0.0004 + 0.0013 * entropy, sigma


def test_gaussian_family_is_near_the_entropy() -> None:
    for index in range(0, 64, 9):
        over, entropy = overhead(2.0, GAUSSIAN.sigma(index), GAUSSIAN.tables, index)
        assert over < 0.0003 + 0.0004 * entropy
        assert gaussian_index(GAUSSIAN.sigma(index)) == index
    assert GAUSSIAN.sigma(0) == pytest.approx(0.11, rel=1e-6) and GAUSSIAN.sigma(63) == pytest.approx(64, rel=1e-6)


def test_tables_refuse_what_cannot_be_coded() -> None:
    good = np.array([16383, 1])
    assert Tables.from_frequencies([good], [3]).size == 1
    for row, raw in (([16384, 0], 0), ([16384], 0), ([1] * 257, 0), ([16383, 2], 0), (good, 17), (good, -1)):
        with pytest.raises(ValueError):
            Tables.from_frequencies([np.asarray(row)], [raw])
