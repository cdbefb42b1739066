"""What symbols cost under the integer tables, without coding them: lengths, and the cheapest table of a family."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.bits_py import MAX_PREFIX
from nvcodec.entropy.rans_py import ESCAPE_ORDER
from nvcodec.entropy.tables import MAX_ALPHABET, TableFamily, Tables

_RUNS, _RUN = 32, 512  # runs of symbols that stand for all, and the symbols of one
_DENSE_RANGE = 1 << 20  # widest range of values that is counted with a dense histogram


def zigzag_array(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, -1, 1, -2, 2, ... to 0, 1, 2, 3, 4, ... elementwise."""
    return (values << 1) ^ (values >> 63)


def _escape_bits(excess: NDArray[np.int64]) -> NDArray[np.float64]:
    """Length of the Exp-Golomb code of each excess."""
    prefix = np.frexp((excess + (1 << ESCAPE_ORDER)).astype(np.float64))[1] - 1 - ESCAPE_ORDER
    return 2.0 * prefix + 1 + ESCAPE_ORDER


def code_length(symbols: NDArray[np.integer], indices: NDArray[np.integer], family: TableFamily) -> float:
    """Ideal bits of `symbols` (n,) under their tables, raw and escape bits included; a segment adds a few bytes."""
    tables = family.tables
    index = np.asarray(indices).astype(np.intp)
    raw = tables.raw_bits[index]
    order = zigzag_array(np.asarray(symbols).astype(np.int64) >> raw)
    escape = tables.escapes[index]
    total = float(tables.symbol_bits[index, np.minimum(order, escape)].sum() + raw.sum(dtype=np.int64))
    beyond = order >= escape
    if beyond.any():
        total += float((tables.escape_bits[index[beyond]] + _escape_bits((order - escape)[beyond])).sum())
    return total


def estimate_length(symbols: NDArray[np.integer], indices: NDArray[np.integer], family: TableFamily) -> float:
    """About :func:`code_length`: exact for few symbols, else from a few runs of them, to choose a layout by."""
    count = len(symbols)
    if count <= _RUNS * _RUN:
        return code_length(symbols, indices, family)
    starts = np.linspace(0, count - _RUN, _RUNS).astype(np.intp)
    sample = (starts[:, None] + np.arange(_RUN)).reshape(-1)
    return code_length(symbols[sample], indices[sample], family) * count / len(sample)


def histogram(symbols: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(values that occur, rising; how often each does), both (m,) int64."""
    flat = np.asarray(symbols).reshape(-1)
    if len(flat) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    low, high = int(flat.min()), int(flat.max())
    if high - low >= _DENSE_RANGE:
        values, counts = np.unique(flat, return_counts=True)
        return values.astype(np.int64), counts.astype(np.int64)
    dense = np.bincount(flat.astype(np.int64) - low)
    present = np.flatnonzero(dense)
    return present + low, dense[present]


def _cost_with_raw_bits(
    values: NDArray[np.int64], counts: NDArray[np.int64], tables: Tables, which: NDArray[np.intp], raw: int
) -> NDArray[np.float64]:
    """Bits of a histogram under each of the tables `which`, all of which have `raw` raw bits."""
    order = zigzag_array(values >> raw)
    dense = np.bincount(np.minimum(order, MAX_ALPHABET), counts, MAX_ALPHABET + 1)[:MAX_ALPHABET]
    bits = tables.symbol_bits[which] @ dense + raw * counts.sum()
    # An escape is longer by two bits from each power of two of its excess on: count the symbols beyond those.
    ranked = np.sort(order)
    at_least = np.append(np.cumsum(counts[np.argsort(order, kind="stable")][::-1])[::-1], 0)
    steps = (1 << (ESCAPE_ORDER + np.arange(MAX_PREFIX + 1))) - (1 << ESCAPE_ORDER)
    beyond = at_least[np.searchsorted(ranked, tables.escapes[which][:, None] + steps)]
    fixed = tables.escape_bits[which] + 1 + ESCAPE_ORDER
    too_far = ranked[-1] - tables.escapes[which] >= (steps[-1] + (1 << ESCAPE_ORDER)) * 2 - (1 << ESCAPE_ORDER)
    return np.where(too_far, np.inf, bits + beyond[:, 0] * fixed + 2 * beyond[:, 1:].sum(1))


def table_costs(symbols: NDArray[np.integer], family: TableFamily) -> NDArray[np.float64]:
    """Bits of all `symbols` under each table of `family`, (size,); inf where a symbol cannot be coded."""
    tables = family.tables
    values, counts = histogram(symbols)
    costs = np.zeros(tables.size)
    if len(values) == 0:
        return costs
    for raw in np.unique(tables.raw_bits):
        which = np.flatnonzero(tables.raw_bits == raw)
        costs[which] = _cost_with_raw_bits(values, counts, tables, which, int(raw))
    return costs


def choose_index(symbols: NDArray[np.int32], family: TableFamily) -> int:
    """The table of `family` under which all `symbols` together are shortest; the first of equals."""
    return int(np.argmin(table_costs(symbols, family)))
