"""Shares of time and bytes, by a clock and a file that are made up."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from nvcodec.api.budget import Budget
from nvcodec.api.settings import EncodeSettings
from nvcodec.codecs import sizing
from nvcodec.codecs.base import GroupSpec
from nvcodec.fitting.clip import Clip
from nvcodec.fitting.schedule import Clock
from nvcodec.format import VideoFormat

FORMAT = VideoFormat(64, 48, frame_rate=Fraction(25))
NO_TRACKS = SimpleNamespace(file_bytes=0)


class FakeTime:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in ("nvcodec.api.budget", "nvcodec.fitting.schedule"):
            monkeypatch.setattr(f"{module}.time", SimpleNamespace(monotonic=lambda: self.now))


def plan_of(seconds: float, attempts: int = 1):
    clip = Clip([(np.zeros((48, 64), np.uint8), *[np.zeros((24, 32), np.uint8)] * 2)] * 2, 8, "cpu")
    return sizing.fit_plan(clip, GroupSpec(seconds=seconds), 2000, seconds, 0, attempts)


@pytest.mark.parametrize("overhead", [0.0, 0.02, 0.3])
def test_many_groups_share_a_short_time(monkeypatch, overhead):
    """60 groups in 5 s: each takes its share, and one step once the time is over."""
    time = FakeTime(monkeypatch)
    budget = Budget.of(EncodeSettings(time_budget=5, gof=2), FORMAT, 120, 60, (200, 0), NO_TRACKS, time.now)
    step = 0.01
    for _ in range(60):
        seconds = budget.seconds_for(2)
        plan = plan_of(seconds)
        assert plan.seconds == seconds
        clock = Clock(plan, time.now)
        while clock.progress() < 1.0:
            time.now += step
            clock.step += 1
        time.now += overhead
        budget.spend(100, 2)
    assert time.now - 1000 <= max(5.0, 60 * (overhead + step)) + 60 * step
    assert time.now - 1000 >= 5.0 - step


def test_behind_the_deadline_nothing_is_left(monkeypatch):
    time = FakeTime(monkeypatch)
    budget = Budget.of(EncodeSettings(time_budget=5), FORMAT, 120, 60, (200, 0), NO_TRACKS, time.now)
    time.now += 6
    assert budget.seconds_for(2) == 0.0 and plan_of(0.0).seconds == 0.0 and plan_of(0.0, 5).seconds == 0.0
