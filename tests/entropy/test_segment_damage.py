"""Damaged segments: an error or other symbols, never a crash, and the same from both coders."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import native
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GAUSSIAN, GGD, Tables, ggd_index
from nvcodec.errors import DamagedError, FormatError, TruncatedError


def outcome(data: bytes, indices: np.ndarray, backend: str) -> str | list[int]:
    """What decoding gives: the error's type and words, or the symbols."""
    try:
        return decode_segment(data, indices, GGD, backend=backend).tolist()
    except FormatError as error:
        return f"{type(error).__name__}: {error}"


def both(data: bytes, indices: np.ndarray) -> str | list[int]:
    """The outcome, after checking that the native coder has the same."""
    result = outcome(data, indices, "python")
    if native.AVAILABLE:
        assert outcome(data, indices, "native") == result
    return result


def small_segment(lanes_log2: int, chunk_symbols: int) -> tuple[bytes, np.ndarray, list[int]]:
    """70 symbols over narrow and wide tables, with raw bits and escapes."""
    rng = np.random.default_rng(5)
    indices = np.resize(np.array([ggd_index(1.0, 0.5), ggd_index(2.0, 3), ggd_index(0.8, 60)], np.uint16), 70)
    symbols = np.rint(rng.laplace(0, 1, 70) * np.resize([0.4, 2, 40], 70)).astype(np.int32)
    symbols[[4, 33]] = [17, -900]
    data = encode_segment(symbols, indices, GGD, lanes_log2=lanes_log2, chunk_symbols=chunk_symbols)
    return data, indices, symbols.tolist()


LAYOUTS = pytest.mark.parametrize(("lanes_log2", "chunk_symbols"), [(0, 0), (0, 32), (3, 0), (3, 64), (5, 32)])


@LAYOUTS
def test_a_flip_of_any_bit(lanes_log2: int, chunk_symbols: int) -> None:
    data, indices, symbols = small_segment(lanes_log2, chunk_symbols)
    assert both(data, indices) == symbols
    silent = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        result = both(bytes(flipped), indices)
        assert result != symbols
        silent += isinstance(result, list)
    assert silent < 0.8 * 8 * len(data)


@LAYOUTS
def test_every_prefix_is_an_error(lanes_log2: int, chunk_symbols: int) -> None:
    data, indices, _ = small_segment(lanes_log2, chunk_symbols)
    for length in range(len(data)):
        assert isinstance(both(data[:length], indices), str)
    assert isinstance(both(data + b"\0", indices), str)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=150), st.lists(st.integers(0, GGD.size - 1), max_size=70))
def test_random_bytes(data: bytes, tables: list[int]) -> None:
    both(data, np.array(tables, np.uint16))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_bytes_behind_a_plausible_header(data: st.DataObject) -> None:
    header = data.draw(st.sampled_from([b"\0", b"\3", b"\x10\1", b"\x13\2", b"\x08\1\4\0\4\1", b"\x0b\1\2\0\2\0"]))
    count = data.draw(st.integers(1, 64))
    states = b"".join(bytes([*data.draw(st.binary(min_size=3, max_size=3)), 1]) for _ in range(8))
    tables = np.full(count, data.draw(st.integers(0, GGD.size - 1)), np.uint16)
    both(header + states + data.draw(st.binary(max_size=80)), tables)


