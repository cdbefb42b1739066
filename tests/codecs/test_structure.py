"""Structures of groups obey the format whatever their length; cuts are found where clips are put together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs.base import QUALITIES, STRUCTURES
from nvcodec.codecs.conditional_decoder import REACH
from nvcodec.codecs.structure import KEY_BONUS, LONGEST_CHAIN, MINI_GROUP, Slot, level_of, scene_slots, slots
from nvcodec.cuts import CUT, changed, local_means, scenes
from nvcodec.format import Planes

FRAMES = range(1, 71)
BOTH = pytest.mark.parametrize("structure", STRUCTURES)
MINI_GROUPS = (2, MINI_GROUP, 8)


def check(order: list[Slot], frames: int) -> None:
    """What CONDITIONAL.md, sections 1 and 3, asks of units."""
    number = {slot.time: n for n, slot in enumerate(order)}
    assert len(order) == frames and set(number) == set(range(frames))
    for n, slot in enumerate(order):
        behind = [number[t] for t in slot.references]
        assert len(behind) <= 2 and len(set(behind)) == len(behind)
        assert all(n - REACH <= b < n for b in behind)
        assert abs(slot.time - n) <= REACH
        assert not slot.both or len(behind) == 2
        if len(behind) == 2 and not slot.both:
            assert order[behind[0]].references[:1] == slot.references[1:]


@BOTH
@pytest.mark.parametrize("mini_group", MINI_GROUPS)
def test_every_length_obeys_the_format(structure: str, mini_group: int) -> None:
    for frames in FRAMES:
        order = slots(structure, frames, mini_group)
        check(order, frames)
        assert [slot.time for slot in order if not slot.references] == [0]
        check(scene_slots([range(frames)], structure, mini_group), frames)


@BOTH
@pytest.mark.parametrize("mini_group", MINI_GROUPS)
@settings(max_examples=60, deadline=None)
@given(runs=st.lists(st.integers(1, 70), min_size=1, max_size=6))
def test_scenes_stand_alone(structure: str, mini_group: int, runs: list[int]) -> None:
    edges = np.cumsum([0, *runs]).tolist()
    parts = [range(a, b) for a, b in pairwise(edges)]
    order = scene_slots(parts, structure, mini_group)
    check(order, edges[-1])
    scene_of = {t: n for n, part in enumerate(parts) for t in part}
    assert all(scene_of[slot.time] == scene_of[t] for slot in order for t in slot.references)
    keys = {slot.time for slot in order if not slot.references}
    assert set(edges[:-1]) <= keys
    if structure == "random-access":
        assert keys == set(edges[:-1])


@pytest.mark.parametrize("frames", [1, LONGEST_CHAIN, LONGEST_CHAIN + 1, 64, 2 * LONGEST_CHAIN + 1, 200])
def test_chains_of_low_delay_begin_anew(frames: int) -> None:
    order = scene_slots([range(frames)], "low-delay")
    keys = [slot.time for slot in order if not slot.references]
    lengths = np.diff([*keys, frames])
    assert [slot.time for slot in order] == list(range(frames))
    assert lengths.max() <= LONGEST_CHAIN and np.ptp(lengths) <= 1
    assert len(keys) == -(-frames // LONGEST_CHAIN)


def test_low_delay_waits_for_nothing_and_random_access_for_less_than_a_mini_group() -> None:
    for frames in FRAMES:
        assert [slot.time for slot in slots("low-delay", frames)] == list(range(frames))
        for mini_group in MINI_GROUPS:
            times = np.array([slot.time for slot in slots("random-access", frames, mini_group)])
            assert (np.maximum.accumulate(times) - times).max() < mini_group


def test_frames_between_lean_on_both_sides() -> None:
    for frames in FRAMES:
        for slot in slots("random-access", frames):
            if slot.both:
                assert slot.references[0] < slot.time < slot.references[1]
            else:
                assert all(t < slot.time for t in slot.references)


@BOTH
def test_few_pictures_wait(structure: str) -> None:
    """Whoever decodes in order holds what later units refer to, and no more than a handful."""
    for frames in (33, 70):
        order = slots(structure, frames)
        last = {t: n for n, slot in enumerate(order) for t in slot.references}
        waiting = [sum(last.get(slot.time, -1) > n for slot in order[: n + 1]) for n in range(frames)]
        assert max(waiting) <= (2 if structure == "low-delay" else 4)


@BOTH
def test_levels_of_quality(structure: str) -> None:
    """Within the dial, never falling along it, all equal at its top; a key frame has the best."""
    order = slots(structure, 9)
    levels = np.array([[level_of(slot, quality) for quality in range(QUALITIES)] for slot in order])
    assert levels.min() >= 0 and levels.max() == QUALITIES - 1
    assert (np.diff(levels, axis=1) >= 0).all()
    assert (levels[:, -1] == QUALITIES - 1).all()
    assert (levels[0] == levels.max(0)).all()
    assert levels[0, 20] == 20 + KEY_BONUS
    used = {slot.references[-1] for slot in order if slot.references}
    leaves = [level for slot, level in zip(order, levels, strict=True) if slot.time not in used]
    assert (min(level[32] for level in leaves) == levels[:, 32].min()) or structure == "low-delay"


# cuts


@pytest.fixture(scope="module")
def clips(carphone: Path, bikes: Path, bunny: Path, planes_of: Callable[..., list[list[np.ndarray]]]):
    """Eight frames of each of three films, 176x144 from their middles."""
    made = []
    for path in (carphone, bikes, bunny):
        pieces = []
        for luma, *chroma in planes_of(path, 8):
            y, x = (luma.shape[0] - 144) // 4 * 2, (luma.shape[1] - 176) // 4 * 2
            half = slice(y // 2, y // 2 + 72), slice(x // 2, x // 2 + 88)
            pieces.append((luma[y : y + 144, x : x + 176], *(plane[half] for plane in chroma)))
        made.append(pieces)
    return made


def test_one_take_is_one_scene(clips: list[list[Planes]]) -> None:
    for clip in clips:
        assert scenes(clip) == [range(8)]
        assert scenes(clip[::2]) == [range(4)]
        assert scenes(clip[:1]) == [range(1)]


@pytest.mark.parametrize("pair", [(0, 1), (1, 2), (2, 0)])
@pytest.mark.parametrize("at", [1, 3, 7])
def test_a_cut_put_together_from_two_is_found(clips: list[list[Planes]], pair: tuple[int, int], at: int) -> None:
    a, b = (clips[n] for n in pair)
    assert scenes([*a[:at], *b[at:]]) == [range(at), range(at, 8)]
    assert scenes([*a[:2], *b[2:3], *a[3:]]) == [range(2), range(2, 3), range(3, 8)]


def test_the_cuts_of_a_film(bikes: Path, planes_of: Callable[..., list[list[np.ndarray]]]) -> None:
    assert scenes(planes_of(bikes, 80)) == [range(30), range(30, 76), range(76, 80)]


def test_what_fades_or_shakes_is_no_cut(clips: list[list[Planes]]) -> None:
    for clip in clips:
        y, u, v = clip[0]
        darker = [((y.astype(int) * (10 - n) // 10).astype(np.uint8), u, v) for n in range(8)]
        shaken = [(np.roll(y, (n % 3 * 4, n % 2 * 6), (0, 1)), u, v) for n in range(8)]
        assert len(scenes(darker)) == len(scenes(shaken)) == 1


def test_ten_bits_and_odd_sizes_see_the_same_cut(clips: list[list[Planes]]) -> None:
    both = [*clips[0][:3], *clips[1][3:]]
    wide = [tuple(plane.astype(np.uint16) * 4 for plane in planes) for planes in both]
    odd = [(y[:63, :65], u, v) for y, u, v in both]
    assert scenes(wide) == scenes(both) == scenes(odd) == [range(3), range(3, 8)]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 9), (8, 8), (17, 33)])
def test_means_of_any_size(size: tuple[int, int]) -> None:
    luma = np.random.default_rng(3).integers(0, 1024, size, np.uint16)
    means = local_means(luma)
    rows, columns = max(1, size[0] // 8), max(1, size[1] // 8)
    assert means.shape == (rows, columns)
    assert means[0, 0] == luma[:8, :8].sum() and means[-1, -1] == luma[8 * rows - 8 :, 8 * columns - 8 :][:8, :8].sum()
    assert changed(means, means) == 0
    other = local_means(np.full(size, 1023, np.uint16))
    assert 0 <= changed(means, other) <= 1.0 + 1e-9
    assert scenes([(luma, luma, luma)] * 3) == [range(3)]


def test_flat_pictures_have_no_cut() -> None:
    """Nothing but a level: without detail there is nothing that a prediction could lose."""
    flat = [(np.full((16, 16), value, np.uint8),) * 3 for value in (0, 255, 128, 128)]
    assert scenes(flat) == [range(4)]
    assert 0 < CUT < 1


@pytest.mark.parametrize("grain", [1.0, 3.0])
def test_grain_on_a_plain_ground_is_no_cut(grain: float) -> None:
    """Noise has nothing in common with that of the frame before, but nothing of a scene either."""
    rng = np.random.default_rng(5)
    luma = [np.clip(np.rint(16 + grain * rng.normal(size=(72, 88))), 0, 255).astype(np.uint8) for _ in range(6)]
    assert scenes([(y, y, y) for y in luma]) == [range(6)]
    assert scenes([(y.astype(np.uint16) * 4,) * 3 for y in luma]) == [range(6)]
