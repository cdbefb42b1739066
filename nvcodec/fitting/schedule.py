"""How far a fit is: by steps (the same bytes every time) or by the clock (``--time-budget``)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """Either a number of optimiser steps or of seconds; exactly one is set."""

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("a plan has either steps or seconds")

    def part(self, share: float) -> Plan:
        """So much of it."""
        if self.steps is not None:
            return Plan(steps=max(1, round(share * self.steps)))
        assert self.seconds is not None
        return Plan(seconds=share * self.seconds)


@dataclass
class Clock:
    """Progress of a plan in [0, 1]; by the clock it goes on from where the slower or faster steps have left it."""

    plan: Plan
    started: float = field(default_factory=time.monotonic)
    step: int = 0
    _floor: float = 0.0

    def progress(self) -> float:
        if self.plan.steps is not None:
            return min(1.0, self.step / max(self.plan.steps, 1))
        assert self.plan.seconds is not None
        elapsed = time.monotonic() - self.started
        self._floor = max(self._floor, min(1.0, elapsed / max(self.plan.seconds, 1e-9)))
        return self._floor if self.step else 0.0  # at least one step, however small the budget

    def seconds(self) -> float:
        return time.monotonic() - self.started


def cosine(progress: float, warm_up: float = 0.05, floor: float = 0.02) -> float:
    """Factor on the learning rate: linear warm-up, then half a cosine down to ``floor``."""
    rise = min(1.0, (progress + 1e-3) / warm_up) if warm_up > 0 else 1.0
    return rise * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
