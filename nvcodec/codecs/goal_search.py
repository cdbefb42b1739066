"""Meeting a goal with a trained codec: the trial of a group, among those at all settings of the dial, that fits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nvcodec.codecs.base import QUALITIES, GroupSpec, Rest
from nvcodec.codecs.dial import last_within
from nvcodec.container import Unit
from nvcodec.container.group import pack_table
from nvcodec.models.prior_network import TABLES

RATE_SLOPE = 0.065  # of log2 of the bytes, a step of quality
PSNR_SLOPE = 0.24  # dB a step
NEAR, PSNR_NEAR = 0.04, 0.12  # of log2 of the bytes, dB: no further trial is worth it
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
        """Bytes of the units and of their rows in the unit table."""
        return sum(len(u.payload) for u in self.units) + len(pack_table(self.units))


Kind = TypeVar("Kind", bound=Trial)


class GoalSearch(Generic[Kind]):
    """``trial`` codes the group at a quality and a threshold of skipping, ``psnr`` measures one, ``more`` says whether
    there is time for so many. Without time the best so far is taken, or the first that meets the goal."""

    def __init__(
        self,
        trial: Callable[[int, int], Kind],
        psnr: Callable[[Kind], float],
        more: Callable[[int], bool] = lambda trials: True,
    ) -> None:
        self._trial, self._psnr, self._more = trial, psnr, more

    def run(self, spec: GroupSpec, config_bytes: int, frames: int) -> tuple[Kind, bool]:
        """The trial that meets the goal best, and whether it does. ``frames``: of the group."""
        start = round(spec.quality)
        if spec.target_bytes is not None:
            return self._fill(math.log2(max(1, spec.target_bytes - config_bytes)), start, spec.rest, frames)
        if spec.psnr_floor is not None:
            return self._reach(spec.psnr_floor, start)
        return self._trial(start, SKIP), True

    def _fill(self, room: float, start: int, rest: Rest | None, frames: int) -> tuple[Kind, bool]:
        """The best setting whose log2 of bytes, the rest's among them, is within ``room``; the smallest where none is.

        Below quality 0 more and more is left out: setting -n skips what is under table n + SKIP. With a rest, which
        makes up for it, a trial may miss the room by a little either way.
        """
        lowest, kept = SKIP - TABLES + 1, list[Kind]()  # the best so far alone: a trial of a large group takes memory
        near = (NEAR, NEAR) if rest is not None and rest.frames else (0.0, 0.0)

        def log_bytes(setting: int) -> float:
            trial = self._trial(max(0, setting), SKIP + max(0, -setting))
            value = math.log2(max(1, trial.size) + _rest_bytes(rest, trial.size / frames, setting))
            if value < room + near[1] or value <= room or setting == lowest:
                kept[:] = [trial]
            return value

        found = last_within(log_bytes, room, start, RATE_SLOPE, lowest, near, self._more)
        return kept[0], found is not None

    def _reach(self, floor: float, start: int) -> tuple[Kind, bool]:
        """The least quality that reaches the floor, or one a little above it; the highest where none does."""
        kept, top = list[tuple[Kind, bool]](), QUALITIES - 1

        def missed(down: int) -> float:
            """How far below the floor a quality so many steps from the top ends."""
            trial = self._trial(top - down, SKIP)
            value = self._psnr(trial)
            if value >= floor or not down:
                kept[:] = [(trial, value >= floor)]
            return floor - value

        last_within(missed, 0.0, top - start, PSNR_SLOPE, near=(PSNR_NEAR, 0.0), more=self._more)
        return kept[0]


def _rest_bytes(rest: Rest | None, own_rate: float, setting: int) -> float:
    """What the rest would take at the same setting."""
    if rest is None:
        return 0.0
    rate = own_rate if rest.log2_rate is None else 2.0 ** (rest.log2_rate + RATE_SLOPE * setting)
    return rest.frames * rate
