"""Meeting a goal with a trained codec: the trial of a group, among those at all settings of the dial, that fits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nvcodec.codecs.base import QUALITIES, GroupSpec
from nvcodec.codecs.dial import last_within
from nvcodec.container import Unit
from nvcodec.container.fields import uv
from nvcodec.models.prior_network import TABLES

RATE_SLOPE = 0.06  # of log2 of the bytes, a step of quality
PSNR_SLOPE = 0.24  # dB a step
SKIP = 1  # where the narrowest table is expected nothing is coded


@dataclass
class Trial:
    """A group at one quality."""

    quality: int
    skip: int = SKIP
    units: list[Unit] = field(default_factory=list)
    bits: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of the units and of their rows in the unit table, about."""
        return sum(len(u.payload) + 1 + len(uv(len(u.payload))) + (not u.references) for u in self.units)


Kind = TypeVar("Kind", bound=Trial)


class GoalSearch(Generic[Kind]):
    """``trial`` codes the group at a quality and a threshold of skipping, ``psnr`` measures one."""

    def __init__(self, trial: Callable[[int, int], Kind], psnr: Callable[[Kind], float]) -> None:
        self._trial, self._psnr = trial, psnr

    def run(self, spec: GroupSpec, config_bytes: int) -> tuple[Kind, bool]:
        """The trial that meets the goal best, and whether it does."""
        start = round(spec.quality)
        if spec.target_bytes is not None:
            return self._fill(math.log2(max(1, spec.target_bytes - config_bytes)), start)
        if spec.psnr_floor is not None:
            return self._reach(spec.psnr_floor, start)
        return self._trial(start, SKIP), True

    def _fill(self, room: float, start: int) -> tuple[Kind, bool]:
        """The best setting whose log2 of bytes is within ``room``, the smallest where none is.

        Below quality 0 more and more is left out: setting -n skips what is under table n + SKIP.
        """
        lowest, kept = SKIP - TABLES + 1, list[Kind]()  # the best so far alone: a trial of a large group takes memory

        def log_bytes(setting: int) -> float:
            trial = self._trial(max(0, setting), SKIP + max(0, -setting))
            value = math.log2(max(1, trial.size))
            if value <= room or setting == lowest:
                kept[:] = [trial]
            return value

        found = last_within(log_bytes, room, start, RATE_SLOPE, lowest)
        return kept[0], found is not None

    def _reach(self, floor: float, start: int) -> tuple[Kind, bool]:
        """The least quality that reaches the floor, the highest one where none does."""
        kept = list[tuple[Kind, bool]]()

        def level(quality: int) -> float:
            trial = self._trial(quality, SKIP)
            value = self._psnr(trial)
            if value >= floor or quality == QUALITIES - 1:
                kept[:] = [(trial, value >= floor)]
            return value

        last_within(level, math.nextafter(floor, -math.inf), start, PSNR_SLOPE)
        return kept[0]
