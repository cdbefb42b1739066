"""A time budget of the conditional codec: goals are met with what time there is. Clocks of these tests count frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nvcodec.codecs import conditional_encoder as room
from nvcodec.codecs.base import GroupPayload, GroupSpec
from nvcodec.codecs.conditional_chain import ChainCoder, ChainTrial, Plan
from nvcodec.codecs.registry import get_codec
from nvcodec.container.group import pack_table
from nvcodec.format import VideoFormat

FORMAT = VideoFormat(32, 32)
FRAMES = 11
GOALS: dict[str, dict[str, Any]] = {
    "small": {"target_bytes": 250},
    "large": {"target_bytes": 1500},
    "fine": {"psnr_floor": 38.0},
    "coarse": {"psnr_floor": 27.0},
}


class Clock:
    """Each frame that is coded takes a share of a second: a group takes one."""

    def __init__(self) -> None:
        self.now, self.trials = 100.0, list[int]()

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made, code = Clock(), ChainCoder.code

    def slow(self: ChainCoder, plan: Plan, quality: int, skip: int) -> ChainTrial:
        made.now += len(self.frames) / FRAMES
        made.trials.append(len(self.frames))
        return code(self, plan, quality, skip)

    monkeypatch.setattr(ChainCoder, "code", slow)
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=made.monotonic))
    yield made


@pytest.fixture
def spec(tiny_conditional: Path) -> GroupSpec:
    return GroupSpec(quality=32, model=str(tiny_conditional))


def encode(crop: Any, spec: GroupSpec) -> GroupPayload:
    return get_codec("conditional").encode_group(crop(32, 32, FRAMES), FORMAT, spec)


def meets(payload: GroupPayload, spec: GroupSpec) -> bool:
    if spec.target_bytes is not None:
        return payload.size + len(pack_table(payload.units)) <= spec.target_bytes
    return payload.psnr >= (spec.psnr_floor or 0)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5, 2.5, 4.0, 7.0, 40.0])
def test_goals_are_met_in_time_or_soon_after(crop: Any, spec: GroupSpec, clock: Clock, goal: str, seconds: float):
    """Once the time is over, no further trial is made but those that the goal cannot be met without."""
    wanted = replace(spec, seconds=seconds, **GOALS[goal])
    payload = encode(crop, wanted)
    took = clock.now - 100
    assert payload.goal_met and meets(payload, wanted)
    assert ("late" in payload.notes) == (took > room.LATE * seconds)
    assert payload.seconds == pytest.approx(took)
    assert took <= max(room.LATE * seconds, 3.5)
    if seconds >= 7:
        assert "late" not in payload.notes


def test_more_time_comes_nearer_to_the_goal(crop: Any, spec: GroupSpec, clock: Clock) -> None:
    sizes = [encode(crop, replace(spec, seconds=seconds, target_bytes=900)).size for seconds in (1.0, 30.0)]
    assert sizes[0] < sizes[1] <= 900


def test_a_time_without_a_goal_is_kept(crop: Any, spec: GroupSpec, clock: Clock) -> None:
    """Whole groups are tried while there is time for another; the first one is always made."""
    for seconds, trials in ((0.0, 1), (0.5, 1), (1.5, 1), (3.5, 3), (50.0, len(room.EFFORTS["slower"].choices))):
        clock.trials.clear()
        payload = encode(crop, replace(spec, seconds=seconds))
        assert clock.trials == [FRAMES] * trials
        assert ("late" in payload.notes) == (seconds < 1)


def test_without_a_time_no_clock_is_read(crop: Any, spec: GroupSpec, clock: Clock, monkeypatch) -> None:
    plain = [encode(crop, replace(spec, preset="fast", **goal)) for goal in GOALS.values()]
    monkeypatch.setattr(clock, "monotonic", lambda: 0.0)
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: clock.now * clock.now))
    for goal, payload in zip(GOALS.values(), plain, strict=True):
        again = encode(crop, replace(spec, preset="fast", **goal))
        assert again.units == payload.units and "late" not in again.notes
