"""Finds the constant rate factor at which an encoder's file comes out just under a target size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from nvcodec.errors import GoalError

CRF_PER_DOUBLING = 6.0  # six steps of CRF or QP about double the rate (H.264 and HEVC quantiser scale)


@dataclass
class CrfSearch:
    """A search over a size that falls as CRF rises. ``tried`` holds every (CRF: bytes) measured."""

    target: int  # bytes
    low: float
    high: float
    step: float = 0.01
    tolerance: float = 0.02
    max_trials: int = 12
    tried: dict[float, int] = field(default_factory=dict)

    def run(self, size_at: Callable[[float], int], start: float) -> tuple[float, int]:
        """(CRF, bytes) of the largest file found that is at most ``target`` bytes.

        Ends as soon as one lies within ``tolerance`` below the target, or when no finer step is left.

        Raises:
            GoalError: even the highest CRF gives more than ``target`` bytes.
        """
        crf = self._round(start)
        while len(self.tried) < self.max_trials and crf not in self.tried:
            self.tried[crf] = size_at(crf)
            if (1 - self.tolerance) * self.target <= self.tried[crf] <= self.target:
                break
            crf = self._next()
        fitting = {crf: size for crf, size in self.tried.items() if size <= self.target}
        if not fitting:
            least = min(self.tried.values())
            raise GoalError(f"no CRF up to {self.high:g} goes down to {self.target} bytes, the least was {least}")
        best = min(fitting, key=lambda crf: (-fitting[crf], crf))
        return best, fitting[best]

    def _next(self) -> float:
        too_big = [crf for crf, size in self.tried.items() if size > self.target]
        small = [crf for crf, size in self.tried.items() if size <= self.target]
        if too_big and small:
            return self._between(max(too_big), min(small))
        edge = max(too_big) if too_big else min(small)
        doublings = math.log2(max(self.tried[edge], 1) / self._aim)
        reach = doublings * CRF_PER_DOUBLING
        return self._round(edge + reach + math.copysign(0.25, reach))

    @property
    def _aim(self) -> float:
        return self.target * (1 - self.tolerance / 2)

    def _between(self, big: float, small: float) -> float:
        """Interpolates the log of the size, kept inside of the bracket."""
        if big >= small:  # sizes did not fall with CRF here: step on until they do
            return self._round(big + self.step)
        log_big, log_small = (math.log(max(self.tried[crf], 1)) for crf in (big, small))
        share = (log_big - math.log(self._aim)) / max(log_big - log_small, 1e-9)
        margin = max(0.1 * (small - big), self.step)
        guess = big + share * (small - big)
        return self._round(max(min(guess, small - margin), big + margin))

    def _round(self, crf: float) -> float:
        steps = round(min(max(crf, self.low), self.high) / self.step)
        return round(steps * self.step, 6)
