"""Warp: the native kernel is its NumPy twin sample for sample, and both do what MOTION.md says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import native
from nvcodec.errors import FormatError, LimitError
from nvcodec.motion.field import VECTOR_HIGH, VECTOR_LOW, MotionField, grid_shape, settle
from nvcodec.motion.warp import warp
from nvcodec.motion.warp_py import CHROMA_FILTER, LUMA_FILTER

BACKENDS = ["python", *(["native"] if native.AVAILABLE else [])]
BACKEND = pytest.mark.parametrize("backend", BACKENDS)


def random_planes(rng: np.random.Generator, width: int, height: int, depth: int) -> tuple[np.ndarray, ...]:
    """Noise of the two extreme values and of any: what overflows first."""
    shapes = [(height, width), *[(-(-height // 2), -(-width // 2))] * 2]
    top = (1 << depth) - 1
    extreme = rng.random() < 0.5
    kind = np.uint8 if depth == 8 else np.uint16
    return tuple((rng.integers(0, 2, s) * top if extreme else rng.integers(0, top + 1, s)).astype(kind) for s in shapes)


def random_field(rng: np.random.Generator, width: int, height: int, spread: int) -> MotionField:
    rows, columns = grid_shape(width, height)
    low, high = max(-spread, VECTOR_LOW), min(spread, VECTOR_HIGH)
    vectors = rng.integers(low, high + 1, (2 * rows, 2 * columns, 2)).astype(np.int16)
    if rng.random() < 0.5:  # some runs of equal vectors
        vectors = np.repeat(vectors, 3, 1)[:, : 2 * columns]
    return MotionField(width, height, settle(vectors, width, height))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 150),
    st.integers(1, 70),
    st.sampled_from([8, 10]),
    st.sampled_from([0, 3, 40, 700, 5000]),
    st.integers(0, 2**32),
)
def test_kernel_and_twin_are_equal(width: int, height: int, depth: int, spread: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    planes, field = random_planes(rng, width, height, depth), random_field(rng, width, height, spread)
    results = [warp(planes, field, depth, backend=name) for name in BACKENDS]
    for result in results:
        for a, b, source in zip(result, results[0], planes, strict=True):
            assert a.dtype == source.dtype and np.array_equal(a, b)


@BACKEND
@pytest.mark.parametrize("size", [(1, 1), (8, 9), (17, 16), (33, 31)])
def test_no_motion_is_the_reference(backend: str, size: tuple[int, int]) -> None:
    planes = random_planes(np.random.default_rng(1), *size, 10)
    for a, b in zip(warp(planes, MotionField.still(*size), 10, backend=backend), planes, strict=True):
        assert np.array_equal(a, b)


@BACKEND
def test_whole_samples_move_and_the_border_is_repeated(backend: str) -> None:
    rng = np.random.default_rng(2)
    planes = random_planes(rng, 37, 29, 8)
    for x, y in ((6, -4), (-400, 2), (1022, 1022)):
        field = MotionField.whole(37, 29, np.full((2, 3, 2), (4 * x, 4 * y), np.int16))
        moved = warp(planes, field, backend=backend)
        rows, columns = np.clip(np.arange(29) + y, 0, 28), np.clip(np.arange(37) + x, 0, 36)
        assert np.array_equal(moved[0], planes[0][rows][:, columns])
        rows, columns = np.clip(np.arange(15) + y // 2, 0, 14), np.clip(np.arange(19) + x // 2, 0, 18)
        assert np.array_equal(moved[1], planes[1][rows][:, columns])


@BACKEND
def test_half_a_sample_by_hand(backend: str) -> None:
    y = np.zeros((16, 16), np.uint8)
    y[8, 8] = 200
    chroma = np.zeros((8, 8), np.uint8)
    field = MotionField.whole(16, 16, np.full((1, 1, 2), (2, 0), np.int16))
    moved = warp((y, chroma, chroma), field, backend=backend)[0]
    by_hand = [(200 * tap + 32) // 64 for tap in (-1, 4, -11, 40, 40, -11, 4, -1)]
    assert moved[8, 4:12].tolist() == [max(0, value) for value in by_hand]
    assert not np.delete(moved, 8, 0).any()


def test_filters_sum_to_one_and_mirror() -> None:
    for filters in (LUMA_FILTER, CHROMA_FILTER):
        assert all(sum(taps) == 64 for taps in filters)
        for k in range(1, len(filters)):
            assert filters[k] == filters[-k][::-1]


def test_fields_are_checked() -> None:
    good = np.zeros((4, 6, 2), np.int16)
    assert MotionField(33, 17, good).splits.shape == (2, 3)
    for bad in (good.astype(np.int32), good[:2], good + np.int16(4096), good - np.int16(4097)):
        with pytest.raises(FormatError):
            MotionField(33, 17, bad)
    for row, column in ((0, 5), (3, 0)):  # outside the picture
        bad = good.copy()
        bad[row, column] = 1
        with pytest.raises(FormatError, match="outside"):
            MotionField(33, 17, bad)
    for size in ((0, 5), (5, -1), (1 << 17, 16)):
        with pytest.raises(LimitError):
            MotionField(*size, good)
    with pytest.raises(ValueError):
        MotionField(33, 17, good).vectors[0, 0] = 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
def test_settled_fields_are_taken(width: int, height: int, seed: int) -> None:
    field = random_field(np.random.default_rng(seed), width, height, 9)
    assert field == MotionField(width, height, settle(field.vectors, width, height))


def test_planes_are_checked() -> None:
    planes, field = random_planes(np.random.default_rng(3), 20, 20, 8), MotionField.still(20, 20)
    wide = tuple(plane.astype(np.uint16) * 5 for plane in planes)
    for bad, depth in ((planes, 10), (wide, 8), (wide, 10), (planes[:2] + planes[:1], 8), (planes, 12)):
        with pytest.raises(ValueError):
            warp(bad, field, depth)
    with pytest.raises(ValueError):
        warp(planes, MotionField.still(20, 40))


@pytest.mark.skipif(not native.AVAILABLE, reason="the native module was not built")
def test_the_kernel_checks_for_itself() -> None:
    from nvcodec._native import warp_plane

    plane, vectors = np.zeros((20, 20), np.uint8), np.zeros((4, 4, 2), np.int16)
    warp_plane(plane, vectors, False, 8, plane.copy())
    for arguments in (
        (plane, vectors[:2].copy(), False, 8, plane.copy()),
        (plane, vectors, True, 8, plane.copy()),
        (plane, vectors - np.int16(5000), False, 8, plane.copy()),
        (plane, vectors, False, 10, plane.copy()),
        (plane, vectors, False, 8, plane[:10].copy()),
        (np.zeros((0, 20), np.uint8), vectors, False, 8, np.zeros((0, 20), np.uint8)),
    ):
        with pytest.raises(ValueError):
            warp_plane(*arguments)
