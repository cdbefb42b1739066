"""Encoding a group with a trained codec: latents, symbols, units; the quality that meets a goal; what it looks like."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.codecs.base import GroupPayload, GroupSpec, Planes
from nvcodec.codecs.goal_search import SKIP, GoalSearch, Trial
from nvcodec.codecs.latent_decoder import compact, shown_picture
from nvcodec.codecs.latent_group import CONFIG_BYTES, LatentGroup
from nvcodec.codecs.latent_units import encode_unit, frame_bits
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.weights import load_model, named_weights
from nvcodec.container import Unit
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.models.latent_coding import FrameSymbols, analyse, latent_symbols
from nvcodec.models.planes import planes_to_features
from nvcodec.models.prior_network import History

CUT = 0.6  # where so much changed, a frame is tried alone, too
AHEAD = 4  # frames that may wait to be coded
Coding = tuple[bool, "Future[tuple[bytes, float]]"]  # of a frame, and whether it stands alone


@dataclass
class LatentTrial(Trial):
    """A trial with what its hashes are of."""

    z: list[Tensor] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)  # compact


class LatentEncoder:
    """One call of ``encode_group``. Raises UsageError or InputError where there are no weights."""

    def __init__(
        self,
        temporal: bool,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None,
    ) -> None:
        self.started = time.monotonic()
        self.temporal, self.frames, self.format, self.spec, self.on_status = temporal, frames, format, spec, on_status
        self.model = load_model(named_weights(spec.model), spec.device)
        self.passes = 0

    def run(self) -> GroupPayload:
        trial, met = GoalSearch(self.trial, self.psnr).run(self.spec, CONFIG_BYTES, len(self.frames))
        return self._payload(trial, met)

    def trial(self, quality: int, skip: int = SKIP) -> LatentTrial:
        """The group at a quality; a thread turns symbols into bytes while the next frames are analysed."""
        trial, waiting = LatentTrial(quality, skip), deque[Coding]()
        self.passes += 1
        with ThreadPoolExecutor(1) as coder:
            for coded, alone in self._frames(quality, skip):
                trial.z.append(coded.symbols[0])
                trial.latents.append(compact(coded.y_hat))
                waiting.append((alone, coder.submit(encode_unit, coded, skip)))
                if len(waiting) > AHEAD:
                    self._collect(trial, waiting.popleft())
            while waiting:
                self._collect(trial, waiting.popleft())
        return trial

    def _frames(self, quality: int, skip: int) -> Iterator[tuple[FrameSymbols, bool]]:
        """Each frame's symbols, and whether they stand alone."""
        history, before = History(None, None), None
        for planes in self.frames:
            y = self._analyse(planes, quality)
            coded, alone = self._code(y, before, history, quality, skip)
            yield coded, alone
            history, before = History(coded.y_hat, None if alone else history.last), y

    def _collect(self, trial: LatentTrial, coding: Coding) -> None:
        (alone, future), number = coding, len(trial.units)
        payload, bits = future.result()
        trial.units.append(Unit(number, 1, () if alone else (number - 1,), payload))
        trial.bits += bits
        if self.on_status is not None:
            self.on_status(FitStatus((number + 1) / len(self.frames), self.passes, 0.0, trial.bits))

    def _analyse(self, planes: Planes, quality: int) -> Tensor:
        peak = (1 << self.format.bit_depth) - 1
        y, u, v = (torch.from_numpy(as_signed(plane))[None].to(self.spec.device) for plane in planes)
        return analyse(self.model.parts, planes_to_features(y, u, v, peak), quality, self.spec.precision)

    def _code(
        self, y: Tensor, before: Tensor | None, history: History, quality: int, skip: int
    ) -> tuple[FrameSymbols, bool]:
        """The symbols of a frame, and whether it is coded alone: behind a cut that may be the shorter way."""
        parts, precision = self.model.parts, self.spec.precision
        if before is None or not self.temporal:
            return latent_symbols(parts, y, (None, None), quality, skip, precision), True
        coded = latent_symbols(parts, y, history, quality, skip, precision)
        if changed(y, before) > CUT:
            alone = latent_symbols(parts, y, (None, None), quality, skip, precision)
            if frame_bits(alone, skip) < frame_bits(coded, skip):
                return alone, True
        return coded, False

    def psnr(self, trial: LatentTrial, pictures: PictureHash | None = None) -> float:
        """Mean `psnr_yuv` of the group as it will be decoded; every picture goes into ``pictures``, too."""
        values = []
        for planes, latents in zip(self.frames, trial.latents, strict=True):
            on_device = latents.to(self.spec.device, torch.int32)
            shown = shown_picture(self.model, on_device, trial.quality, self.format)
            values.append(psnr_yuv(planes, shown, self.format.bit_depth))
            if pictures is not None:
                pictures.update(shown)
        return float(np.mean(values))

    def _payload(self, trial: LatentTrial, met: bool) -> GroupPayload:
        config = LatentGroup(self.model.weights.id, trial.quality, trial.skip).pack()
        pictures = PictureHash()
        psnr = self.psnr(trial, pictures)
        arrays = (a.numpy() for pair in zip(trial.z, trial.latents, strict=True) for a in pair)
        estimated = len(config) + trial.bits / 8
        return GroupPayload(
            config=config,
            units=trial.units,
            symbol_hash=symbol_hash(arrays),
            picture_hash=pictures.digest(),
            psnr=psnr,
            estimated_bytes=estimated,
            goal_met=met,
            filled=True,
            seconds=time.monotonic() - self.started,
            modelled_bytes=estimated,
            notes={"quality": float(trial.quality), "passes": float(self.passes)},
        )


def changed(y: Tensor, before: Tensor) -> float:
    """How far two frames' luma in 8x8 blocks is from being the same: 0 of equal ones, about 1 of strangers.

    Local means tell a cut from motion, under which all detail changes, too.
    """
    a, b = (means - means.mean() for means in (y[:, :4], before[:, :4]))
    energy = float(a.square().sum() + b.square().sum())
    return float((a - b).square().sum()) / energy if energy else 0.0


def as_signed(plane: NDArray[Any]) -> NDArray[Any]:
    """16-bit samples in a type that torch computes with."""
    return plane if plane.dtype == np.uint8 else plane.astype(np.int32)
