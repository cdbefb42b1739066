"""``--codec pfnr``: a library of videos in one network (PFNR, Kang et al., ICLR 2024; bitstream/PFNR.md).

Videos are learned one after another. Each takes some weights of a shared network for good, uses some that were taken
before it, and leaves all of those as they are: earlier videos stay what they were, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nvcodec.codecs.base import GroupPayload, GroupSpec, GroupState, Planes
from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times
from nvcodec.codecs.grids import MOST_GRID, MOST_STAGES, choose_strides, get_strides, grid_of, put_strides, widest
from nvcodec.codecs.masked import MaskedTensors, decode_masked
from nvcodec.codecs.nerv import GRID_ROWS, HIDDEN, LEVELS, get_network, put_network
from nvcodec.codecs.state import FittedState
from nvcodec.codecs.steps import step_exponent, step_size
from nvcodec.codecs.tensors import CodedTensors, Shapes
from nvcodec.errors import FormatError, UsageError
from nvcodec.fitting.clip import CHANNELS
from nvcodec.fitting.fit import FitStatus
from nvcodec.fitting.masked import MaskedParameters, masked_integers
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.format import VideoFormat
from nvcodec.models.pfnr import PFNR, PFNRConfig, is_shared

# Chosen by foreman, news and akiyo (8 frames each, 24, 16 and 12 kB, 500 steps), one after another in one library: mean
# 29.9 dB; 27.6 dB with room 4 and share 0.4, whose masks alone take four fifths of the bytes.
ROOM = 2  # times the weights that one video would have: what a first video leaves for others
SHARE = 0.5  # of the free weights that a video may take
MODES = 2


class PFNRCodec(FittedCodec):
    """See the module."""

    name = "pfnr"
    codec_id = 12
    library = True
    stands_alone = False

    def plan(self, count: int, frames: int, rows: int, columns: int) -> PFNRConfig:
        """The widest network with ``ROOM`` times as many weights."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid, most = grid_of(rows, columns, strides), int(ROOM * count)
        hidden = max(16, min(HIDDEN, most // 400))
        fourier = min(1, len(strides) - 1), MODES

        def config(width: int, least: int) -> PFNRConfig:
            return PFNRConfig(grid, width, strides, least, 1, hidden, 1.25, LEVELS, CHANNELS, "silu", *fourier)

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= most, 1))

    def pack(self, config: PFNRConfig) -> bytes:
        fields = FieldWriter()
        put_strides(fields, config.strides)
        fields.put(*config.grid)
        put_network(fields, config)
        fields.put(config.fourier_stage, config.modes)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> PFNRConfig:
        fields = FieldReader(data)
        strides = get_strides(fields)
        grid = fields.get("grid rows", 1, MOST_GRID), fields.get("grid columns", 1, MOST_GRID)
        needed = grid_of(rows, columns, strides)
        if grid[0] < needed[0] or grid[1] < needed[1]:
            raise FormatError(f"a grid of {grid[0]}x{grid[1]} is too small for the picture under strides {strides}")
        shape = get_network(fields)
        stage, modes = fields.get("stage of the Fourier operator", 0, MOST_STAGES - 1), fields.get("modes", 0, 16)
        fields.end()
        if stage >= len(strides):
            raise FormatError(f"a network of {len(strides)} stages has no stage {stage}")
        return PFNRConfig(grid, strides=strides, **shape, fourier_stage=stage, modes=modes)

    def network(self, config: PFNRConfig) -> nn.Module:
        return PFNR(config)

    def named_shapes(self, config: PFNRConfig) -> dict[str, tuple[int, ...]]:
        """Of all tensors, in order."""
        features = prod(config.grid) * config.width
        out: dict[str, tuple[int, ...]] = {
            "stem.0.weight": (config.hidden, 2 * config.pe_levels), "stem.0.bias": (config.hidden,),
            "stem.2.weight": (features, config.hidden), "stem.2.bias": (features,),
        }  # fmt: skip
        growth = config.growth()
        for number, stage in enumerate(growth.stages):
            out |= zip((f"stages.{number}.conv.{kind}" for kind in ("weight", "bias")), stage.shapes(), strict=True)
            if config.modes and number == config.fourier_stage:
                out |= {f"stages.{number}.fourier.{part}": config.fourier_shape for part in ("real", "imaginary")}
        out |= zip(("head.weight", "head.bias"), growth.head.shapes(), strict=True)
        return out

    def shapes(self, config: PFNRConfig, frames: int) -> Shapes:
        return Shapes(tuple(self.named_shapes(config).values()))

    def shared(self, config: PFNRConfig) -> tuple[bool, ...]:
        """Which tensors videos share."""
        return tuple(is_shared(name) for name in self.named_shapes(config))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        return frame_times(frames, count, device)

    def network_cost(self, config: PFNRConfig) -> tuple[int, int]:
        growth = config.growth()
        macs, values = growth.cost()
        macs += config.hidden * (2 * config.pe_levels + prod(config.grid) * config.width)
        if config.modes:
            own, alive = self._fourier_cost(config)
            macs, values = macs + own, max(values, alive)
        return macs, values

    def _fourier_cost(self, config: PFNRConfig) -> tuple[int, int]:
        """(multiply-adds, most values alive) of the stage's Fourier operator: there, across, and back."""
        growth, modes, up = config.growth(), config.modes, 2 * config.modes - 1
        stage, (rows, columns) = growth.stages[config.fourier_stage], growth.cells(config.fourier_stage)
        high, wide = rows * stage.stride, columns * stage.stride
        there = 2 * stage.c_in * modes * rows * (columns + 2 * up)
        across = 4 * stage.c_in * stage.c_out * up * modes
        back = 2 * stage.c_out * up * wide * (2 * modes + high)
        own = 2 * stage.c_in * rows * modes + stage.c_out * wide * (2 * up + high)
        return there + across + back, stage.cost(rows * columns)[1] + own

    # masks

    def parameters(self, network: nn.Module, embedding: Tensor | None) -> CodedParameters:
        return MaskedParameters(network, [is_shared(name) for name, _ in network.named_parameters()], SHARE)

    def quantise(
        self, parameters: CodedParameters, offset: int = 0, previous: FittedState | None = None
    ) -> MaskedTensors:
        assert isinstance(parameters, MaskedParameters)
        exponents = [step_exponent(float(step.detach()) + offset / 16) for step in parameters.weight_steps]
        weights = []
        for number, (weight, exponent) in enumerate(zip(parameters.weights, exponents, strict=True)):
            step = float(step_size(exponent))
            own = not parameters.shared[number]
            values = (weight.detach().double() / step).round() if own else masked_integers(parameters, number, step)
            weights.append(torch.clamp(values, -(2**30), 2**30).cpu().numpy().astype(np.int32))
        return MaskedTensors(weights, exponents, previous=previous, shared=parameters.shared)

    def decode_tensors(self, payload: bytes, config: Any, frames: int, previous: FittedState | None) -> CodedTensors:
        return decode_masked(payload, self.shapes(config, frames).weights, self.shared(config), previous)

    def encode_group(
        self,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None = None,
        previous: GroupState | None = None,
    ) -> GroupPayload:
        if isinstance(previous, FittedState):
            self._check_room(previous, format)
        return super().encode_group(frames, format, spec, on_status, previous)

    def _check_room(self, previous: FittedState, format: VideoFormat) -> None:
        """Raise :class:`UsageError` if the library's network cannot show such pictures."""
        try:
            self.unpack(previous.config, format.chroma_height, format.chroma_width)
        except FormatError:
            config = self.unpack(previous.config, 1, 1)
            rows, columns = config.output_size
            raise UsageError(
                f"the library's network shows pictures of at most {2 * columns}x{2 * rows}, "
                f"not {format.width}x{format.height}"
            ) from None
