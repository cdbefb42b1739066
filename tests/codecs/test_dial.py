"""The search on the dial, against looking at every quality."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nvcodec.codecs.dial import last_within


@given(
    steps=st.lists(st.floats(0, 3), min_size=64, max_size=64),
    target=st.floats(-10, 100),
    start=st.integers(0, 63),
    slope=st.floats(0.01, 10),
)
def test_it_finds_the_last_within(steps, target, start, slope):
    values = [sum(steps[: i + 1]) for i in range(64)]
    asked = []

    def figure(quality: int) -> float:
        asked.append(quality)
        return values[quality]

    within = [i for i in range(64) if values[i] <= target]
    assert last_within(figure, target, start, slope) == (within[-1] if within else None)
    assert len(set(asked)) == len(asked) and all(0 <= q <= 63 for q in asked)


@given(slope=st.floats(0.03, 0.1), start=st.integers(0, 63), offset=st.floats(0, 10), target=st.floats(0, 15))
def test_a_line_takes_few_tries(slope, start, offset, target):
    asked = []

    def figure(quality: int) -> float:
        asked.append(quality)
        return offset + slope * quality

    last_within(figure, target, start, 0.06)
    assert len(asked) <= 7


@given(
    steps=st.lists(st.floats(0, 3), min_size=64, max_size=64),
    target=st.floats(-10, 100),
    start=st.integers(0, 63),
    slope=st.floats(0.01, 10),
    tries=st.integers(0, 8),
)
def test_without_time_it_stops_at_the_first_within(steps, target, start, slope, tries):
    """And where none is yet, it goes down until one is, in few steps."""
    values = [sum(steps[: i + 1]) for i in range(64)]
    asked = []

    def figure(quality: int) -> float:
        asked.append(quality)
        return values[quality]

    def more(trials: int) -> bool:
        return len(asked) + trials <= tries

    found = last_within(figure, target, start, slope, more=more)
    within = [quality for quality in asked if values[quality] <= target]
    assert found == (max(within) if within else None)
    assert within or values[0] > target
    assert len(set(asked)) == len(asked) and len(asked) <= max(1, tries) + 4
    late = asked[max(1, tries) :]
    assert not within or min(asked.index(quality) for quality in within) >= len(asked) - 1 or not late
