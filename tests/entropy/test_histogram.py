"""Explicit tables: they read back, hold their price against parametric ones, and refuse damage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy.histogram import explicit_family, fit_table, read_table, write_table
from nvcodec.entropy.segment import GGD, choose_index, code_length, decode_segment, encode_segment
from nvcodec.errors import FormatError


def bimodal(count: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    return np.rint(np.where(rng.random(count) < 0.4, rng.normal(-9, 1, count), rng.normal(5, 2, count))).astype(
        np.int32
    )


def test_pays_where_no_parametric_table_fits() -> None:
    symbols = bimodal(30_000)
    family, table, bits = fit_table(symbols)
    counts = np.unique(symbols, return_counts=True)[1]
    entropy = float(-(counts * np.log2(counts / len(symbols))).sum())
    assert bits + 8 * len(table) < 1.005 * entropy + 8 * 60
    index = np.full(len(symbols), choose_index(symbols, GGD), np.uint16)
    assert bits + 8 * len(table) < 0.9 * code_length(symbols, index, GGD)
    zeros = np.zeros(len(symbols), np.uint16)
    assert code_length(symbols, zeros, family) == pytest.approx(bits)
    data = encode_segment(symbols, zeros, family)
    again, used = read_table(table + data)
    assert used == len(table)
    assert np.array_equal(decode_segment(data, zeros, again), symbols)


@pytest.mark.parametrize(
    "symbols", [[0], [5] * 100, [-(2**22), 2**22], list(range(-300, 300)), [0] * 5000 + [70_000]], ids=len
)
def test_unusual_arrays(symbols: list[int]) -> None:
    family, table, bits = fit_table(np.array(symbols))
    again, used = read_table(table)
    assert used == len(table) and write_table(again) == table
    assert again.tables.sha256() == family.tables.sha256()
    assert np.isfinite(bits)
    zeros = np.zeros(len(symbols), np.uint16)
    assert decode_segment(encode_segment(np.array(symbols), zeros, family), zeros, again).tolist() == symbols


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=256), st.integers(0, 16), st.sampled_from([1, 2, 4]))
def test_any_table_reads_back(frequencies: list[int], raw_bits: int, unit: int) -> None:
    row = np.array(frequencies, np.int64) * unit
    if row.sum() >= 1 << 14:
        row[:] = unit
    row[0] += (1 << 14) - row.sum()
    table = write_table(explicit_family(row, raw_bits))
    family, used = read_table(table)
    assert used == len(table) and family.tables.raw_bits[0] == raw_bits
    assert np.array_equal(family.tables.frequencies(0), row)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_give_a_table_or_an_error(data: bytes) -> None:
    try:
        family, used = read_table(data)
    except FormatError:
        return
    assert used <= len(data) and family.tables.frequencies(0).sum() == 1 << 14


def test_every_prefix_and_flip() -> None:
    table = fit_table(bimodal(4000))[1]
    for length in range(len(table)):
        with pytest.raises(FormatError):
            read_table(table[:length])
    for bit in range(8 * len(table)):
        flipped = bytearray(table)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        test_random_bytes_give_a_table_or_an_error.hypothesis.inner_test(bytes(flipped))


def test_no_symbols_have_no_table() -> None:
    with pytest.raises(ValueError):
        fit_table(np.empty(0, np.int32))
