"""``--codec hnerv-boost``: an embedding a frame and a decoder that is told the time (Zhang et al. 2024).

As ``hnerv``, with deeper blocks: more multiply-adds a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times, timed_embedding
from nvcodec.codecs.grids import MOST_STAGES, choose_strides, grid_of, widest
from nvcodec.codecs.hnerv import GRID_ROWS, embedding_channels, first_embedding, get_hnerv, put_hnerv
from nvcodec.codecs.nerv import get_encoding, put_encoding
from nvcodec.codecs.tensors import Shapes
from nvcodec.fitting.clip import CHANNELS, Clip
from nvcodec.fitting.optimisers import LearningRates
from nvcodec.models.boost import HNeRVBoost, HNeRVBoostConfig, condition_macs, condition_shapes

REDUCTION = 1.6
KERNEL = 3
BASE, LEVELS = 1.4, 12  # up to some twenty turns a group
MOST_CONDITION = 16


def condition_width(count: int) -> int:
    """Of the time's vector, for a network of ``count`` coded numbers."""
    return max(2, min(MOST_CONDITION, count // 8000))


def get_blocks(fields: FieldReader) -> tuple[int, int]:
    """(stages of one block, width of the time's vector)."""
    return fields.get("stages of one block", 0, MOST_STAGES), fields.get("condition width", 1, 1024)


class HNeRVBoostCodec(FittedCodec):
    """See the module."""

    name = "hnerv-boost"
    codec_id = 7

    def rates(self, count: int) -> LearningRates:
        """Large ones are lost under the usual rate (bikes 640x272, 104 kB, 800 steps: 38.9 dB, with a third 43.7)."""
        return LearningRates(matrices=max(0.008, 0.03 * min(1.0, 60_000 / count)))

    def plan(self, count: int, frames: int, rows: int, columns: int) -> HNeRVBoostConfig:
        """The widest decoder with at most ``count`` numbers, its embedding's included, if there is one so small."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid = grid_of(rows, columns, strides)
        channels = embedding_channels(count, frames, grid)
        told = BASE, LEVELS, len(strides), condition_width(count)

        def config(width: int, least: int) -> HNeRVBoostConfig:
            shape = grid, channels, width, strides, REDUCTION, least, KERNEL, KERNEL, CHANNELS
            return HNeRVBoostConfig(*shape, "sin", *told)

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count))

    def pack(self, config: HNeRVBoostConfig) -> bytes:
        fields = FieldWriter()
        put_hnerv(fields, config)
        put_encoding(fields, config.pe_base, config.pe_levels)
        fields.put(config.single, config.condition)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> HNeRVBoostConfig:
        fields = FieldReader(data)
        shape = vars(get_hnerv(fields, rows, columns)) | {"activation": "sin"}
        (base, levels), (single, condition) = get_encoding(fields), get_blocks(fields)
        fields.end()
        return HNeRVBoostConfig(**shape, pe_base=base, pe_levels=levels, single=single, condition=condition)

    def network(self, config: HNeRVBoostConfig) -> nn.Module:
        return HNeRVBoost(config)

    def shapes(self, config: HNeRVBoostConfig, frames: int) -> Shapes:
        growth = config.growth()
        told = condition_shapes(config.pe_levels, config.condition, growth)
        return Shapes((*told, *growth.shapes()), (config.embedding_channels, frames, *config.grid))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        assert embedding is not None
        return timed_embedding(frame_times(frames, count, device), embedding)

    def network_cost(self, config: HNeRVBoostConfig) -> tuple[int, int]:
        growth = config.growth()
        macs, values = growth.cost()
        return condition_macs(config.pe_levels, config.condition, growth) + macs, values

    def start_embedding(self, clip: Clip, config: HNeRVBoostConfig) -> Tensor:
        return first_embedding(clip, config.grid, config.embedding_channels)
