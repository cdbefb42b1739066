"""Encoding a group with the conditional codec: a closed loop over frames in decode order, at the quality of a goal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from nvcodec.codecs.base import GroupPayload, GroupSpec, Planes
from nvcodec.codecs.conditional_group import CONFIG_BYTES, ConditionalGroup
from nvcodec.codecs.conditional_pictures import Networks, key_picture, picture_features, predicted_picture, seen
from nvcodec.codecs.conditional_units import FramePayload, pack_payload
from nvcodec.codecs.cuts import scenes
from nvcodec.codecs.goal_search import GoalSearch, Trial
from nvcodec.codecs.latent_decoder import compact
from nvcodec.codecs.latent_units import encode_unit
from nvcodec.codecs.motion_choice import choose_motion
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.structure import Slot, level_of, slots
from nvcodec.container import Unit
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.models.latent_coding import FrameSymbols, analyse, latent_symbols
from nvcodec.models.prior_network import History
from nvcodec.motion.chain import Moved, side_of

AHEAD = 4  # frames that may wait to be coded
Coding = tuple[Slot, "tuple[bytes, ...]", int, "Future[tuple[bytes, float]]"]


@dataclass
class Coded:
    """A frame as the frames after it see it."""

    unit: int
    moved: Moved
    latents: Tensor  # int32, on the device
    picture: Planes


@dataclass
class ChainTrial(Trial):
    """A trial with what its hashes are of."""

    numbers: list[np.ndarray] = field(default_factory=list)  # of the symbol hash
    psnr: list[float] = field(default_factory=list)
    pictures: bytes = b""  # their hash


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
        self.order = [
            Slot(run.start + s.time, tuple(run.start + r for r in s.references), s.both, s.offset)
            for run in scenes(frames)
            for s in slots(spec.structure, len(run))
        ]
        self.passes = 0

    def run(self) -> GroupPayload:
        trial, met = GoalSearch(self.trial, lambda trial: float(np.mean(trial.psnr))).run(
            self.spec, CONFIG_BYTES, len(self.frames)
        )
        return self._payload(trial, met)

    def trial(self, quality: int, skip: int) -> ChainTrial:
        """The group at a quality; a thread turns symbols into bytes while the next frames are coded."""
        trial, waiting, pictures = ChainTrial(quality, skip), deque[Coding](), InOrder()
        self.passes += 1
        last_use = {reference: slot.time for slot in self.order for reference in slot.references}
        known: dict[int, Coded] = {}
        with ThreadPoolExecutor(1) as coder:
            for number, slot in enumerate(self.order):
                coded, symbols, motion = self._frame(slot, [known[t] for t in slot.references], quality, skip, number)
                self._keep(trial, coded, symbols)
                pictures.add(slot.time, coded.picture)
                waiting.append((slot, motion, coded.moved.quality, coder.submit(encode_unit, symbols, skip)))
                known[slot.time] = coded
                for t in (*slot.references, slot.time):
                    if last_use.get(t, slot.time) == slot.time:
                        del known[t]
                if len(waiting) > AHEAD:
                    self._collect(trial, waiting.popleft())
            while waiting:
                self._collect(trial, waiting.popleft())
        trial.pictures = pictures.digest()
        return trial

    def _frame(
        self, slot: Slot, references: Sequence[Coded], quality: int, skip: int, number: int
    ) -> tuple[Coded, FrameSymbols, tuple[bytes, ...]]:
        """A frame coded behind others: what later ones see, its symbols, the bytes of its motion."""
        level = level_of(slot, quality)
        planes, device, precision = self.frames[slot.time], self.networks.device, self.spec.precision
        features = picture_features(planes, self.format, device)
        if not references:
            parts = self.networks.intra.parts
            y = analyse(parts, features, level, precision)
            symbols = latent_symbols(parts, y, (None, None), level, skip, precision)
            picture = key_picture(self.networks, symbols.y_hat, level, self.format)
            return Coded(number, Moved(slot.time, level), symbols.y_hat, picture), symbols, ()
        pictures = tuple(each.picture for each in references)
        place = Moved(slot.time, level, tuple(each.moved for each in references))
        moved, motion = choose_motion(planes, pictures, place, slot.both, self.format.bit_depth)
        what, model = seen(self.networks, moved, pictures, self.format), self.networks.predicted
        side = torch.from_numpy(side_of(moved))[None].to(device)
        history = History(references[0].latents, references[1].latents if len(references) > 1 else None, side)
        y = model.analyse(features, what, level, precision)
        symbols = model.symbols(y, history, level, skip, precision)
        picture = predicted_picture(self.networks, symbols.y_hat, what, level, self.format)
        return Coded(number, moved.trimmed(), symbols.y_hat, picture), symbols, motion

    def _keep(self, trial: ChainTrial, coded: Coded, symbols: FrameSymbols) -> None:
        moved = coded.moved
        trial.numbers += [np.array([moved.quality], np.int32), *(each.vectors for each in moved.fields)]
        trial.numbers += [symbols.symbols[0].numpy(), compact(symbols.y_hat).numpy()]
        trial.psnr.append(psnr_yuv(self.frames[moved.time], coded.picture, self.format.bit_depth))

    def _collect(self, trial: ChainTrial, coding: Coding) -> None:
        slot, motion, level, future = coding
        latents, bits = future.result()
        units = {each.time: n for n, each in enumerate(self.order[: len(trial.units)])}
        references = tuple(units[t] for t in slot.references)
        trial.units.append(Unit(slot.time, 1, references, pack_payload(FramePayload(level, motion, latents))))
        trial.bits += bits + 8 * (1 + sum(1 + len(each) for each in motion))
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
