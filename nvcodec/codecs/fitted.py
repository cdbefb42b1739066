"""What all fitted codecs share: fit, quantise, code, and show again. A family adds its network and its sizes."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nvcodec.codecs.base import CodedUnit, GroupPayload, GroupSpec, Planes, quality_lambda
from nvcodec.codecs.goals import Candidate, Goal
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.sizing import fit_plan, parameters_for
from nvcodec.codecs.tensors import CodedTensors, Shapes, decode_tensors
from nvcodec.container import Cost
from nvcodec.fitting.clip import Clip, from_phases
from nvcodec.fitting.fit import FitSettings, FitStatus, fit
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv


def to_channels_last(network: nn.Module) -> nn.Module:
    """Lay out 4-D parameters channels last, in place: the fast layout for convolutions."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


class FittedDecoder:
    """A network with its decoded parameters. Pictures are made one at a time, in fp32, eager: the reference path."""

    def __init__(
        self, codec: FittedCodec, config: Any, tensors: CodedTensors, format: VideoFormat, frame_count: int, device: str
    ) -> None:
        self.symbol_hash = tensors.hash()
        self._codec, self._format, self._frames, self._device = codec, format, frame_count, device
        self._network = codec.network(config).to(device)
        values = [torch.from_numpy(v) for v in tensors.weight_values()]
        names = [name for name, _ in self._network.named_parameters()]
        self._network.load_state_dict(dict(zip(names, values, strict=True)), strict=False)
        to_channels_last(self._network).eval()
        embedding = tensors.embedding_values()
        self._embedding = None if embedding is None else torch.from_numpy(embedding).to(device)

    @torch.no_grad()
    def planes(self, frame: int) -> Planes:
        """Frame ``frame`` as (Y, U, V), uint8 or uint16."""
        if not 0 <= frame < self._frames:
            raise IndexError(f"frame {frame} of a group of {self._frames}")
        embedding = None
        if self._embedding is not None:
            embedding = self._embedding[frame : frame + 1].contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.partition(":")[0], enabled=False):
            predicted = self._network(self._codec.network_input([frame], embedding, self._frames, self._device))
        peak = (1 << self._format.bit_depth) - 1
        phases = (predicted[0, :, : self._format.chroma_height, : self._format.chroma_width] * peak).round_()
        dtype = np.uint8 if self._format.bit_depth == 8 else np.uint16
        return from_phases(phases.cpu().numpy().astype(dtype), self._format.height, self._format.width)


