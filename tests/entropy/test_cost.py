"""Code lengths and the choice of a table, checked symbol by symbol and by trying every table."""

from __future__ import annotations

import numpy as np
import pytest

from nvcodec.entropy.cost import choose_index, code_length, histogram, table_costs
from nvcodec.entropy.tables import GAUSSIAN, GGD, TableFamily, ggd_parameters

FAMILIES = pytest.mark.parametrize("family", [GAUSSIAN, GGD], ids=lambda family: family.name)


def plain_length(value: int, index: int, family: TableFamily) -> float:
    """Bits of one symbol from the definition."""
    raw = int(family.tables.raw_bits[index])
    row = family.tables.frequencies(index)
    shifted = value >> raw
    order = 2 * shifted if shifted >= 0 else -2 * shifted - 1
    escape = len(row) - 1
    if order < escape:
        return raw + 14 - float(np.log2(row[order]))
    prefix = (order - escape + 8).bit_length() - 4
    return raw + 14 - float(np.log2(row[escape])) + prefix + 1 + prefix + 3


@FAMILIES
def test_code_length_is_the_sum_over_symbols(family: TableFamily) -> None:
    rng = np.random.default_rng(0)
    indices = rng.integers(0, family.size, 300).astype(np.uint16)
    symbols = np.rint(rng.standard_cauchy(300) * 3).astype(np.int32)
    expected = sum(plain_length(int(v), int(i), family) for v, i in zip(symbols, indices, strict=True))
    assert code_length(symbols, indices, family) == pytest.approx(expected)
    assert code_length(symbols[:0], indices[:0], family) == 0


@FAMILIES
@pytest.mark.parametrize("scale", [0.02, 0.5, 7, 300, 2_000_000])
def test_costs_of_all_tables(family: TableFamily, scale: float) -> None:
    symbols = np.rint(np.random.default_rng(1).standard_t(2, 400) * scale).clip(-(2**22), 2**22).astype(np.int32)
    costs = table_costs(symbols, family)
    for index in range(0, family.size, 11):
        same = np.full(len(symbols), index, np.uint16)
        assert costs[index] == pytest.approx(code_length(symbols, same, family))
    assert choose_index(symbols, family) == int(np.argmin(costs))


def test_the_choice_finds_the_source() -> None:
    rng = np.random.default_rng(2)
    for sigma in (0.5, 4.0, 100.0):
        for shape, draw in ((1.0, rng.laplace(0, sigma / np.sqrt(2), 50_000)), (2.0, rng.normal(0, sigma, 50_000))):
            found_shape, found_sigma = ggd_parameters(choose_index(np.rint(draw).astype(np.int32), GGD))
            assert found_shape == shape and abs(np.log2(found_sigma / sigma)) < 0.13


def test_what_cannot_be_coded_is_never_chosen() -> None:
    symbols = np.array([0] * 1000 + [2**30], np.int32)
    costs = table_costs(symbols, GGD)
    assert np.isinf(costs[0]) and np.isfinite(costs[choose_index(symbols, GGD)])
    assert (table_costs(symbols[:0], GGD) == 0).all() and choose_index(symbols[:0], GGD) == 0


def test_histogram_counts_narrow_and_wide_ranges() -> None:
    for symbols in (np.array([3, -1, 3, 3]), np.array([2**30, -(2**30), 2**30])):
        values, counts = histogram(symbols)
        expected = np.unique(symbols, return_counts=True)
        assert np.array_equal(values, expected[0]) and np.array_equal(counts, expected[1])
    assert [len(part) for part in histogram(np.empty(0, np.int32))] == [0, 0]
