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
from nvcodec.codecs.structure import MINI_GROUP, key_slots, scene_slots
from nvcodec.cuts import scenes
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat
from nvcodec.motion.field import MAX_SIDE


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
LOOK = (3, 9)  # frames, a sixth of the group's in between: choices are compared on them where a goal is to be timed
TRIALS = 4  # that a goal takes, as a rule
LATE = 1.2  # times the seconds of a group: beyond it, a note says so


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
        self.passes, self.pace = 0, 0.0  # trials, and seconds a frame of the last one

    def run(self) -> GroupPayload:
        quality = round(self.spec.quality)
        choice, tried = self._chosen(quality)
        kept = {} if tried is None else {(quality, SKIP): tried}  # a trial of the whole group need not be made again
        search = GoalSearch(
            lambda quality, skip: kept.get((quality, skip)) or self._trial(choice, quality, skip),
            lambda trial: float(np.mean(trial.psnr)),
            lambda trials: self._time_for(trials * len(self.frames)),
        )
        trial, met = search.run(self.spec, CONFIG_BYTES, len(self.frames))
        return self._payload(trial, met)

    def _chosen(self, quality: int) -> tuple[Choice, ChainTrial | None]:
        """The choice with the best of rate and distortion, and its trial if that was of the whole group."""
        choices, look = self._choices()
        if len(choices) == 1 or not self._time_for(0):
            return choices[0], None
        best: tuple[float, Choice, ChainTrial] | None = None
        for choice in choices:
            trial = self._trial(choice, quality, SKIP, look)
            if best is None or score(trial) < best[0]:
                best = score(trial) - FIRST * bool(look), choice, trial  # a short look does not show all
            if not self._time_for((look or len(self.frames)) + self._ahead()):
                break
        assert best is not None
        return best[1], None if look else best[2]

    def _choices(self) -> tuple[tuple[Choice, ...], int]:
        """What is tried, and on how many frames (0: all); with a time to keep, all there is while it lasts."""
        timed, wanted = self.spec.seconds is not None, self.spec.structure
        effort = EFFORTS["slower" if timed else self.spec.preset]
        choices = tuple(c for c in effort.choices if wanted in (None, c.structure)) or (Choice(str(wanted)),)
        look = max(LOOK[0], min(LOOK[1], len(self.frames) // 6)) if timed and self._ahead() else effort.look
        return choices[:1] if self._alone() else choices, look if look < len(self.frames) else 0

    def _alone(self) -> bool:
        """Whether pictures have sides that no motion field covers."""
        return max(self.format.width, self.format.height) > MAX_SIDE

    def _ahead(self) -> int:
        """Frames that the search for a goal codes, as a rule."""
        goal = self.spec.target_bytes is not None or self.spec.psnr_floor is not None
        return TRIALS * len(self.frames) if goal else 0

    def _time_for(self, frames: int) -> bool:
        """Whether so many frames more, at the pace of the last trial, keep to the time that there is."""
        if self.spec.seconds is None:
            return True
        return time.monotonic() - self.started + self.pace * frames < self.spec.seconds

    def _trial(self, choice: Choice, quality: int, skip: int, look: int = 0) -> ChainTrial:
        frames = self.frames[: look or None]
        self.passes += 1
        begun = time.monotonic()
        order = scene_slots(scenes(frames), choice.structure, choice.mini_group)
        if self._alone() and len(frames) > 1:
            order = key_slots(len(frames))
        coder = ChainCoder(self.networks, frames, self.format, self.spec.precision, self._status)
        trial = coder.code(Plan(tuple(order), choice.worth), quality, skip)
        self.pace = (time.monotonic() - begun) / len(frames)
        return trial

    def _status(self, trial: ChainTrial) -> None:
        if self.on_status is not None:
            share = len(trial.units) / len(self.frames)
            self.on_status(FitStatus(share, self.passes, float(np.mean(trial.psnr)), trial.bits))

    def _payload(self, trial: ChainTrial, met: bool) -> GroupPayload:
        ids = self.networks.intra.weights.id, self.networks.predicted.weights.id
        config = ConditionalGroup(*ids, trial.quality, trial.skip).pack()
        estimated, seconds = len(config) + trial.bits / 8, time.monotonic() - self.started
        late = self.spec.seconds is not None and seconds > LATE * self.spec.seconds
        return GroupPayload(
            config=config,
            units=trial.units,
            symbol_hash=symbol_hash(trial.numbers),
            picture_hash=trial.pictures,
            psnr=float(np.mean(trial.psnr)),
            estimated_bytes=estimated,
            goal_met=met,
            filled=True,
            seconds=seconds,
            modelled_bytes=estimated,
            notes={"quality": float(trial.quality), "passes": float(self.passes)} | ({"late": 1.0} if late else {}),
        )


def score(trial: ChainTrial) -> float:
    """Rate and distortion in one, in octaves of bytes: less is better. Along the dial it stays about the same."""
    return math.log2(max(1, trial.size)) - float(np.mean(trial.psnr)) * RATE_SLOPE / PSNR_SLOPE