def test_the_errors_say_what_is_wrong() -> None:
    one = np.zeros(1, np.uint16)
    good = encode_segment(np.zeros(1, np.int32), one, GAUSSIAN)
    cases: list[tuple[bytes, np.ndarray, type[FormatError], str]] = [
        (b"", one, TruncatedError, "ends too early"),
        (b"\0", one, TruncatedError, "ends too early"),
        (b"x", one[:0], DamagedError, "no symbols"),
        (b"\1" + good[1:], one, FormatError, "unknown header"),
        (b"\x20" + good[1:], one, FormatError, "unknown header"),
        (b"\x18" + good[1:], one, FormatError, "unknown header"),
        (b"\x10\0" + good[1:], one, FormatError, "has none"),
        (b"\x10\x80\0" + good[1:], one, FormatError, "malformed number"),
        (b"\x10\xff\xff\xff\xff\x7f" + good[1:], one, FormatError, "malformed number"),
        (b"\x10\xff\xff\xff\xff\x0f" + good[1:], one, TruncatedError, "ends too early"),
        (b"\x08\0" + good[1:], one, FormatError, "chunk size"),
        (b"\x08\1" + good[1:], one, FormatError, "chunk size"),
        (b"\x08\1", np.zeros(1000, np.uint16), TruncatedError, "ends too early"),
        (good + b"\0", one, DamagedError, "half a word"),
        (good + b"\0\0", one, DamagedError, "words left over"),
        (b"\0\0\0\0\0", one, DamagedError, "too small"),
        (good[:3] + b"\1\1", one, DamagedError, "words run out|starting state"),
    ]
    for backend in ["python", *(["native"] if native.AVAILABLE else [])]:
        for data, indices, kind, words in cases:
            with pytest.raises(kind, match=words) as caught:
                decode_segment(data, indices, GAUSSIAN, backend=backend)
            assert type(caught.value) is kind


def test_an_endless_escape_prefix_is_refused() -> None:
    index = np.zeros(1, np.uint16)
    far = encode_segment(np.array([2**22], np.int32), index, GAUSSIAN, lanes_log2=0)
    zeroed = bytearray(far)
    zeroed[-4:] = b"\0\0\0\0"  # the stored part of the escape code
    for backend in ["python", *(["native"] if native.AVAILABLE else [])]:
        with pytest.raises(DamagedError):
            decode_segment(bytes(zeroed), index, GAUSSIAN, backend=backend)


BACKENDS = pytest.mark.parametrize("backend", ["python", *(["native"] if native.AVAILABLE else [])])


@BACKENDS
@pytest.mark.parametrize("outside", [-1, 64, 255, 256, 65535, 65536, 2**63, 2**64 - 1])
def test_indices_outside_the_family_are_refused_by_name(outside: int, backend: str) -> None:
    symbols, data = np.zeros(40, np.int32), encode_segment(np.zeros(40, np.int32), np.zeros(40, np.uint8), GAUSSIAN)
    for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int64, np.uint64):
        if not np.iinfo(kind).min <= outside <= np.iinfo(kind).max:
            continue
        for place in (0, 31, 39):
            indices = np.zeros(40, kind)
            indices[place] = outside
            with pytest.raises(FormatError, match="outside the 64 tables"):
                decode_segment(data, indices, GAUSSIAN, backend=backend)
            with pytest.raises(FormatError, match="outside the 64 tables"):
                encode_segment(symbols, indices, GAUSSIAN, lanes_log2=5, chunk_symbols=0, backend=backend)


@BACKENDS
def test_what_is_no_array_of_integers_is_refused_by_name(backend: str) -> None:
    good = encode_segment(np.zeros(4, np.int32), np.zeros(4, np.uint8), GAUSSIAN)
    for indices in (np.zeros(4), np.zeros(4, bool), np.zeros((2, 2), np.int64), np.array([0, None]), "0000", None):
        with pytest.raises(TypeError, match="indices must be a one-dimensional integer array"):
            decode_segment(good, indices, GAUSSIAN, backend=backend)  # type: ignore[arg-type]
    for kind in (np.int64, np.uint16, np.float32, None):
        with pytest.raises(ValueError, match="int16 or int32"):
            decode_segment(good, np.zeros(4, np.uint8), GAUSSIAN, dtype=kind, backend=backend)  # type: ignore[arg-type]
    for data in ("text", None):
        with pytest.raises(TypeError):
            decode_segment(data, np.zeros(4, np.uint8), GAUSSIAN, backend=backend)  # type: ignore[arg-type]


TABLES = [
    ([0, 1, 1, 16384], [0, 4], [0], "frequency of zero"),
    ([0, 9, 3, 16384], [0, 4], [0], "frequency of zero"),
    ([0, 16384], [0, 2], [0], "2 to 256 frequencies"),
    ([1, 5, 16384], [0, 3], [0], "2 to 256 frequencies"),
    ([0, 5, 16383], [0, 3], [0], "2 to 256 frequencies"),
    ([*range(257), 16384], [0, 258], [0], "2 to 256 frequencies"),
    ([0, 1, 16384], [0, 3], [17], "more than 16 raw bits"),
    ([0, 1, 16384], [0, 4], [0], "offsets"),
    ([0, 1, 16384], [3, 0], [0], "offsets"),
    ([0, 1, 16384], [2**32 - 3, 2**32 - 1], [0], "offsets"),
    ([0, 1, 16384], [0, 3], [0, 0], "one offset more"),
    ([], [], [], "one offset more"),
    ([0, 1, 16384] * (2**15 + 1), range(0, 3 * 2**15 + 4, 3), [0] * (2**15 + 1), "32768 tables"),
]


