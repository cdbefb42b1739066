"""Segments: both coders write the same bytes, read them back, and cost what the tables say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import native
from nvcodec.entropy.rans_py import MAX_EXCESS
from nvcodec.entropy.segment import code_length, decode_segment, encode_segment, estimate_length, plan_layout
from nvcodec.entropy.tables import GAUSSIAN, GGD, TableFamily, ggd_index
from nvcodec.errors import FormatError

BACKENDS = ["python", *(["native"] if native.AVAILABLE else [])]
FAMILIES = pytest.mark.parametrize("family", [GAUSSIAN, GGD], ids=lambda family: family.name)
LANES = pytest.mark.parametrize("lanes_log2", [0, 3, 5])


def sample(family: TableFamily, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values with a table each; one in fifty is far out, so that escapes occur."""
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, family.size, count).astype(np.uint16)
    sigma = (1 << 30) / np.array(family.reciprocals)[indices]
    values = rng.laplace(0, 0.7, count) * sigma * np.where(rng.random(count) < 0.02, 30, 1)
    return np.rint(values).astype(np.int32), indices


def round_trip(symbols: np.ndarray, indices: np.ndarray, family: TableFamily, **layout: int) -> bytes:
    """The bytes, after checking that each backend writes them and each reads them."""
    coded = {encode_segment(symbols, indices, family, backend=name, **layout) for name in BACKENDS}
    assert len(coded) == 1
    data = coded.pop()
    for name in BACKENDS:
        decoded = decode_segment(data, indices, family, backend=name)
        assert decoded.dtype == np.int32 and np.array_equal(decoded, symbols)
    return data


@FAMILIES
@LANES
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1000])
@pytest.mark.parametrize("chunk_symbols", [0, 32, 320])
def test_backends_agree(family: TableFamily, lanes_log2: int, count: int, chunk_symbols: int) -> None:
    symbols, indices = sample(family, count, seed=count)
    data = round_trip(symbols, indices, family, lanes_log2=lanes_log2, chunk_symbols=chunk_symbols)
    assert (len(data) == 0) == (count == 0)


@LANES
def test_backends_agree_on_a_large_segment(lanes_log2: int) -> None:
    symbols, indices = sample(GAUSSIAN, 65536)
    round_trip(symbols, indices, GAUSSIAN, lanes_log2=lanes_log2, chunk_symbols=16384)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_symbols_round_trip(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from([GAUSSIAN, GGD]))
    count = data.draw(st.integers(0, 80))
    values = data.draw(st.lists(st.integers(-(2**22), 2**22), min_size=count, max_size=count))
    tables = data.draw(st.lists(st.integers(0, family.size - 1), min_size=count, max_size=count))
    round_trip(
        np.array(values, np.int32),
        np.array(tables, np.uint16),
        family,
        lanes_log2=data.draw(st.sampled_from([0, 3, 5])),
        chunk_symbols=data.draw(st.sampled_from([0, 32, 64])),
    )


def test_widest_values() -> None:
    wide = GGD.tables.raw_bits.argmax()
    raw, escape = int(GGD.tables.raw_bits[wide]), int(GGD.tables.escapes[wide])
    furthest = (escape + MAX_EXCESS) // 2
    symbols = np.array([min(furthest << raw, 2**31 - 1), -(2**31), 0], np.int32)
    round_trip(symbols, np.full(3, wide, np.uint16), GGD)
    escape = int(GGD.tables.escapes[0])
    furthest = (escape + MAX_EXCESS) // 2
    round_trip(np.array([furthest, -furthest], np.int32), np.zeros(2, np.uint16), GGD)
    for name in BACKENDS:
        with pytest.raises(ValueError):
            encode_segment(np.array([furthest + 1], np.int32), np.zeros(1, np.uint16), GGD, backend=name)


@pytest.mark.parametrize("sigma", [0.03, 0.2, 1, 5, 40, 2000])
@pytest.mark.parametrize("count", [200, 20_000, 300_000])
def test_size_is_near_the_code_length(sigma: float, count: int) -> None:
    symbols = np.rint(np.random.default_rng(3).laplace(0, sigma / np.sqrt(2), count)).astype(np.int32)
    indices = np.full(count, ggd_index(1.0, sigma), np.uint16)
    ideal = code_length(symbols, indices, GGD) / 8
    excess = len(encode_segment(symbols, indices, GGD)) - ideal
    assert -0.1 <= excess <= 6 + 0.003 * ideal
    smallest = len(encode_segment(symbols, indices, GGD, lanes_log2=0, chunk_symbols=0)) - ideal
    assert -0.1 <= smallest <= 6 + 0.0005 * ideal


