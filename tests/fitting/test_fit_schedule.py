"""Plans end, progress only rises, learning rates stay in their bounds, every frame has its turn."""


import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.fitting import schedule
from nvcodec.fitting.schedule import Clock, Plan, cosine


def test_a_plan_has_one_measure():
    for bad in ({}, {"steps": 3, "seconds": 1.0}):
        with pytest.raises(ValueError):
            Plan(**bad)


@given(st.integers(0, 200))
def test_steps_are_counted(steps):
    clock, seen = Clock(Plan(steps=steps)), []
    while (progress := clock.progress()) < 1:
        seen.append(progress)
        clock.step += 1
    assert len(seen) == max(steps, 1) and seen == sorted(seen)


@given(st.lists(st.floats(-1, 3), min_size=1, max_size=30), st.floats(0, 20))
def test_progress_by_the_clock_rises_and_takes_one_step_at_least(ticks, seconds):
    now = 100.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule.time, "monotonic", lambda: now)
        clock, seen = Clock(Plan(seconds=seconds)), []
        for tick in ticks:  # even a clock that goes backwards
            now += tick
            seen.append(clock.progress())
            clock.step += 1
    assert seen[0] == 0 and seen == sorted(seen) and all(0 <= p <= 1 for p in seen)


@given(st.floats(0, 1))
def test_cosine_is_bounded(progress):
    assert 0 < cosine(progress) <= 1


def test_cosine_warms_up_and_falls():
    values = [cosine(i / 100) for i in range(101)]
    peak = values.index(max(values))
    assert 0 < peak < 10
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] == pytest.approx(0.02)

