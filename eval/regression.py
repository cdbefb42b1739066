"""Fits a network to pictures without rate, as the NeRV papers' tables have it, and measures its float weights.

The same as theirs: parameters and epochs, one network for the clip, no quantisation, fp32 weights, the mean of the
frames' PSNRs. Not the same: ours shows the planes of 4:2:0 at half size under a 6:1:1 error, with our optimiser and
batches, and its pictures are rounded to 8 bits before they are measured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from eval.pictures import Pictures, rgb_maker, to_rgb
from nvcodec.codecs.encoding import readable_plan, start_of_fit
from nvcodec.codecs.fitted import FittedCodec
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.sizing import samples_a_step
from nvcodec.errors import UsageError
from nvcodec.fitting.clip import Clip, from_phases
from nvcodec.fitting.fit import FitSettings, fit
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import Plan
from nvcodec.fitting.tiles import frames_a_step, plan_tiles
from nvcodec.format import Planes
from nvcodec.hardware import deterministic, exact_fp32, fast_precision
from nvcodec.metrics import FrameMetrics, SequenceMetrics


@dataclass(frozen=True)
class Fit:
    """What to fit: either ``epochs`` or ``seconds`` is set. An epoch shows every sample of every frame once."""

    codec: str
    parameters: int  # at most
    epochs: int | None = None
    seconds: float | None = None
    seed: int = 0
    device: str = "cpu"
    precision: str | None = None  # of activations while fitting; None: the fastest of the device


def fitted_codec(name: str) -> FittedCodec:
    """The codec called ``name``.

    Raises:
        UsageError: there is none, or it is not fitted.
    """
    codec = get_codec(name)
    if not isinstance(codec, FittedCodec):
        raise UsageError(f"{name} is not a fitted codec: it has no network to fit to a clip")
    return codec


class Regression:
    """One fit of one clip."""

    def __init__(self, pictures: Pictures, what: Fit) -> None:
        self.pictures, self.what = pictures, what
        self.codec = fitted_codec(what.codec)
        self.clip = Clip(pictures.frames, pictures.format.bit_depth, what.device)
        self.config = readable_plan(self.codec, what.parameters, len(pictures.frames), pictures.format)
        self.network: nn.Module
        self.parameters: CodedParameters
        self.network, self.parameters = start_of_fit(self.codec, self.config, self.clip, what.seed, what.device)
        self.samples = samples_a_step(self.parameters.count)

    def steps_an_epoch(self) -> float:
        """Optimiser steps in which every sample is seen once."""
        rows, columns = self.clip.phases.shape[-2:]
        tiles = len(plan_tiles(self.config.growth(), rows, columns, self.samples))
        frames = self.clip.frame_count
        return frames * tiles if tiles > 1 else frames / frames_a_step(rows * columns, frames, self.samples)

    def run(self) -> dict[str, Any]:
        """Fits, measures, and says how far the fit came."""
        what, a_step = self.what, self.steps_an_epoch()
        plan = Plan(seconds=what.seconds) if what.epochs is None else Plan(steps=max(1, round(what.epochs * a_step)))
        precision = what.precision or fast_precision(what.device)
        rates = self.codec.rates(self.parameters.count)
        settings = FitSettings(
            plan, 1.0, seed=what.seed, precision=precision, rates=rates, batch_samples=self.samples, coded=False
        )
        with deterministic(what.device):
            status = fit(self.network, self.parameters, self.clip, self._input, settings, growth=self.config.growth())
        started = time.perf_counter()
        return {
            **self.measure(),
            "parameters": self.parameters.count,
            "epochs": status.step / a_step,
            "steps": status.step,
            "steps_an_epoch": a_step,
            "fit_seconds": status.seconds,
            "measure_seconds": time.perf_counter() - started,
            "precision": precision,
            "device": what.device,
            "rgb": rgb_maker(),
        }

    def _input(self, frames: list[int], embedding: Tensor | None) -> Tensor:
        return self.codec.network_input(frames, embedding, self.clip.frame_count, self.what.device)

    @torch.no_grad()
    def planes(self, frame: int) -> Planes:
        """A frame as the float weights show it, in fp32, rounded to the bit depth."""
        weights, embedding = self.parameters.plain([frame])
        if embedding is not None:
            embedding = embedding.contiguous(memory_format=torch.channels_last)
        with exact_fp32(self.what.device):
            predicted = functional_call(self.network, weights, (self._input([frame], embedding),))
        fmt = self.pictures.format
        shown = predicted[0, :, : fmt.chroma_height, : fmt.chroma_width].float().clamp(0, 1)
        phases = (shown * self.clip.peak).round().cpu().numpy()
        return from_phases(phases.astype(self.pictures.frames[0][0].dtype), fmt.height, fmt.width)

    def measure(self) -> dict[str, float | None]:
        """PSNRs in dB, means over frames: planes, 6:1:1, and RGB against the source's own."""
        sequence, fmt = SequenceMetrics(), self.pictures.format
        for index, source in enumerate(self.pictures.frames):
            shown = self.planes(index)
            rgb = to_rgb(source, fmt), to_rgb(shown, fmt)
            sequence.add(FrameMetrics.of(source, shown, fmt.bit_depth, rgb, with_ms_ssim=False))
        found = sequence.result()
        return {name: getattr(found, name) for name in ("psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb")}
