"""``--codec enerv-boost``: the stem of E-NeRV under blocks that are told the time (Zhang et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from nvcodec.codecs.enerv import get_stem, hidden_width, put_stem, rates, stem_sizes
from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times
from nvcodec.codecs.grids import choose_strides, grid_of, widest
from nvcodec.codecs.hnerv_boost import condition_width, get_blocks
from nvcodec.codecs.nerv import GRID_ROWS, LEVELS
from nvcodec.codecs.tensors import Shapes
from nvcodec.fitting.clip import CHANNELS
from nvcodec.fitting.optimisers import LearningRates
from nvcodec.models.boost import condition_macs, condition_shapes
from nvcodec.models.enerv import ENeRVBoost, ENeRVBoostConfig, stem_cost, stem_shapes


class ENeRVBoostCodec(FittedCodec):
    """See the module."""

    name = "enerv-boost"
    codec_id = 11

    def rates(self, count: int) -> LearningRates:
        return rates(count)

    def plan(self, count: int, frames: int, rows: int, columns: int) -> ENeRVBoostConfig:
        """The widest stem whose network has at most ``count`` weights, if there is one so small."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid = grid_of(rows, columns, strides)

        def config(width: int, least: int) -> ENeRVBoostConfig:
            shape = grid, width, strides, least, 1, hidden_width(count), 1.25, LEVELS, CHANNELS, "sin"
            return ENeRVBoostConfig(*shape, *stem_sizes(count), condition_width(count), single=len(strides))

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count, 1))

    def pack(self, config: ENeRVBoostConfig) -> bytes:
        fields = FieldWriter()
        put_stem(fields, config)
        fields.put(config.single, config.told)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> ENeRVBoostConfig:
        fields = FieldReader(data)
        shape = get_stem(fields, rows, columns) | {"activation": "sin"}
        single, told = get_blocks(fields)
        config = ENeRVBoostConfig(**shape, single=single, told=told)
        fields.end()
        return config

    def network(self, config: ENeRVBoostConfig) -> nn.Module:
        return ENeRVBoost(config)

    def shapes(self, config: ENeRVBoostConfig, frames: int) -> Shapes:
        growth = config.growth()
        told = condition_shapes(config.pe_levels, config.told, growth)
        return Shapes((*told, *stem_shapes(config), *growth.shapes()))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        return frame_times(frames, count, device)

    def network_cost(self, config: ENeRVBoostConfig) -> tuple[int, int]:
        growth, (stem, alive) = config.growth(), stem_cost(config)
        macs, values = growth.cost()
        return condition_macs(config.pe_levels, config.told, growth) + stem + macs, max(alive, values)
