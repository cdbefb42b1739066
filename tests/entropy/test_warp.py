"""The CUDA coder's own source, run on the CPU in lock step: the scalar coder's bytes, symbols and errors."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import native
from nvcodec.entropy.histogram import explicit_family
from nvcodec.entropy.rans_py import MAX_EXCESS
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GAUSSIAN, GGD, LATENT_TABLES, TableFamily, ggd_index
from nvcodec.errors import DamagedError, FormatError, NvcodecError

if not native.AVAILABLE:
    pytest.skip("the native coder was not built", allow_module_level=True)
from nvcodec import _native

_FREQUENCIES = np.array([9000, 1, 1, 4000, 1, 1, 1, 2000, 1, 1, 1300, 1, 64, 4, 7, 1])  # many symbols in a bucket
EXPLICIT = [
    explicit_family(_FREQUENCIES, 0),
    explicit_family(_FREQUENCIES, 16),
    explicit_family(np.array([16383, 1]), 1),
    explicit_family(np.full(256, 64), 3),
]
FAMILIES = [GAUSSIAN, GGD, *EXPLICIT]
EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES, ids=["gaussian", "ggd", "uneven", "wide", "two", "even"])
SIZES = [1, 31, 32, 33, 127, 128, 129, 1000, 65521, 65536]


def sample(family: TableFamily, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """int32 values with a table each, uint16; one in fifty is far out, so that escapes occur."""
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, family.size, count).astype(np.uint16)
    sigma = (1 << 30) / np.array(family.reciprocals)[indices]
    values = rng.laplace(0, 0.7, count) * sigma * np.where(rng.random(count) < 0.02, 30, 1)
    return np.rint(values).astype(np.int32), indices


def chunkings(count: int) -> list[int]:
    return [0] + [size for size in (32, 320, 4128, 16384) if size < count <= 200 * size]


@cache
def tables_of(family: TableFamily) -> _native.WarpTables:
    return _native.WarpTables(family.tables.cumulative, family.tables.offsets, family.tables.raw_bits)


def warp_encode(values: np.ndarray, indices: np.ndarray, family: TableFamily, chunk_symbols: int = 0) -> bytes:
    return _native.warp_encode_segment(values, indices, tables_of(family), chunk_symbols)


def warp_decode(data: bytes, indices: np.ndarray, family: TableFamily, dtype: type = np.int32) -> np.ndarray:
    """As the CUDA coder does it: what is not for warps goes to the scalar one."""
    values = np.empty(len(indices), dtype)
    if _native.warp_decode_segment(data, indices, tables_of(family), values):
        return values
    return scalar_decode(data, indices, family, dtype)


def scalar_decode(data: bytes, indices: np.ndarray, family: TableFamily, dtype: type = np.int32) -> np.ndarray:
    return decode_segment(data, indices, family, dtype=dtype, simd="scalar")


def scalar_encode(values: np.ndarray, indices: np.ndarray, family: TableFamily, chunk_symbols: int = 0) -> bytes:
    return encode_segment(values, indices, family, lanes_log2=5, chunk_symbols=chunk_symbols, simd="scalar")


@EACH_FAMILY
@pytest.mark.parametrize("count", SIZES)
def test_bytes_and_symbols_are_the_scalar_coders(family: TableFamily, count: int) -> None:
    values, indices = sample(family, count, seed=count)
    for chunk_symbols in chunkings(count):
        data = scalar_encode(values, indices, family, chunk_symbols)
        assert warp_encode(values, indices, family, chunk_symbols) == data
        decoded = np.full(count, 99, np.int32)
        assert _native.warp_decode_segment(data, indices, tables_of(family), decoded)
        assert np.array_equal(decoded, values)


@pytest.mark.parametrize("value_type", [np.int16, np.int32])
@pytest.mark.parametrize("index_type", [np.uint8, np.uint16])
def test_narrow_types(value_type: type, index_type: type) -> None:
    values, indices = sample(GAUSSIAN, 5000)
    values, indices = np.clip(values, -(2**15), 2**15 - 1).astype(value_type), indices.astype(index_type)
    data = scalar_encode(values, indices, GAUSSIAN, 1024)
    assert warp_encode(values, indices, GAUSSIAN, 1024) == data
    decoded = warp_decode(data, indices, GAUSSIAN, value_type)
    assert decoded.dtype == value_type and np.array_equal(decoded, values)


def test_a_few_tables_in_a_row_of_many() -> None:
    """Which is what a block of the GPU keeps in its shared memory."""
    rng = np.random.default_rng(4)
    indices = rng.integers(LATENT_TABLES[0], LATENT_TABLES[-1] + 1, 20_000).astype(np.uint16)
    values = np.rint(rng.laplace(0, 3, len(indices))).astype(np.int32)
    data = scalar_encode(values, indices, GGD, 4096)
    assert warp_encode(values, indices, GGD, 4096) == data
    assert np.array_equal(warp_decode(data, indices, GGD), values)


def test_no_raw_bits_no_escapes_and_nothing_else() -> None:
    zeros, indices = np.zeros(3000, np.int32), np.zeros(3000, np.uint16)
    for family in (GAUSSIAN, GGD):
        data = scalar_encode(zeros, indices, family)
        assert warp_encode(zeros, indices, family) == data
        assert not warp_decode(data, indices, family).any()


def test_escapes_of_a_large_chunk() -> None:
    """More batches than lanes have a bit for."""
    values, indices = sample(EXPLICIT[0], 300_000)
    values[::50_000] += 4000
    data = scalar_encode(values, indices, EXPLICIT[0])
    assert warp_encode(values, indices, EXPLICIT[0]) == data
    assert np.array_equal(warp_decode(data, indices, EXPLICIT[0]), values)


def test_widest_values() -> None:
    wide = int(GGD.tables.raw_bits.argmax())
    raw, escape = int(GGD.tables.raw_bits[wide]), int(GGD.tables.escapes[wide])
    furthest = (escape + MAX_EXCESS) // 2
    values = np.array([min(furthest << raw, 2**31 - 1), -(2**31), 0] * 40, np.int32)
    indices = np.full(len(values), wide, np.uint16)
    data = scalar_encode(values, indices, GGD)
    assert warp_encode(values, indices, GGD) == data
    assert np.array_equal(warp_decode(data, indices, GGD), values)
    with pytest.raises(DamagedError, match="16 bits"):
        warp_decode(data, indices, GGD, np.int16)
    narrow = int(GGD.tables.escapes[0] + MAX_EXCESS) // 2
    with pytest.raises(ValueError, match="too far out"):
        warp_encode(np.array([narrow + 1], np.int32), np.zeros(1, np.uint16), GGD)


def test_sixteen_raw_bits_in_sixteen_bits() -> None:
    """A value of 16 bits whose table symbol alone would not fit them."""
    family, values = EXPLICIT[1], np.array([-5, 4, -(2**15), 2**15 - 1] * 20, np.int16)
    indices = np.zeros(len(values), np.uint8)
    data = scalar_encode(values, indices, family)
    assert warp_encode(values, indices, family) == data
    assert np.array_equal(warp_decode(data, indices, family, np.int16), values)


def test_what_is_not_for_warps() -> None:
    values, indices = sample(GAUSSIAN, 100)
    out, tables = np.empty(100, np.int32), tables_of(GAUSSIAN)
    for lanes_log2 in (0, 3):
        data = encode_segment(values, indices, GAUSSIAN, lanes_log2=lanes_log2, chunk_symbols=0)
        assert not _native.warp_decode_segment(data, indices, tables, out)
    assert not _native.warp_decode_segment(b"", indices[:0], tables, out[:0])
    assert warp_encode(values[:0], indices[:0], GAUSSIAN) == b""
    with pytest.raises(ValueError, match="multiple of 32"):
        warp_encode(values, indices, GAUSSIAN, 33)
    with pytest.raises(ValueError, match="one table index"):
        warp_encode(values, indices[:5], GAUSSIAN)


@pytest.mark.parametrize("wrong", [64, 255, 65535])
def test_an_index_outside_the_family(wrong: int) -> None:
    values, indices = sample(GAUSSIAN, 5000)
    data = scalar_encode(values, indices, GAUSSIAN, 1024)
    indices[4321] = wrong
    with pytest.raises(FormatError, match="outside the 64 tables") as caught:
        warp_decode(data, indices, GAUSSIAN)
    assert type(caught.value) is FormatError
    with pytest.raises(FormatError, match="outside the 64 tables"):
        warp_encode(values, indices, GAUSSIAN)


Outcome = str | list[int]


def outcome(decode, data: bytes, indices: np.ndarray, dtype: type) -> Outcome:
    try:
        return decode(data, indices, GGD, dtype).tolist()
    except NvcodecError as error:
        return f"{type(error).__name__}: {error}"


def kind(result: Outcome) -> Outcome:
    return result.split(":")[0] if isinstance(result, str) else result


def both(data: bytes, indices: np.ndarray, dtype: type = np.int32, *, is_random: bool = False) -> Outcome:
    """The outcome, after checking that the scalar coder has the same, word for word unless several things are wrong."""
    result, other = outcome(warp_decode, data, indices, dtype), outcome(scalar_decode, data, indices, dtype)
    assert kind(other) == kind(result) and (is_random or other == result)
    return result


def small_segment(chunk_symbols: int) -> tuple[bytes, np.ndarray, list[int]]:
    """70 symbols over narrow and wide tables, with raw bits and escapes."""
    rng = np.random.default_rng(5)
    indices = np.resize(np.array([ggd_index(1.0, 0.5), ggd_index(2.0, 3), ggd_index(0.8, 60)], np.uint16), 70)
    values = np.rint(rng.laplace(0, 1, 70) * np.resize([0.4, 2, 40], 70)).astype(np.int32)
    values[[4, 33]] = [17, -900]
    return scalar_encode(values, indices, GGD, chunk_symbols), indices, values.tolist()


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@pytest.mark.parametrize("chunk_symbols", [0, 32, 64])
def test_a_flip_of_any_bit(chunk_symbols: int, dtype: type) -> None:
    data, indices, values = small_segment(chunk_symbols)
    assert both(data, indices, dtype) == values
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        assert both(bytes(flipped), indices, dtype) != values


@pytest.mark.parametrize("chunk_symbols", [0, 32, 64])
def test_every_prefix_is_an_error(chunk_symbols: int) -> None:
    data, indices, _ = small_segment(chunk_symbols)
    for length in range(len(data)):
        assert isinstance(both(data[:length], indices), str)
    assert isinstance(both(data + b"\0", indices), str)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_bytes_behind_a_plausible_header(data: st.DataObject) -> None:
    header = data.draw(
        st.sampled_from([b"\5", b"\x15\1", b"\x15\x90\1", b"\x0d\1\4\0\4\1\0\0", b"\x0d\1\x20\2\1\x81\1"])
    )
    count, random = data.draw(st.integers(1, 96)), np.random.default_rng(data.draw(st.integers(0, 2**32)))
    states = random.integers(2**16, 2 ** data.draw(st.sampled_from([17, 32])), data.draw(st.sampled_from([32, 64, 96])))
    tables = np.full(count, data.draw(st.integers(0, GGD.size - 1)), np.uint16)
    behind = random.integers(0, data.draw(st.sampled_from([1, 2, 256])), data.draw(st.integers(0, 300)))
    both(header + states.astype("<u4").tobytes() + behind.astype(np.uint8).tobytes(), tables, is_random=True)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_symbols(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(FAMILIES))
    count = data.draw(st.integers(0, 150))
    reach = data.draw(st.sampled_from([1, 20, 2**22]))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values = random.integers(-reach, reach + 1, count).astype(np.int32)
    indices = random.integers(0, family.size, count).astype(np.uint16)
    chunk_symbols = data.draw(st.sampled_from([0, 32, 64]))
    coded = scalar_encode(values, indices, family, chunk_symbols)
    assert warp_encode(values, indices, family, chunk_symbols) == coded
    assert np.array_equal(warp_decode(coded, indices, family), values)
