"""Search: it finds motion that is there, pays for bits, and gives the same field with any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import native
from nvcodec.motion.coding import decode_motion, encode_motion
from nvcodec.motion.field import MotionField
from nvcodec.motion.search import search
from nvcodec.motion.warp import warp

from .fields import SEEDS, make_field

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason="the native module was not built")

Picture = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def carphone_pair(planes_of: Callable[..., list[list[np.ndarray]]], carphone: Path) -> tuple[Picture, Picture]:
    """Two pictures of 176x144, a tenth of a second apart."""
    frames = planes_of(carphone, 24)
    return tuple(frames[20]), tuple(frames[23])


def error(a: Picture, b: Picture) -> float:
    """Mean absolute difference of luma."""
    return float(np.abs(a[0].astype(int) - b[0]).mean())


def test_real_motion_is_worth_its_bits(carphone_pair: tuple[Picture, Picture]) -> None:
    reference, current = carphone_pair
    still = error(reference, current)
    fields = {lam: search(current, reference, lam) for lam in (1, 8, 64)}
    errors = [error(warp(reference, field), current) for field in fields.values()]
    sizes = [len(encode_motion(field)) for field in fields.values()]
    assert errors[0] < errors[1] < errors[2] < still and errors[1] < 0.8 * still
    assert sizes[0] > sizes[1] > sizes[2] > 0
    assert fields[1].splits.any()
    again = search(current, reference, 8, fields[8])
    assert len(encode_motion(again, fields[8])) < len(encode_motion(fields[8]))


def test_threads_change_nothing(carphone_pair: tuple[Picture, Picture]) -> None:
    reference, current = carphone_pair
    previous = search(reference, current, 4)
    fields = [search(current, reference, 4, previous, threads=threads) for threads in (1, 2, 3, 40)]
    assert all(field == fields[0] for field in fields)


@pytest.mark.parametrize("vector", [(0, 0), (8, -12), (75, 42), (3, -5)])
def test_a_pan_is_found(carphone_pair: tuple[Picture, Picture], vector: tuple[int, int]) -> None:
    reference = carphone_pair[0]
    pan = MotionField.whole(176, 144, np.full((9, 11, 2), vector, np.int16))
    current = warp(reference, pan)
    found = search(current, reference, 2)
    inner = found.vectors[4:12, 4:14]
    assert (inner == np.array(vector)).all(-1).mean() > 0.8
    assert error(warp(reference, found), current) < 0.5


def test_two_motions_split_the_blocks_between_them(carphone_pair: tuple[Picture, Picture]) -> None:
    reference = carphone_pair[0]
    cells = np.zeros((18, 22, 2), np.int16)
    cells[:, 9:] = (16, 8)  # the border of the two runs through blocks
    current = warp(reference, MotionField(176, 144, cells))
    found = search(current, reference, 2)
    assert found.splits[:, 4].mean() > 0.6 and found.splits[:, 6:].mean() < 0.2


def test_a_guess_helps_where_the_pyramid_is_blind() -> None:
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 256, (96, 320)).astype(np.uint8)  # halved, it is grey everywhere
    chroma = np.full((48, 160), 128, np.uint8)
    current = (np.roll(noise, -90, 1), chroma, chroma)
    flow = np.zeros((96, 320, 2), np.float32)
    flow[..., 0] = 90
    reference = (noise, chroma, chroma)
    guessed = search(current, reference, 2, start=flow)
    assert (guessed.vectors[:, :24] == (360, 0)).all()
    flow[0, 0] = np.nan
    assert search(current, reference, 2, start=flow) == guessed


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([8, 10]), SEEDS, st.sampled_from([0.0, 3.5, 1e5]))
def test_any_size_gives_a_field_that_codes(width: int, height: int, depth: int, seed: int, lam: float) -> None:
    rng = np.random.default_rng(seed)
    shapes = [(height, width), *[(-(-height // 2), -(-width // 2))] * 2]
    kind = np.uint8 if depth == 8 else np.uint16
    pictures = [tuple(rng.integers(0, 1 << depth, s).astype(kind) for s in shapes) for _ in range(2)]
    previous = make_field(seed, width, height, 5000)
    field = search(pictures[0], pictures[1], lam, previous, bit_depth=depth)
    assert decode_motion(encode_motion(field, previous), width, height, previous) == field
    warp(pictures[1], field, depth)


def test_arguments_are_checked(carphone_pair: tuple[Picture, Picture]) -> None:
    reference, current = carphone_pair
    narrow = tuple(plane[:, :-8] for plane in reference)
    for call in (
        lambda: search(current, narrow, 4),
        lambda: search(current, reference, -1),
        lambda: search(current, reference, float("nan")),
        lambda: search(current, reference, 4, MotionField.still(176, 143)),
        lambda: search(current, reference, 4, start=np.zeros((9, 11, 2))),
        lambda: search(current, reference, 4, bit_depth=10),
        lambda: search(current, reference, 4, threads=0),
    ):
        with pytest.raises(ValueError):
            call()


@given(seed=st.integers(0, 1 << 32), spread=st.sampled_from([0, 1, 20, 255]))
def test_the_measure_is_that_of_its_twin(seed: int, spread: int) -> None:
    """Sums of absolute Hadamard coefficients, by numpy as well."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    b = np.clip(a + rng.integers(-spread, spread + 1, (8, 8)), 0, 255).astype(np.uint8)
    two = np.array([[1, 1], [1, -1]])
    matrix = np.kron(two, np.kron(two, two))
    wanted = (int(np.abs(matrix @ (a.astype(int) - b) @ matrix).sum()) + 4) >> 3
    assert native._native.cell_difference(a, b, True) == native._native.cell_difference(a, b, False) == wanted