@pytest.mark.skipif(not native.AVAILABLE, reason="the native coder was not built")
@pytest.mark.parametrize(("cumulative", "offsets", "raw_bits", "words"), TABLES)
def test_impossible_tables_are_refused_by_name(
    cumulative: list[int], offsets: list[int], raw_bits: list[int], words: str
) -> None:
    tables = Tables(np.array(cumulative, np.uint16), np.array(offsets, np.uint32), np.array(raw_bits, np.uint8))
    with pytest.raises(ValueError, match=words):
        native.encode_segment(np.zeros(1, np.int16), np.zeros(1, np.uint8), tables, 0, 0, 1, "")


@pytest.mark.skipif(not native.AVAILABLE, reason="the native coder was not built")
def test_arrays_that_do_not_belong_together_are_refused_by_name() -> None:
    tables, indices = native._table_set(GAUSSIAN.tables), np.zeros(4, np.uint8)
    data = encode_segment(np.zeros(4, np.int32), indices, GAUSSIAN)
    decode = native._native.decode_segment
    with pytest.raises(ValueError, match="one table index a symbol"):
        decode(data, indices, tables, np.zeros(5, np.int32))
    fixed = np.frombuffer(bytes(16), np.int32)
    for values in (np.zeros(4, np.int64), np.zeros(8, np.int32)[::2], np.zeros((2, 2), np.int32), fixed):
        with pytest.raises(TypeError, match="incompatible"):
            decode(data, indices, tables, values)
    with pytest.raises(BufferError):
        decode(memoryview(data * 2)[::2], indices, tables, np.zeros(4, np.int32))
    with pytest.raises(ValueError, match="at least 1"):
        decode(data, indices, tables, np.zeros(4, np.int32), 0)


@BACKENDS
def test_threads_are_not_started_for_chunks_that_are_not_there(backend: str) -> None:
    cut = bytes.fromhex("0801 007f 007f") + 2 * struct.pack("<I", 1 << 16)
    with pytest.raises(TruncatedError):
        decode_segment(cut, np.zeros(64, np.uint8), GAUSSIAN, threads=1 << 40, backend=backend)


def test_of_two_damaged_chunks_the_first_is_told() -> None:
    tables = np.zeros(64, np.uint8)
    data = bytearray(encode_segment(np.zeros(64, np.int32), tables, GAUSSIAN, lanes_log2=0, chunk_symbols=32))
    assert data[:6] == bytes.fromhex("0801 0000 0000") and len(data) == 14
    data[8] ^= 4  # the state of the first chunk is another one, that of the second too small
    data[12:] = b"\0\0"
    assert "does not end in its starting state" in both(bytes(data), tables)


@BACKENDS
def test_arguments_are_refused_alike(backend: str) -> None:
    data, indices, values = small_segment(0, 0)
    for wrong in ({"lanes_log2": -1}, {"lanes_log2": 2}, {"lanes_log2": 1 << 40}, {"chunk_symbols": 33}):
        with pytest.raises(ValueError):
            encode_segment(values, indices, GGD, backend=backend, **wrong)
    for threads in (0, -1):
        with pytest.raises(ValueError, match="threads"):
            encode_segment(values, indices, GGD, backend=backend, threads=threads)
        with pytest.raises(ValueError, match="threads"):
            decode_segment(data, indices, GGD, backend=backend, threads=threads)
    with pytest.raises(TypeError, match="bytes"):
        decode_segment(5, indices, GGD, backend=backend)  # type: ignore[arg-type]
    twice = np.repeat(np.frombuffer(data, np.uint8), 2).tobytes()
    assert decode_segment(memoryview(twice)[::2], indices, GGD, backend=backend).tolist() == values
