"""What all fitted codecs share: fit, quantise, code, and show again. A family adds its network and its sizes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nvcodec.codecs.base import GroupPayload, GroupSpec, GroupState, Planes
from nvcodec.codecs.goals import quantise
from nvcodec.codecs.state import FittedState
from nvcodec.codecs.tensors import CodedTensors, Shapes, decode_tensors
from nvcodec.container import Cost, Unit
from nvcodec.errors import FormatError
from nvcodec.fitting.clip import Clip, from_phases
from nvcodec.fitting.fit import FitStatus
from nvcodec.fitting.optimisers import LearningRates
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.format import VideoFormat
from nvcodec.hardware import exact_fp32


def to_channels_last(network: nn.Module) -> nn.Module:
    """Lay out 4-D parameters channels last, in place: the fast layout for convolutions."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


@torch.no_grad()
def start_at_means(network: nn.Module, clip: Clip) -> None:
    """Let a network begin with the clip's mean colours: its head ends in (tanh + 1) / 2."""
    bias = network.get_parameter("head.bias")
    bias.copy_(torch.atanh(2 * clip.means().clamp(0.01, 0.99) - 1))


def frame_times(frames: Sequence[float], count: int, device: str) -> Tensor:
    """Of frames of a group of ``count``, or of places between them, in [0, 1): (N,) float32."""
    # not divided on the device: GPUs multiply by a reciprocal there, which the highest frequencies would show
    return torch.tensor([frame / count for frame in frames], dtype=torch.float32, device=device)


def timed_embedding(times: Tensor, embedding: Tensor) -> Tensor:
    """(N, 1 + C, rows, columns) float32: the time everywhere, then the embedding."""
    return torch.cat([times[:, None, None, None].expand(-1, 1, *embedding.shape[2:]), embedding.float()], 1)


class FittedDecoder:
    """A network with its decoded parameters. Pictures are made one at a time, in fp32, eager: the reference path."""

    independent = True

    def __init__(
        self, codec: FittedCodec, config: Any, tensors: CodedTensors, format: VideoFormat, frame_count: int, device: str
    ) -> None:
        self.state = tensors.state(codec.codec_id, codec.pack(config))
        self.symbol_hash = self.state.symbol_hash
        self._codec, self._format, self._frames, self._device = codec, format, frame_count, device
        with torch.device("meta"):  # no time and no random numbers for weights that are replaced at once
            self._network = codec.network(config)
        values = [torch.from_numpy(v) for v in tensors.shown_weights(self.state)]
        names = [name for name, _ in self._network.named_parameters()]
        self._network.load_state_dict(dict(zip(names, values, strict=True)), assign=True)
        to_channels_last(self._network.to(device)).eval()
        embedding = tensors.embedding_values()
        self._embedding = None if embedding is None else torch.from_numpy(embedding).to(device)

    @torch.no_grad()
    def planes(self, frame: int) -> Planes:
        """Frame ``frame`` as (Y, U, V), uint8 or uint16."""
        if not 0 <= frame < self._frames:
            raise IndexError(f"frame {frame} of a group of {self._frames}")
        return self._shown(frame, None if self._embedding is None else self._embedding[frame : frame + 1])

    @torch.no_grad()
    def between(self, frame: int, share: float = 0.5) -> Planes:
        """What the network makes of the time ``share`` of the way from ``frame`` to the next, their embeddings mixed.

        No part of the stream has this picture: it shows what a network has understood of the motion (as the video
        interpolation of HNeRV, Chen et al. 2023). uint8 or uint16 (Y, U, V); raises IndexError unless both frames are
        of the group.
        """
        if not 0 <= frame < self._frames - 1 or not 0 <= share <= 1:
            raise IndexError(f"nothing {share} of the way from frame {frame} in a group of {self._frames}")
        mixed = None
        if self._embedding is not None:
            mixed = torch.lerp(self._embedding[frame : frame + 1], self._embedding[frame + 1 : frame + 2], share)
        return self._shown(frame + share, mixed)

    def _shown(self, time: float, embedding: Tensor | None) -> Planes:
        if embedding is not None:
            embedding = embedding.contiguous(memory_format=torch.channels_last)
        with exact_fp32(self._device):  # less is coarser than the tolerance between devices
            predicted = self._network(self._codec.network_input([time], embedding, self._frames, self._device))
        predicted = predicted.nan_to_num_(0.0)  # only a hostile stream overflows
        peak = (1 << self._format.bit_depth) - 1
        phases = (predicted[0, :, : self._format.chroma_height, : self._format.chroma_width] * peak).round_()
        dtype = np.uint8 if self._format.bit_depth == 8 else np.uint16
        return from_phases(phases.cpu().numpy().astype(dtype), self._format.height, self._format.width)