class FittedCodec(ABC):
    """A network overfitted to a group; its quantised parameters are the group's only unit."""

    name: str
    codec_id: int

    # what a family says

    @abstractmethod
    def plan(self, count: int, frames: int, rows: int, columns: int) -> Any:
        """The network of about ``count`` parameters for ``frames`` pictures of ``rows`` x ``columns`` phases."""

    @abstractmethod
    def pack(self, config: Any) -> bytes:
        """The network's description for the stream."""

    @abstractmethod
    def unpack(self, data: bytes, rows: int, columns: int) -> Any:
        """The inverse of :meth:`pack`; raises FormatError if a field is out of bounds or does not fit the picture."""

    @abstractmethod
    def network(self, config: Any) -> nn.Module:
        """The network: input of :meth:`network_input` -> (N, 6, >= rows, >= columns) in [0, 1]."""

    @abstractmethod
    def shapes(self, config: Any, frames: int) -> Shapes:
        """Shapes of all coded tensors, from the config alone."""

    @abstractmethod
    def network_input(self, frames: list[int], embedding: Tensor | None, count: int, device: str) -> Tensor:
        """What the network is called with for these frames of a group of ``count``."""

    @abstractmethod
    def network_cost(self, config: Any) -> tuple[int, int]:
        """(multiply-adds a picture, most activation values alive at once)."""

    def start_embedding(self, clip: Clip, config: Any) -> Tensor | None:
        """Where the embedding (T, C, h, w) starts from, or None."""
        return None

    # what follows from it

    def cost(self, config: bytes, format: VideoFormat, frame_count: int) -> Cost:
        parsed = self.unpack(config, format.chroma_height, format.chroma_width)
        macs, values = self.network_cost(parsed)
        pixels = format.width * format.height
        return Cost(self.shapes(parsed, frame_count).count, -(-macs // pixels), 4 * values, pixels, frame_count)

    def open_group(
        self, config: bytes, units: Sequence[bytes], format: VideoFormat, frame_count: int, device: str = "cpu"
    ) -> FittedDecoder:
        parsed = self.unpack(config, format.chroma_height, format.chroma_width)
        tensors = decode_tensors(units[0], self.shapes(parsed, frame_count))
        return FittedDecoder(self, parsed, tensors, format, frame_count, device)

    def encode_group(
        self,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None = None,
    ) -> GroupPayload:
        started = time.monotonic()
        clip = Clip(frames, format.bit_depth, spec.device)
        goal = Goal.of(spec)
        count = parameters_for(clip, spec)
        best: tuple[Candidate, Any] | None = None
        steps = 0
        for attempt in range(goal.attempts):
            config = self.plan(count, clip.frame_count, *clip.phases.shape[-2:])
            left = None if spec.seconds is None else spec.seconds - (time.monotonic() - started)
            parameters, status = self._fit(clip, config, goal.lam, spec, fit_plan(clip, spec, left, attempt), on_status)
            steps += status.step
            measure = partial(self._psnr, config, frames, format, spec.device)
            candidate = goal.choose(parameters, measure)
            if best is None or goal.better(candidate, best[0]):
                best = candidate, config
            if goal.done(candidate) or (left is not None and left < 1):
                break
            count = goal.grow(count, candidate)
        assert best is not None
        payload = self._payload(*best, frames, format, spec, goal)
        payload.steps, payload.seconds = steps, time.monotonic() - started
        return payload

    def _fit(
        self,
        clip: Clip,
        config: Any,
        lam: float,
        spec: GroupSpec,
        plan: Any,
        on_status: Callable[[FitStatus], None] | None,
    ) -> tuple[CodedParameters, FitStatus]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(spec.seed)
            network = self.network(config)
        to_channels_last(network.to(spec.device))
        parameters = CodedParameters(network, self.start_embedding(clip, config)).to(spec.device)
        bits = None if spec.target_bytes is None else 8.0 * spec.target_bytes
        settings = FitSettings(plan, lam, bits, spec.seed, spec.precision)
        status = fit(
            network, parameters, clip,
            lambda chosen, embedding: self.network_input(chosen, embedding, clip.frame_count, spec.device),
            settings, on_status,
        )  # fmt: skip
        return parameters, status

    def _psnr(
        self, config: Any, frames: Sequence[Planes], format: VideoFormat, device: str, tensors: CodedTensors
    ) -> float:
        decoder = FittedDecoder(self, config, tensors, format, len(frames), device)
        values = [psnr_yuv(planes, decoder.planes(i), format.bit_depth) for i, planes in enumerate(frames)]
        return float(np.mean(values))

    def _payload(
        self,
        candidate: Candidate,
        config: Any,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        goal: Goal,
    ) -> GroupPayload:
        packed = self.pack(config)
        decoder = self.open_group(packed, [candidate.payload], format, len(frames), spec.device)
        pictures, values = PictureHash(), []
        for i, planes in enumerate(frames):
            shown = decoder.planes(i)
            values.append(psnr_yuv(planes, shown, format.bit_depth))
            pictures.update(shown)
        unit = CodedUnit(0, len(frames), candidate.payload)
        return GroupPayload(
            packed, [unit], decoder.symbol_hash, pictures.digest(), float(np.mean(values)),
            len(packed) + candidate.bits / 8, goal.met(candidate, len(packed)),
            notes={"parameters": float(self.shapes(config, len(frames)).count), "lambda": quality_lambda(spec.quality)},
        )  # fmt: skip
