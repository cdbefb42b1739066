"""Encoding a group with the conditional codec: the plan that suits it, and the quality of a goal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nvcodec.codecs.base import GroupPayload, GroupSpec, Planes
from nvcodec.codecs.conditional_chain import ChainCoder, ChainTrial, Plan
from nvcodec.codecs.conditional_group import CONFIG_BYTES, ConditionalGroup
from nvcodec.codecs.conditional_pictures import Networks
from nvcodec.codecs.goal_search import PSNR_SLOPE, RATE_SLOPE, SKIP, GoalSearch
from nvcodec.codecs.structure import MINI_GROUP, scene_slots
from nvcodec.cuts import scenes
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat


@dataclass(frozen=True)
class Choice:
    """A way to code a group."""

    structure: str
    mini_group: int = MINI_GROUP
    worth: float = 1.0  # factor on what a bit of motion is worth


@dataclass(frozen=True)
class Effort:
    """What a preset tries, best guess first, and on how many frames of a group (0: on all of them)."""

    choices: tuple[Choice, ...]
    look: int = 0


_BOTH, _CHAIN = Choice("random-access"), Choice("low-delay")
_LONG, _SHORT = Choice("random-access", 8), Choice("random-access", 2)
_MOTION = tuple(Choice(c.structure, c.mini_group, worth) for c in (_BOTH, _CHAIN) for worth in (0.7, 1.4))
EFFORTS = {
    "faster": Effort((_BOTH,)),
    "fast": Effort((_BOTH, _CHAIN), look=5),
    "medium": Effort((_BOTH, _CHAIN), look=9),
    "slow": Effort((_BOTH, _CHAIN, _LONG)),
    "slower": Effort((_BOTH, _CHAIN, _LONG, _SHORT, *_MOTION)),
}
FIRST = 0.06  # octaves of bytes that a later choice must gain on few frames to be taken


class ConditionalEncoder:
    """One call of ``encode_group``. Raises UsageError or InputError where there are no weights."""

    def __init__(
        self,
        networks: Networks,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None,
    ) -> None:
        self.started = time.monotonic()
        self.networks, self.frames, self.format, self.spec, self.on_status = networks, frames, format, spec, on_status
        self.passes = 0

    def run(self) -> GroupPayload:
        quality = round(self.spec.quality)
        choice, tried = self._chosen(quality)
        kept = {} if tried is None else {(quality, SKIP): tried}  # a trial of the whole group need not be made again
        search = GoalSearch(
            lambda quality, skip: kept.get((quality, skip)) or self._trial(choice, quality, skip),
            lambda trial: float(np.mean(trial.psnr)),
        )
        trial, met = search.run(self.spec, CONFIG_BYTES, len(self.frames))
        return self._payload(trial, met)

    def _chosen(self, quality: int) -> tuple[Choice, ChainTrial | None]:
        """The choice with the best of rate and distortion, and its trial if that was of the whole group."""
        choices, look = self._choices()
        if len(choices) == 1:
            return choices[0], None
        best: tuple[float, Choice, ChainTrial] | None = None
        for choice in choices:
            begun = time.monotonic()
            trial = self._trial(choice, quality, SKIP, look)
            if best is None or score(trial) < best[0]:
                best = score(trial) - FIRST * bool(look), choice, trial  # a short look does not show all
            if self._late(time.monotonic() - begun):
                break
        assert best is not None
        return best[1], None if look else best[2]

    def _choices(self) -> tuple[tuple[Choice, ...], int]:
        """What is tried, and on how many frames (0: all); with a time to keep, all there is while it lasts."""
        effort = EFFORTS["slower" if self.spec.seconds is not None else self.spec.preset]
        wanted = self.spec.structure
        choices = tuple(c for c in effort.choices if wanted in (None, c.structure)) or (Choice(str(wanted)),)
        return choices, effort.look if effort.look < len(self.frames) else 0

    def _late(self, last: float) -> bool:
        """Whether another trial like the last, and the search for a goal behind it, would take too long."""
        if self.spec.seconds is None:
            return False
        goal = self.spec.target_bytes is not None or self.spec.psnr_floor is not None
        return time.monotonic() - self.started + last * (3 if goal else 1) > self.spec.seconds

    def _trial(self, choice: Choice, quality: int, skip: int, look: int = 0) -> ChainTrial:
        frames = self.frames[: look or None]
        self.passes += 1
        order = scene_slots(scenes(frames), choice.structure, choice.mini_group)
        coder = ChainCoder(self.networks, frames, self.format, self.spec.precision, self._status)
        return coder.code(Plan(tuple(order), choice.worth), quality, skip)

    def _status(self, trial: ChainTrial) -> None:
        if self.on_status is not None:
            share = len(trial.units) / len(self.frames)
            self.on_status(FitStatus(share, self.passes, float(np.mean(trial.psnr)), trial.bits))

    def _payload(self, trial: ChainTrial, met: bool) -> GroupPayload:
        ids = self.networks.intra.weights.id, self.networks.predicted.weights.id
        config = ConditionalGroup(*ids, trial.quality, trial.skip).pack()
        estimated = len(config) + trial.bits / 8
        return GroupPayload(
            config=config,
            units=trial.units,
            symbol_hash=symbol_hash(trial.numbers),
            picture_hash=trial.pictures,
            psnr=float(np.mean(trial.psnr)),
            estimated_bytes=estimated,
            goal_met=met,
            filled=True,
            seconds=time.monotonic() - self.started,
            modelled_bytes=estimated,
            notes={"quality": float(trial.quality), "passes": float(self.passes)},
        )


def score(trial: ChainTrial) -> float:
    """Rate and distortion in one, in octaves of bytes: less is better. Along the dial it stays about the same."""
    return math.log2(max(1, trial.size)) - float(np.mean(trial.psnr)) * RATE_SLOPE / PSNR_SLOPE
