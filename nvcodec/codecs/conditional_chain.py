"""The closed loop of the conditional codec: each frame behind pictures as a decoder will have them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nvcodec.codecs.base import Planes
from nvcodec.codecs.conditional_pictures import Networks, key_picture, picture_features, predicted_picture, seen
from nvcodec.codecs.conditional_units import FramePayload, pack_payload
from nvcodec.codecs.goal_search import Trial
from nvcodec.codecs.latent_decoder import compact
from nvcodec.codecs.latent_units import encode_unit
from nvcodec.codecs.motion_choice import choose_motion
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.structure import Slot, level_of
from nvcodec.container import Unit
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.models.latent_coding import FrameSymbols, analyse, latent_symbols
from nvcodec.models.prior_network import History
from nvcodec.motion.chain import Moved, side_of

AHEAD = 4  # frames that may wait to be coded


@dataclass(frozen=True)
class Coded:
    """A frame: what is coded of it, and what the frames after it see."""

    moved: Moved
    motion: tuple[bytes, ...]
    symbols: FrameSymbols
    picture: Planes
    unit: int = 0


class Coding(NamedTuple):
    """A frame whose bytes are being made."""

    time: int
    references: tuple[int, ...]  # units
    coded: Coded
    latents: Future[tuple[bytes, float]]


@dataclass
class ChainTrial(Trial):
    """A trial with what its hashes are of."""

    numbers: list[np.ndarray] = field(default_factory=list)  # of the symbol hash
    psnr: list[float] = field(default_factory=list)
    pictures: bytes = b""  # their hash


@dataclass(frozen=True)
class Plan:
    """How a group is coded beside its quality."""

    order: tuple[Slot, ...]
    worth: float = 1.0  # factor on what a bit of motion is worth


class ChainCoder:
    """Frames, and what codes them."""

    def __init__(
        self,
        networks: Networks,
        frames: Sequence[Planes],
        format: VideoFormat,
        precision: str,
        on_frame: Callable[[ChainTrial], None],
    ) -> None:
        self.networks, self.frames, self.format, self.precision = networks, frames, format, precision
        self.on_frame = on_frame

    def code(self, plan: Plan, quality: int, skip: int) -> ChainTrial:
        """All frames by a plan at a quality; a thread turns symbols into bytes while the next frames are coded."""
        trial, waiting, pictures = ChainTrial(quality, skip), deque[Coding](), InOrder()
        last_use = {reference: slot.time for slot in plan.order for reference in slot.references}
        known: dict[int, Coded] = {}
        with ThreadPoolExecutor(1) as coder:
            for number, slot in enumerate(plan.order):
                behind = [known[t] for t in slot.references]
                coded = self._frame(slot, behind, level_of(slot, quality), skip, plan.worth)
                self._keep(trial, coded)
                pictures.add(slot.time, coded.picture)
                units = tuple(each.unit for each in behind)
                waiting.append(Coding(slot.time, units, coded, coder.submit(encode_unit, coded.symbols, skip)))
                known[slot.time] = replace(coded, unit=number)
                for t in (*slot.references, slot.time):
                    if last_use.get(t, slot.time) == slot.time:
                        del known[t]
                if len(waiting) > AHEAD:
                    self._collect(trial, waiting.popleft())
            while waiting:
                self._collect(trial, waiting.popleft())
        trial.pictures = pictures.digest()
        return trial

    def _frame(self, slot: Slot, references: Sequence[Coded], level: int, skip: int, worth: float) -> Coded:
        """A frame behind others."""
        features = picture_features(self.frames[slot.time], self.format, self.networks.device)
        if references:
            return self._predicted(features, slot, references, level, skip, worth)
        parts = self.networks.intra.parts
        y = analyse(parts, features, level, self.precision)
        symbols = latent_symbols(parts, y, (None, None), level, skip, self.precision)
        picture = key_picture(self.networks, symbols.y_hat, level, self.format)
        return Coded(Moved(slot.time, level), (), symbols, picture)

    def _predicted(
        self, features: Tensor, slot: Slot, references: Sequence[Coded], level: int, skip: int, worth: float
    ) -> Coded:
        planes, pictures = self.frames[slot.time], tuple(each.picture for each in references)
        place = Moved(slot.time, level, tuple(each.moved for each in references))
        moved, motion = choose_motion(planes, pictures, place, slot.both, self.format.bit_depth, worth)
        what, model = seen(self.networks, moved, pictures, self.format), self.networks.predicted
        side = torch.from_numpy(side_of(moved))[None].to(self.networks.device)
        older = references[1].symbols.y_hat if len(references) > 1 else None
        y = model.analyse(features, what, level, self.precision)
        symbols = model.symbols(y, History(references[0].symbols.y_hat, older, side), level, skip, self.precision)
        picture = predicted_picture(self.networks, symbols.y_hat, what, level, self.format)
        return Coded(moved.trimmed(), motion, symbols, picture)

    def _keep(self, trial: ChainTrial, coded: Coded) -> None:
        moved = coded.moved
        trial.numbers += [np.array([moved.quality], np.int32), *(each.vectors for each in moved.fields)]
        trial.numbers += [coded.symbols.symbols[0].numpy(), compact(coded.symbols.y_hat).numpy()]
        trial.psnr.append(psnr_yuv(self.frames[moved.time], coded.picture, self.format.bit_depth))

    def _collect(self, trial: ChainTrial, coding: Coding) -> None:
        (latents, bits), coded = coding.latents.result(), coding.coded
        payload = pack_payload(FramePayload(coded.moved.quality, coded.motion, latents))
        trial.units.append(Unit(coding.time, 1, coding.references, payload))
        trial.bits += bits + 8 * (1 + sum(1 + len(each) for each in coded.motion))
        self.on_frame(trial)


class InOrder:
    """The hash of pictures that come in decode order; those that came early wait."""

    def __init__(self) -> None:
        self._hash, self._waiting, self._next = PictureHash(), dict[int, Planes](), 0

    def add(self, time: int, picture: Planes) -> None:
        self._waiting[time] = picture
        while self._next in self._waiting:
            self._hash.update(self._waiting.pop(self._next))
            self._next += 1

    def digest(self) -> bytes:
        return self._hash.digest()
