"""``--codec nerv-boost``: a network of time alone, whose blocks are told the time again (Zhang et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times
from nvcodec.codecs.grids import choose_strides, grid_of, widest
from nvcodec.codecs.hnerv_boost import condition_width, get_blocks
from nvcodec.codecs.nerv import GRID_ROWS, HIDDEN, LEVELS, get_nerv, put_nerv
from nvcodec.codecs.tensors import Shapes
from nvcodec.fitting.clip import CHANNELS
from nvcodec.fitting.optimisers import LearningRates
from nvcodec.models.boost import NeRVBoost, NeRVBoostConfig, condition_macs, condition_shapes


class NeRVBoostCodec(FittedCodec):
    """See the module."""

    name = "nerv-boost"
    codec_id = 8

    def rates(self, count: int) -> LearningRates:
        """Under the usual rate such networks are lost (bikes 640x272, 104 kB, 800 steps: 23.7 dB, with this 41.1)."""
        return LearningRates(matrices=0.01)

    def plan(self, count: int, frames: int, rows: int, columns: int) -> NeRVBoostConfig:
        """The widest stem whose network has at most ``count`` weights, if there is one so small."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid = grid_of(rows, columns, strides)
        hidden = max(16, min(HIDDEN, count // 400))

        def config(width: int, least: int) -> NeRVBoostConfig:
            shape = grid, width, strides, least, 1, hidden, 1.25, LEVELS, CHANNELS
            return NeRVBoostConfig(*shape, "sin", len(strides), condition_width(count))

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count, 1))

    def pack(self, config: NeRVBoostConfig) -> bytes:
        fields = FieldWriter()
        put_nerv(fields, config)
        fields.put(config.single, config.condition)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> NeRVBoostConfig:
        fields = FieldReader(data)
        shape = vars(get_nerv(fields, rows, columns)) | {"activation": "sin"}
        single, condition = get_blocks(fields)
        fields.end()
        return NeRVBoostConfig(**shape, single=single, condition=condition)

    def network(self, config: NeRVBoostConfig) -> nn.Module:
        return NeRVBoost(config)

    def shapes(self, config: NeRVBoostConfig, frames: int) -> Shapes:
        features = prod(config.grid) * config.width
        stem = (config.hidden, 2 * config.pe_levels), (config.hidden,), (features, config.hidden), (features,)
        growth = config.growth()
        told = condition_shapes(config.pe_levels, config.condition, growth)
        return Shapes((*told, *stem, *growth.shapes()))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        return frame_times(frames, count, device)

    def network_cost(self, config: NeRVBoostConfig) -> tuple[int, int]:
        growth = config.growth()
        macs, values = growth.cost()
        stem = config.hidden * (2 * config.pe_levels + prod(config.grid) * config.width)
        return condition_macs(config.pe_levels, config.condition, growth) + stem + macs, values
