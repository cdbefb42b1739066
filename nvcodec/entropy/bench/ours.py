"""Rows of our own coder: the rANS pass alone ("core"), and values to bytes through the Python API ("end_to_end")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nvcodec.entropy import native
from nvcodec.entropy.bench.cases import Case
from nvcodec.entropy.bench.clock import Clock
from nvcodec.entropy.bench.row import Row
from nvcodec.entropy.cost import code_length
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GAUSSIAN

CHUNK = 65536


def _table_symbols(case: Case) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    tables = GAUSSIAN.tables
    high = case.values >> tables.raw_bits[case.indices].astype(np.int16)
    return np.minimum((high << 1) ^ (high >> 15), tables.escapes[case.indices]).astype(np.uint8)


def _beside_bits(case: Case, symbols: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> float:
    """Raw and escape bits: what the tables say the values take, less what they say their symbols take."""
    modelled = GAUSSIAN.tables.symbol_bits[case.indices, symbols].sum()
    escaped = symbols == GAUSSIAN.tables.escapes[case.indices]
    modelled += GAUSSIAN.tables.escape_bits[case.indices[escaped]].sum()
    return code_length(case.values.astype(np.int32), case.indices.astype(np.uint16), GAUSSIAN) - float(modelled)


def core_rows(case: Case, simd: str, ideal: float, clock: Clock) -> Iterator[Row]:
    """Chunks of 65536 symbols. Over ideal without what lanes and the index take."""
    whole = case.first(len(case.values) // CHUNK * CHUNK)
    symbols = _table_symbols(whole)
    lanes = native.lane_bench(symbols, whole.indices, GAUSSIAN.tables, CHUNK, simd)
    share = len(whole.values) / len(case.values)
    over = (lanes.bits() + _beside_bits(whole, symbols)) / (whole.ideal_bits() if share < 1 else ideal) - 1
    for op, work in (("encode", lanes.encode), ("decode", lanes.decode)):
        seconds, clean = clock.seconds(work)
        yield Row("nvcodec", case.name, op, "core", simd, 1, lanes.coded() / seconds / 1e6, over, clean)
    if not lanes.matches():
        raise RuntimeError(f"{simd}: decoding did not give back the symbols of {case.name}")


def end_to_end_rows(case: Case, simd: str, threads: Sequence[int], ideal: float, clock: Clock) -> Iterator[Row]:
    """int16 values and uint8 indices to bytes and back, in the layout that the coder plans; over ideal in all."""
    data = encode_segment(case.values, case.indices, GAUSSIAN, simd=simd)
    for count in threads:

        def encode(count: int = count) -> bytes:
            return encode_segment(case.values, case.indices, GAUSSIAN, simd=simd, threads=count)

        def decode(count: int = count) -> native.Symbols:
            return decode_segment(data, case.indices, GAUSSIAN, dtype=np.int16, simd=simd, threads=count)

        if not np.array_equal(decode(), case.values) or encode() != data:
            raise RuntimeError(f"{simd}, {count} threads: {case.name} does not come back, or in other bytes")
        for op, work in (("encode", encode), ("decode", decode)):
            seconds, clean = clock.seconds(work, count)
            rate = len(case.values) / seconds / 1e6
            yield Row("nvcodec", case.name, op, "end_to_end", simd, count, rate, 8 * len(data) / ideal - 1, clean)
