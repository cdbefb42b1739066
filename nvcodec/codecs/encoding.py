"""Encoding one group with a fitted codec: fit, meet the goal, code, decode what was coded and measure that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nvcodec.codecs.base import GroupPayload, GroupSpec, GroupState, Planes
from nvcodec.codecs.fitted import FittedCodec, FittedDecoder, start_at_means, to_channels_last
from nvcodec.codecs.following import Follower
from nvcodec.codecs.goals import Candidate, Goal
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.sizing import FEWEST_PARAMETERS, fit_plan, parameters_for, samples_a_step
from nvcodec.codecs.tensors import CodedTensors
from nvcodec.container import Unit, check_cost
from nvcodec.errors import LimitError, UsageError
from nvcodec.fitting.clip import Clip
from nvcodec.fitting.coarse import CoarseFirst
from nvcodec.fitting.fit import FitSettings, FitStatus, fit
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import Plan
from nvcodec.format import VideoFormat
from nvcodec.hardware import deterministic
from nvcodec.metrics.psnr import mse, psnr_yuv, weigh_yuv

CODING_SECONDS = 0.5  # entropy coding and the rest, under a time budget
CODING_SHARE = 0.2  # but not more of a short one
TRIALS_FROM = 2.0  # seconds of a group from which one trial of decoding may be repeated


def readable_plan(codec: FittedCodec, count: int, frames: int, format: VideoFormat) -> Any:
    """The network of about ``count`` parameters, or the largest by halving that readers take by default.

    Raises :class:`LimitError` if there is none.
    """
    while True:
        config = codec.plan(count, frames, format.chroma_height, format.chroma_width)
        try:
            check_cost(codec.cost(codec.pack(config), format, frames))
        except LimitError:
            if count <= FEWEST_PARAMETERS:
                raise
            count //= 2
        else:
            return config


def start_of_fit(
    codec: FittedCodec, config: Any, clip: Clip, seed: int, device: str
) -> tuple[nn.Module, CodedParameters]:
    """A seeded network on ``device`` and the parameters of it that a fit begins with; global seeds stay untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = codec.network(config)
    start_at_means(network, clip)
    network = to_channels_last(network.to(device))
    return network, codec.parameters(network, codec.start_embedding(clip, config)).to(device)