def test_seeds_carry_the_raw_bits_for_free() -> None:
    symbols, indices = sample(GGD, 4000)
    ideal = code_length(symbols, indices, GGD) / 8
    data = encode_segment(symbols, indices, GGD, lanes_log2=5, chunk_symbols=0)
    assert len(data) - ideal < 32 * 4 - 64 + 8


def test_layout_grows_with_the_payload() -> None:
    assert plan_layout(200, 1600) == (0, 0)
    assert plan_layout(20_000, 8 * 13_000) == (3, 0)
    assert plan_layout(100_000, 8 * 50_000) == (5, 0)
    lanes_log2, chunk = plan_layout(1_000_000, 8 * 400_000)
    assert lanes_log2 == 5 and chunk % 32 == 0 and 1_000_000 / 9 < chunk < 1_000_000 / 4


def test_inputs_are_checked() -> None:
    symbols, indices = np.zeros(4, np.int32), np.zeros(4, np.uint16)
    for name in BACKENDS:
        for wrong in ({"lanes_log2": 1}, {"chunk_symbols": 33}, {"chunk_symbols": -32}):
            with pytest.raises(ValueError):
                encode_segment(symbols, indices, GGD, backend=name, **wrong)
    with pytest.raises(ValueError):
        encode_segment(symbols, indices[:3], GGD)
    with pytest.raises(ValueError):
        encode_segment(symbols, indices, GGD, backend="gpu")
    with pytest.raises(TypeError):
        encode_segment(symbols.astype(np.float32), indices, GGD)
    with pytest.raises(TypeError):
        encode_segment(symbols.reshape(2, 2), indices, GGD)
    with pytest.raises(FormatError):
        encode_segment(symbols, indices + GAUSSIAN.size, GAUSSIAN)
    with pytest.raises(FormatError):
        decode_segment(b"", indices + GAUSSIAN.size, GAUSSIAN)
    with pytest.raises(ValueError):
        encode_segment(np.array([2**31]), np.zeros(1, np.uint16), GGD)


def test_other_layouts_of_memory_are_taken() -> None:
    symbols, indices = sample(GAUSSIAN, 100)
    expected = encode_segment(symbols, indices, GAUSSIAN)
    strided = np.repeat(symbols, 2)[::2]
    assert encode_segment(strided, indices.astype(np.int64), GAUSSIAN) == expected
    assert encode_segment(symbols.astype(np.int64), indices, GAUSSIAN) == expected
    assert np.array_equal(decode_segment(memoryview(b"\xff" + expected)[1:], indices, GAUSSIAN), symbols)


def test_tensors_and_narrow_types_give_the_same_bytes() -> None:
    symbols, indices = sample(GAUSSIAN, 3000)
    small = np.clip(symbols, -(2**15), 2**15 - 1)
    expected = encode_segment(small, indices, GAUSSIAN)
    for values in (small.astype(np.int16), torch.from_numpy(small), torch.from_numpy(small.astype(np.int16))):
        for tables in (indices.astype(np.uint8), torch.from_numpy(indices.astype(np.int64))):
            assert encode_segment(values, tables, GAUSSIAN) == expected
    decoded = decode_segment(expected, torch.from_numpy(indices.astype(np.uint8)), GAUSSIAN, dtype=np.int16)
    assert decoded.dtype == np.int16 and np.array_equal(decoded, small)


def test_layouts_of_large_segments_are_planned_by_a_sample() -> None:
    symbols, indices = sample(GAUSSIAN, 200_000)
    exact, about = code_length(symbols, indices, GAUSSIAN), estimate_length(symbols, indices, GAUSSIAN)
    assert about != exact and abs(about / exact - 1) < 0.05
    assert len(encode_segment(symbols, indices, GAUSSIAN)) < 1.003 * exact / 8
    few = slice(0, 16384)
    assert estimate_length(symbols[few], indices[few], GAUSSIAN) == code_length(symbols[few], indices[few], GAUSSIAN)