class FittedCodec(ABC):
    """A network overfitted to a group; its quantised parameters are the group's only unit."""

    name: str
    codec_id: int
    family = "fitted"
    leans = True
    usual_frames = 0  # of a group; 0: as many as memory allows
    usual_keyint = 0  # frames from a key group to the next; 0: every group is one
    library = False  # whether files of it hold several videos, and every group leans on the one before
    stands_alone = True  # whether a group that misses its goal leaning may stand alone instead

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
    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        """What the network is called with for these frames of a group of ``count``, or for times between them."""

    @abstractmethod
    def network_cost(self, config: Any) -> tuple[int, int]:
        """(multiply-adds a picture, most activation values alive at once)."""

    # what a family may do its own way

    def start_embedding(self, clip: Clip, config: Any) -> Tensor | None:
        """Where the embedding (T, C, h, w) starts from, or None."""
        return None

    def rates(self, count: int) -> LearningRates:
        """Of a fit of ``count`` parameters."""
        return LearningRates()

    def parameters(self, network: nn.Module, embedding: Tensor | None) -> CodedParameters:
        """What a fit changes."""
        return CodedParameters(network, embedding)

    def quantise(
        self, parameters: CodedParameters, offset: int = 0, previous: FittedState | None = None
    ) -> CodedTensors:
        """Round all parameters with every step exponent raised by ``offset``; ``previous`` is what they follow."""
        return quantise(parameters, offset, previous)

    def decode_tensors(self, payload: bytes, config: Any, frames: int, previous: FittedState | None) -> CodedTensors:
        """What :meth:`quantise` made, from its bytes. Raises FormatError or DamagedError."""
        return decode_tensors(payload, self.shapes(config, frames), previous)

    # what follows from it

    def cost(self, config: bytes, format: VideoFormat, frame_count: int) -> Cost:
        parsed = self.unpack(config, format.chroma_height, format.chroma_width)
        macs, values = self.network_cost(parsed)
        pixels = format.width * format.height
        return Cost(self.shapes(parsed, frame_count).count, -(-macs // pixels), 4 * values, pixels, frame_count)

    def describe(self, config: bytes, format: VideoFormat, frame_count: int) -> dict[str, int | str]:
        """Grid, strides, widths (the stem's first), embedding channels (0: no embedding) and parameters."""
        parsed = self.unpack(config, format.chroma_height, format.chroma_width)
        shapes, growth = self.shapes(parsed, frame_count), parsed.growth()
        return {
            "grid": "{}x{}".format(*growth.grid),
            "strides": " ".join(str(stage.stride) for stage in growth.stages),
            "widths": " ".join(str(stage.c_in) for stage in (*growth.stages, growth.head)),
            "embedding_channels": shapes.embedding[0] if shapes.embedding else 0,
            "parameters": shapes.count,
        }

    def open_group(
        self,
        config: bytes,
        units: Sequence[Unit],
        format: VideoFormat,
        frame_count: int,
        device: str = "cpu",
        previous: GroupState | None = None,
    ) -> FittedDecoder:
        if len(units) != 1:
            raise FormatError(f"a group of a fitted codec has one unit, not {len(units)}")
        before = None if previous is None else self.state_before(previous, config)
        parsed = self.unpack(config, format.chroma_height, format.chroma_width)
        tensors = self.decode_tensors(units[0].payload, parsed, frame_count, before)
        return FittedDecoder(self, parsed, tensors, format, frame_count, device)

    def state_before(self, previous: GroupState, config: bytes) -> FittedState:
        """The state that a group of ``config`` leans on. Raises FormatError unless it is of the same network."""
        if not isinstance(previous, FittedState) or (previous.codec_id, previous.config) != (self.codec_id, config):
            raise FormatError("a group leans on one of another network")
        return previous

    def encode_group(
        self,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None = None,
        previous: GroupState | None = None,
    ) -> GroupPayload:
        from nvcodec.codecs.encoding import GroupEncoder  # which needs this module

        return GroupEncoder(self, frames, format, spec, on_status, previous).run()
