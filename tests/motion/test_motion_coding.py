"""The bytes of motion fields: every field comes back, and no bytes do worse than raise or give another field."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import chain_py, native
from nvcodec.errors import DamagedError, FormatError, LimitError, TruncatedError
from nvcodec.motion.coding import decode_motion, encode_motion
from nvcodec.motion.field import VECTOR_HIGH, VECTOR_LOW, MotionField
from nvcodec.motion.tables import motion_tables

from .fields import SEEDS, SIDES, SPREADS, make_field

BACKENDS = ["python", *(["native"] if native.AVAILABLE else [])]
NATIVE = pytest.mark.skipif(not native.AVAILABLE, reason="the native module was not built")


@settings(max_examples=120, deadline=None)
@given(SIDES, SIDES, SPREADS, SEEDS, st.one_of(st.none(), SEEDS), st.floats(0, 1))
def test_round_trip(width: int, height: int, spread: int, seed: int, other: int | None, wholeness: float) -> None:
    field = make_field(seed, width, height, spread, wholeness)
    previous = None if other is None else make_field(other, width, height, spread, wholeness)
    coded = {encode_motion(field, previous, backend=name) for name in BACKENDS}
    assert len(coded) == 1
    for name in BACKENDS:
        assert decode_motion(next(iter(coded)), width, height, previous, backend=name) == field


def test_a_field_as_predicted_has_no_bytes() -> None:
    still = MotionField.still(100, 50)
    assert encode_motion(still) == b"" and decode_motion(b"", 100, 50) == still
    moved = make_field(1, 100, 50, 40)
    assert len(encode_motion(moved, moved)) < 0.4 * len(encode_motion(moved))
    panned = MotionField.whole(100, 50, np.full((4, 7, 2), (-13, 6), np.int16))
    assert encode_motion(panned, panned) == b"" and len(encode_motion(panned)) < 16


def test_range_limits() -> None:
    corners = np.array([VECTOR_LOW, VECTOR_HIGH], np.int16)
    vectors = np.random.default_rng(1).choice(corners, (6, 8, 2))
    field = MotionField(64, 48, vectors)
    assert decode_motion(encode_motion(field), 64, 48) == field


def one_outcome(data: bytes, width: int, height: int, backend: str) -> MotionField | str:
    try:
        return decode_motion(data, width, height, backend=backend)
    except FormatError as error:
        return f"{type(error).__name__}: {error}"


def outcome(data: bytes, width: int, height: int) -> MotionField | str:
    """A field or an error's words, after checking that every backend has the same."""
    results = [one_outcome(data, width, height, name) for name in BACKENDS]
    assert all(result == results[0] for result in results)
    return results[0]


def test_damage() -> None:
    field = make_field(3, 88, 56, 30)
    data = encode_motion(field)
    for length in range(len(data)):
        if length:  # no bytes at all are another field
            assert isinstance(outcome(data[:length], 88, 56), str)
    assert str(outcome(data + b"\0\0", 88, 56)).startswith("DamagedError")
    silent = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        result = outcome(bytes(flipped), 88, 56)
        assert result != field
        silent += isinstance(result, MotionField)
    assert silent < 0.1 * 8 * len(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), SIDES, SIDES)
def test_random_bytes(data: bytes, width: int, height: int) -> None:
    outcome(data, width, height)


@settings(max_examples=200, deadline=None)
@given(st.integers(2**16, 2**32 - 1), st.binary(max_size=200), SIDES, SIDES)
def test_random_words_behind_a_state(state: int, words: bytes, width: int, height: int) -> None:
    result = outcome(state.to_bytes(4, "little") + words[: len(words) & ~1], width, height)
    if isinstance(result, MotionField):  # what passes is a field like any other
        assert decode_motion(encode_motion(result), width, height) == result


def test_the_errors_say_what_is_wrong() -> None:
    field = make_field(5, 64, 64, 30)
    data = encode_motion(field)
    with pytest.raises(DamagedError, match="too many"):
        decode_motion(bytes(1 << 20), 64, 64)
    with pytest.raises(TruncatedError):
        decode_motion(data[:-2], 64, 64)
    for size in ((0, 64), (64, 1 << 15), (-1, -1)):
        with pytest.raises(LimitError):
            decode_motion(data, *size)
    with pytest.raises(ValueError, match="the field before"):
        decode_motion(data, 64, 64, MotionField.still(64, 48))
    with pytest.raises(ValueError, match="the field before"):
        encode_motion(field, MotionField.still(48, 64))


def test_a_vector_out_of_range_is_refused() -> None:
    far = MotionField.whole(16, 32, np.array([[[4000, 0]], [[4095, 0]]], np.int16))
    tables = motion_tables()
    # The first block: not as predicted, whole, then a difference of 5000 quarters across and none down.
    across, down = 64 + 13 + 8 * 7 + 0, 64 + 13 + 8 * 8 + 2
    values, indices = np.array([0, 0, 5000, 0], np.int32), np.array([2270 >> 6, 800 >> 6, across, down], np.uint16)
    with pytest.raises(DamagedError, match="out of range"):
        decode_motion(chain_py.encode_chain(values, indices, tables), 16, 16)
    with pytest.raises(DamagedError, match="neither"):
        decode_motion(chain_py.encode_chain(np.array([1], np.int32), indices[:1], tables), 16, 16)
    assert decode_motion(encode_motion(far), 16, 32) == far


@NATIVE
def test_the_kernel_checks_for_itself() -> None:
    from nvcodec import _native

    tables = motion_tables()
    good = _native.TableSet(tables.cumulative, tables.offsets, tables.raw_bits)
    few = _native.TableSet(tables.cumulative[:8], tables.offsets[:3], tables.raw_bits[:2])
    cells = np.zeros((4, 4, 2), np.int16)
    assert _native.encode_motion(cells, None, 32, 32, good) == b""
    for vectors, previous, size, chosen in (
        (cells, None, 33, good),
        (cells, cells[:2].copy(), 32, good),
        (cells + np.int16(5000), None, 32, good),
        (cells, None, 0, good),
        (cells, None, 32, few),
    ):
        with pytest.raises(ValueError):
            _native.encode_motion(vectors, previous, size, 32, chosen)
        with pytest.raises(ValueError):
            _native.decode_motion(b"", previous, size, 32, chosen, vectors if vectors.max() < 1 else cells[:1].copy())