class GroupEncoder:
    """One call of :meth:`FittedCodec.encode_group`."""

    def __init__(
        self,
        codec: FittedCodec,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None,
        previous: GroupState | None = None,
        known: NDArray[np.bool_] | None = None,
    ) -> None:
        """``known`` (T, ceil(H/2), ceil(W/2)): where the fit looks at the frames, each place 2x2 of luma; None: all."""
        self.started = time.monotonic()
        self.codec, self.frames, self.format, self.spec, self.on_status = codec, frames, format, spec, on_status
        self.clip = Clip(frames, format.bit_depth, spec.device, known)
        self.previous = previous
        self.goal = Goal.of(spec)
        self.lam = self.goal.lam
        self.steps = 0
        self.modelled_bits = 0.0

    def run(self) -> GroupPayload:
        """A group that leans on the one before, where that reaches its goal; one that stands alone else."""
        if self.previous is not None:
            followed = Follower(self, self.previous).run()
            if followed is not None:
                return self._payload(*followed)
            if not self.codec.stands_alone:
                raise UsageError(f"{len(self.frames)} frames do not go with the {self.codec.name} groups before them")
        return self._payload(*self._alone())

    def _alone(self) -> tuple[Candidate, Any]:
        best: tuple[Candidate, Any] | None = None
        count = parameters_for(self.clip, self.spec)
        for attempt in range(self.goal.attempts):
            config = readable_plan(self.codec, count, len(self.frames), self.format)
            parameters = self._fit(config, attempt)
            candidate = self.goal.choose(partial(self.codec.quantise, parameters), partial(self.psnr, config))
            if best is None or self.goal.better(candidate, best[0]):
                best = candidate, config
            if self.goal.done(candidate) or self.left(0.0) == 0:
                break
            count, self.lam = self.goal.grow(count, candidate), self.goal.raise_lambda(self.lam, candidate)
        assert best is not None
        return best

    def left(self, reserve: float) -> float | None:
        """Seconds of the spec that are left beside ``reserve``, at least 0; None without a time goal."""
        if self.spec.seconds is None:
            return None
        return max(0.0, self.spec.seconds - reserve - (time.monotonic() - self.started))

    def _fit(self, config: Any, attempt: int) -> CodedParameters:
        spec, clip = self.spec, self.clip
        network, parameters = start_of_fit(self.codec, config, clip, spec.seed, spec.device)
        left = None
        if spec.seconds is not None:
            left = self.left(self.finishing_seconds(config, self.codec.quantise(parameters)))
        plan = fit_plan(clip, spec, parameters.count, left, attempt, self.goal.attempts)
        self.fit(network, parameters, plan, config, coarse=CoarseFirst())
        return parameters

    def fit(self, network: nn.Module, parameters: CodedParameters, plan: Plan, config: Any, **settings: Any) -> None:
        """Fit ``parameters`` in place, towards the goal's lambda or bytes."""
        spec, samples = self.spec, samples_a_step(parameters.count)
        bits = None if spec.target_bytes is None else 8.0 * spec.target_bytes
        chosen = FitSettings(
            plan, self.lam, bits, spec.seed, spec.precision, self.codec.rates(parameters.count), samples,
            objective=spec.objective, **settings,
        )  # fmt: skip
        growth = config.growth()
        with deterministic(spec.device):
            status = fit(
                network, parameters, self.clip, self._input, chosen, self.on_status, growth if growth.windows else None
            )
        self.steps += status.step
        self.modelled_bits = status.bits

    def _input(self, chosen: list[int], embedding: Tensor | None) -> Tensor:
        return self.codec.network_input(chosen, embedding, self.clip.frame_count, self.spec.device)

    def finishing_seconds(self, config: Any, tensors: CodedTensors) -> float:
        """How long decoding and measuring will take after the fit, from a trial of one frame."""
        decoder = self._decoder(config, tensors)
        times = []
        seconds = self.spec.seconds or 0.0
        for _ in range(3 if seconds >= TRIALS_FROM else 1):
            started = time.monotonic()
            psnr_yuv(self.frames[0], decoder.planes(0), self.format.bit_depth)
            times.append(time.monotonic() - started)
        return min(CODING_SECONDS, CODING_SHARE * seconds) + self.goal.decodes * len(self.frames) * min(times)

    def _decoder(self, config: Any, tensors: CodedTensors) -> FittedDecoder:
        return FittedDecoder(self.codec, config, tensors, self.format, len(self.frames), self.spec.device)

    def psnr(self, config: Any, tensors: CodedTensors) -> float:
        """`psnr_yuv` of the group as it would be decoded."""
        decoder = self._decoder(config, tensors)
        values = [psnr_yuv(planes, decoder.planes(i), self.format.bit_depth) for i, planes in enumerate(self.frames)]
        return float(np.mean(values))

    def objective(self, config: Any, tensors: CodedTensors, bits: float) -> float:
        """Bits a pixel + lambda x MSE (8-bit scale, 6:1:1) of the group as it would be decoded."""
        decoder, peak = self._decoder(config, tensors), (1 << self.format.bit_depth) - 1
        error = 0.0
        for i, planes in enumerate(self.frames):
            error += weigh_yuv(*(mse(a, b) for a, b in zip(planes, decoder.planes(i), strict=True)))
        error *= (255 / peak) ** 2 / len(self.frames)
        return bits / self.clip.luma_samples + self.lam * error

    def _payload(self, candidate: Candidate, config: Any) -> GroupPayload:
        packed = self.codec.pack(config)
        count = len(self.frames)
        units = [Unit(0, count, (), candidate.payload)]
        previous = self.previous if candidate.leans else None
        decoder = self.codec.open_group(packed, units, self.format, count, self.spec.device, previous)
        pictures, values = PictureHash(), []
        for i, planes in enumerate(self.frames):
            shown = decoder.planes(i)
            values.append(psnr_yuv(planes, shown, self.format.bit_depth))
            pictures.update(shown)
        return GroupPayload(
            config=packed,
            units=units,
            symbol_hash=decoder.symbol_hash,
            picture_hash=pictures.digest(),
            psnr=float(np.mean(values)),
            estimated_bytes=len(packed) + candidate.bits / 8,
            goal_met=self.goal.met(candidate),
            steps=self.steps,
            seconds=time.monotonic() - self.started,
            modelled_bytes=len(packed) + self.modelled_bits / 8,
            notes={
                "parameters": float(self.codec.shapes(config, count).count),
                "lambda": self.lam,
            },
            leans=candidate.leans,
            state=decoder.state,
        )
