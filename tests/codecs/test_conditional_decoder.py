"""Which pictures a decoder of the conditional codec makes, how often, and how many it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs.conditional_decoder import KEPT_PICTURES, REACH, ConditionalDecoder
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.structure import Slot, slots
from nvcodec.container import Unit
from nvcodec.format import Planes, VideoFormat
from nvcodec.models.weights import parse_weights

FORMAT = VideoFormat(8, 8)
KEY, ONE, BOTH = b"\x20", b"\x20\0", b"\x60\0\0"  # heads, fields without bytes, no latents
MOST = 2 * REACH + KEPT_PICTURES


class Counting(ConditionalDecoder):
    """Counts pictures, which are no pictures: each tells its unit and all that it was made of."""

    made: list[int]
    most = 0

    def _picture(self, number: int, references: tuple[Planes, ...]) -> Planes:
        self.made.append(number)
        self.most = max(self.most, len(self._recent))
        plane = np.array([[hash((number, *(int(picture[0][0, 0]) for picture in references)))]])
        return plane, plane, plane

    def shown(self, frame: int) -> int:
        return int(self.planes(frame)[0][0, 0])


Opener = Callable[[Sequence[Unit]], Counting]


@pytest.fixture(scope="module")
def opener(tiny_weights: Path, tiny_conditional: Path) -> Opener:
    ids = b"".join(parse_weights(path.read_bytes()).id for path in (tiny_weights, tiny_conditional))

    def make(units: Sequence[Unit]) -> Counting:
        decoder = get_codec("conditional").open_group(ids + b"\x20\1", units, FORMAT, len(units))
        decoder.__class__ = Counting
        assert isinstance(decoder, Counting)
        decoder.made = []
        return decoder

    return make


def table(order: Sequence[Slot]) -> list[Unit]:
    """Units of frames that hold nothing."""
    number = {slot.time: n for n, slot in enumerate(order)}
    payloads = {slot.time: BOTH if slot.both else ONE if slot.references else KEY for slot in order}
    return [Unit(slot.time, 1, tuple(number[t] for t in slot.references), payloads[slot.time]) for slot in order]


def far(frames: int, distance: int) -> list[Unit]:
    """Each frame leans on the one so many before."""
    return table([Slot(t, (t - distance,) if t >= distance else ()) for t in range(frames)])


def expected(units: Sequence[Unit]) -> dict[int, int]:
    """What each frame shows."""
    values: list[int] = []
    for number, unit in enumerate(units):
        values.append(hash((number, *(values[reference] for reference in unit.references))))
    return {unit.first: value for unit, value in zip(units, values, strict=True)}


TABLES = {
    **{f"distance {distance}": far(120, distance) for distance in (1, 7, 16, 32)},
    **{f"mini groups of {size}": table(slots("random-access", 90, size)) for size in (2, 4, 8, 16)},
    "low delay": table(slots("low-delay", 90)),
    "all alone": table([Slot(t) for t in range(40)]),
    "shown late": [Unit(REACH, 1, (), KEY), *(Unit(n, 1, (0,), ONE) for n in range(REACH))],
    "shown backwards": [Unit(REACH - n, 1, (n - 1,) if n else (), ONE if n else KEY) for n in range(REACH + 1)],
}


@pytest.mark.parametrize("name", TABLES)
def test_whoever_shows_all_makes_each_picture_once(opener: Opener, name: str) -> None:
    units = TABLES[name]
    decoder, values = opener(units), expected(units)
    for frame in range(len(units)):
        assert decoder.shown(frame) == values[frame] == decoder.shown(frame)
    assert decoder.made == list(range(len(units)))
    assert decoder.most <= MOST


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("begin", [1, 23])
def test_whoever_goes_on_from_a_frame_makes_few_twice(opener: Opener, name: str, begin: int) -> None:
    """The frame that one leaps to takes what it leans on alone; behind it nothing is made twice."""
    units = TABLES[name]
    decoder, values = opener(units), expected(units)
    assert decoder.shown(begin) == values[begin]
    leap = len(decoder.made)
    assert leap == len(set(decoder.made))
    for frame in range(begin + 1, len(units)):
        assert decoder.shown(frame) == values[frame]
    assert len(set(decoder.made[leap:])) == len(decoder.made[leap:])
    assert decoder.most <= MOST + REACH


def test_a_leap_takes_what_a_frame_leans_on_alone(opener: Opener) -> None:
    decoder = opener(far(120, 7))
    decoder.shown(100)
    assert decoder.made == list(range(100 % 7, 101, 7))


@st.composite
def tables(draw: st.DrawFn) -> list[Unit]:
    """Any units that the format allows, shown in an order that it allows."""
    count = draw(st.integers(1, 80))
    left, units = list(range(count)), list[Unit]()
    for number in range(count):
        if left[0] <= number - REACH:  # it may wait no longer
            first = left[0]
        else:
            first = draw(st.sampled_from([t for t in left if t <= number + REACH]))
        left.remove(first)
        behind = st.integers(max(0, number - REACH), number - 1) if number else st.nothing()
        references = tuple(draw(st.lists(behind, max_size=2, unique=True))) if number else ()
        units.append(Unit(first, 1, references, (KEY, ONE, BOTH)[len(references)]))
    return units


@settings(max_examples=25, deadline=None)
@given(units=tables(), data=st.data())
def test_any_table_in_any_order(opener: Opener, units: list[Unit], data: st.DataObject) -> None:
    values, decoder = expected(units), opener(units)
    for frame in range(len(units)):
        assert decoder.shown(frame) == values[frame]
    assert decoder.made == list(range(len(units))) and decoder.most <= MOST
    steps = data.draw(st.lists(st.tuples(st.integers(0, len(units) - 1), st.integers(1, 12)), max_size=8))
    for begin, count in steps:
        for frame in range(begin, min(begin + count, len(units))):
            assert decoder.shown(frame) == values[frame]
    assert decoder.most <= 2 * MOST


def test_a_leap_to_a_picture_at_hand_forgets_nothing_of_use(opener: Opener) -> None:
    """Units of the frames behind 19 come before that of 19, which is made already when one leaps to it."""
    late = [20, 0, 10, 21, 22, 1, 25, 11, 2, 3, 4, 5, 6, 7, 8, 26, 23, 9, 12, 13, 14, 15, 16, 17, 18, 19, 24]
    leans = {23: (17,), 27: (1, 23)}
    firsts = [*late, *range(27, 35)]
    units = [Unit(t, 1, leans.get(n, ()), (KEY, ONE, BOTH)[len(leans.get(n, ()))]) for n, t in enumerate(firsts)]
    values, decoder = expected(units), opener(units)
    for frame in (*range(35), *range(11), *range(19, 25)):
        assert decoder.shown(frame) == values[frame]


def test_a_picture_that_could_not_be_made_is_made_later(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    units = TABLES["mini groups of 8"]
    decoder, values = opener(units), expected(units)
    whole = Counting._picture

    def failing(self: Counting, number: int, references: tuple[Planes, ...]) -> Planes:
        if number == 5:
            raise MemoryError
        return whole(self, number, references)

    monkeypatch.setattr(Counting, "_picture", failing)
    failures = 0
    for frame in range(20):
        try:
            assert decoder.shown(frame) == values[frame]
        except MemoryError:
            failures += 1
    monkeypatch.setattr(Counting, "_picture", whole)
    assert failures and [decoder.shown(frame) for frame in range(90)] == [values[frame] for frame in range(90)]
