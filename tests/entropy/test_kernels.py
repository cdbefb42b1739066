"""Every instruction set of the native coder gives the bytes and symbols of the scalar one and of the Python twin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import native
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GAUSSIAN, GGD, TableFamily, Tables
from nvcodec.errors import DamagedError, FormatError

NAMES = native.simd_names()
pytestmark = pytest.mark.skipif(not NAMES, reason="the native coder was not built")
SIZES = [0, 1, 31, 32, 33, 63, 64, 65, 1000, 4095, 4096, 4097, 65521, 65536]
INT16 = np.iinfo(np.int16)
EDGES = [-(2**31), 2**31 - 1, -(2**15), 2**15 - 1, -(2**15) - 1, 2**15, 127, -128, 255, -256, 0]


def explicit(rows: Sequence[Sequence[int]], raw_bits: Sequence[int]) -> TableFamily:
    """A family of tables with these frequencies."""
    tables = Tables.from_frequencies([np.array(row, np.int64) for row in rows], raw_bits)
    return TableFamily("explicit", (1 << 30,) * tables.size, lambda: tables)


def frequencies(symbols: int, seed: int) -> list[int]:
    """A table that falls, with its sum right."""
    weights = np.exp(-np.arange(symbols) / 2 ** (1 + seed % 6)) * np.random.default_rng(seed).uniform(0.2, 1, symbols)
    row = 1 + (weights / weights.sum() * (2**14 - symbols)).astype(np.int64)
    row[seed % symbols] += 2**14 - row.sum()
    return [int(count) for count in row]


def draw(family: TableFamily, indices: np.ndarray, seed: int, escapes: float = 0.01) -> np.ndarray:
    """Values as their tables expect them, a part of them far out."""
    rng, tables, values = np.random.default_rng(seed), family.tables, np.zeros(len(indices), np.int64)
    for index in np.unique(indices):
        here = np.flatnonzero(indices == index)
        row, raw = tables.frequencies(index), int(tables.raw_bits[index])
        order = rng.choice(len(row), len(here), p=row / row.sum())
        far = rng.random(len(here)) < escapes
        order = np.where(far, len(row) - 1 + rng.geometric(0.01, len(here)), order)
        values[here] = ((order >> 1 ^ -(order & 1)) << raw) + rng.integers(0, 1 << raw, len(here))
    return values


def agree(values: np.ndarray, indices: np.ndarray, family: TableFamily, lanes: int = 5, chunk: int = 0) -> bytes:
    """The bytes, after checking that every instruction set, type, number of threads and the twin agree."""
    wide, kinds = values.astype(np.int32), [np.int32]
    if len(values) == 0 or INT16.min <= values.min() <= values.max() <= INT16.max:
        kinds.append(np.int16)
    widths = [np.uint16, np.uint8] if family.size <= 256 or indices.max(initial=0) < 256 else [np.uint16]
    data = encode_segment(wide, indices, family, lanes_log2=lanes, chunk_symbols=chunk, backend="python")
    assert np.array_equal(decode_segment(data, indices, family, backend="python"), wide)
    for turn, (name, kind, width) in enumerate((n, k, w) for n in NAMES for k in kinds for w in widths):
        tables, how = indices.astype(width), {"threads": 1 + turn % 4 if chunk else 1, "simd": name}
        coded = encode_segment(values.astype(kind), tables, family, lanes_log2=lanes, chunk_symbols=chunk, **how)
        assert coded == data, (name, kind, width)
        decoded = decode_segment(data, tables, family, dtype=kind, **how)
        assert decoded.dtype == kind and np.array_equal(decoded, wide), (name, kind, width)
    return data


@pytest.mark.parametrize("lanes", [0, 3, 5])
@pytest.mark.parametrize("count", SIZES)
def test_sizes(count: int, lanes: int) -> None:
    indices = np.random.default_rng(count).integers(0, GAUSSIAN.size, count)
    agree(draw(GAUSSIAN, indices, count), indices, GAUSSIAN, lanes)


@pytest.mark.parametrize("chunks", range(1, 10))
def test_chunks(chunks: int) -> None:
    for chunk, missing in [(32, 31), (1056, 7), (4128, 4100)]:
        indices = np.arange(chunks * chunk - missing) * 60 // (chunks * chunk)
        agree(draw(GAUSSIAN, indices, chunks), indices, GAUSSIAN, chunk=chunk)


WINDOWS = [(0, 63), (0, 64), (100, 165), (200, 255), (330, 393), (700, 959), (896, 959), (959, 959)]


@pytest.mark.parametrize("first, last", WINDOWS)
def test_windows_of_many_tables(first: int, last: int) -> None:
    indices = np.random.default_rng(first).integers(first, last + 1, 5000)
    indices[[0, -1]] = first, last
    agree(draw(GGD, indices, last), indices, GGD, chunk=1024)


@pytest.mark.parametrize("symbols", [2, 3, 7, 32, 63, 64, 65, 66, 128, 255, 256])
@pytest.mark.parametrize("raw", [0, 3])
def test_one_table(symbols: int, raw: int) -> None:
    ones, most = [1] * (symbols - 1), 2**14 - symbols + 1
    for seed, row in enumerate([frequencies(symbols, 5), [most, *ones], [*ones, most]]):
        family, indices = explicit([row], [raw]), np.zeros(5001, np.int64)
        agree(draw(family, indices, seed), indices, family, chunk=1280)


def test_explicit_tables_side_by_side() -> None:
    sizes = [2, 3, 17, 63, 64, 65, 200, 255, 256] * 9
    rows = [frequencies(size, seed) for seed, size in enumerate(sizes)]
    family = explicit(rows, [seed % 5 for seed in range(len(sizes))])
    for last in (9, 64, 65, len(sizes)):
        indices = np.random.default_rng(last).integers(0, last, 9000)
        agree(draw(family, indices, last), indices, family, chunk=2048)


@pytest.mark.parametrize("raw", range(17))
def test_raw_bits(raw: int) -> None:
    family = explicit([frequencies(20, 1), frequencies(90, 2)], [raw, 0])
    for indices in (np.zeros(4200, np.int64), np.random.default_rng(raw).integers(0, 2, 4200)):
        agree(draw(family, indices, raw, escapes=0), indices, family)
        agree(draw(family, indices, raw), indices, family, lanes=3)


@pytest.mark.parametrize("escapes", [0.0005, 0.5, 1.0])
def test_escapes(escapes: float) -> None:
    indices = np.random.default_rng(2).integers(0, 40, 9000)
    agree(draw(GAUSSIAN, indices, 3, escapes), indices, GAUSSIAN, chunk=4512)
    agree(draw(GAUSSIAN, indices, 4, escapes), indices, GAUSSIAN)


def test_extreme_values() -> None:
    family = explicit([frequencies(size, 3) for size in (2, 40, 256)], [16, 16, 16])
    for values in (np.resize(EDGES, 300), np.where(np.arange(300) % 50 == 7, np.resize(EDGES, 300), 1)):
        agree(values, np.resize([0, 1, 2, 2, 1], 300), family)
    short = np.resize([INT16.min, INT16.max, 0, -1], 300)
    for raw in range(17):
        agree(short, np.arange(300) // 30 % 2, explicit([frequencies(20, 3), frequencies(256, 4)], [raw, 0]))


def test_chunks_of_almost_no_words() -> None:
    family = explicit([[2**14 - 1, 1], [1, 2**14 - 1], [2**14 - 9, *[1] * 9]], [0, 0, 0])
    for index in range(3):
        indices = np.full(16384 + 5, index)
        values = np.full(len(indices), -1 if index == 1 else 0)
        for changed in ([], [9000], [31, 32, 16388]):
            values[changed] = 3
            data = agree(values, indices, family, chunk=4096)
            assert len(data) < (9000 if index == 1 else 5 * 128 + 60)


TOO_WIDE = [
    ([2**15], 0, 20),
    ([-(2**15) - 1] * 40, 0, 20),
    ([2**15] * 40, 12, 60),
    ([0] * 39 + [-40000], 9, 256),
    ([2**20], 16, 64),
]


@pytest.mark.parametrize("values, raw, symbols", TOO_WIDE)
def test_a_symbol_beyond_16_bits_is_damage(values: list[int], raw: int, symbols: int) -> None:
    family, indices = explicit([frequencies(symbols, 3)], [raw]), np.zeros(len(values), np.uint8)
    data = agree(np.array(values), indices, family)
    for how in [{"backend": "python"}, *({"simd": name} for name in NAMES)]:
        with pytest.raises(DamagedError, match="16 bits"):
            decode_segment(data, indices, family, dtype=np.int16, **how)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_tables_and_symbols(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(2, 256), min_size=1, max_size=70))
    raw_bits = data.draw(st.lists(st.integers(0, 16), min_size=len(sizes), max_size=len(sizes)))
    family = explicit([frequencies(size, number) for number, size in enumerate(sizes)], raw_bits)
    seed, used, count = (data.draw(st.integers(low, high)) for low, high in [(0, 99), (1, len(sizes)), (0, 700)])
    indices = np.random.default_rng(seed).integers(0, used, count)
    values = draw(family, indices, seed, data.draw(st.sampled_from([0, 0.02, 1])))
    agree(values, indices, family, data.draw(st.sampled_from([0, 3, 5])), 32 * data.draw(st.integers(0, 12)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_the_same_everywhere(data: st.DataObject) -> None:
    indices = np.random.default_rng(1).integers(0, data.draw(st.sampled_from([1, 50])), 700).astype(np.uint8)
    values = draw(GAUSSIAN, indices, 5)
    good = encode_segment(values, indices, GAUSSIAN, lanes_log2=5, chunk_symbols=160, backend="python")
    bad = bytearray(good[: data.draw(st.one_of(st.just(len(good)), st.integers(0, len(good))))])
    for at in data.draw(st.lists(st.integers(0, len(good) - 1), max_size=3)):
        if at < len(bad):
            bad[at] ^= data.draw(st.integers(1, 255))

    def outcome(**how: object) -> str | list[int]:
        try:
            return decode_segment(bytes(bad), indices, GAUSSIAN, **how).tolist()
        except FormatError as error:
            return f"{type(error).__name__}: {error}"

    expected = outcome(backend="python")
    assert all(outcome(simd=name, threads=threads) == expected for name in NAMES for threads in (1, 2))
    narrow = {"dtype": np.int16}  # of what is wrong in one chunk either may be told first, by the same name
    ways = [{"backend": "python"}, *({"simd": name} for name in NAMES)]
    assert len({str(outcome(**narrow, **way)).partition(":")[0] for way in ways}) == 1


@pytest.mark.parametrize("wish", ["scalar", "auto", "nonsense"])
def test_the_variable_names_the_instruction_set(wish: str) -> None:
    code = (
        "import numpy as np; from nvcodec.entropy.native import simd_name; from nvcodec.entropy.segment import *\n"
        "one = np.zeros(1, np.uint8); print(encode_segment(one, one, GAUSSIAN).hex(), simd_name())"
    )
    environment = {**os.environ, native.SIMD_VARIABLE: wish}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if wish == "nonsense":
        message = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1 and "UsageError" in message and wish in message and ", ".join(NAMES) in message
    else:
        one = np.zeros(1, np.uint8)
        chosen = "scalar" if wish == "scalar" else NAMES[-1]
        assert done.stdout.split() == [encode_segment(one, one, GAUSSIAN).hex(), chosen]
