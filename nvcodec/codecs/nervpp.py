"""``--codec nervpp``: a network of time alone, of gated and residual depthwise blocks (NeRV++, Ghorbel et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times
from nvcodec.codecs.grids import choose_strides, grid_of, widest
from nvcodec.codecs.nerv import GRID_ROWS, LEVELS, get_nerv, put_nerv
from nvcodec.codecs.tensors import Shapes
from nvcodec.fitting.clip import CHANNELS
from nvcodec.models.nervpp import NeRVPlus, NeRVPlusConfig

MOST_HIDDEN = 128


class NeRVPlusCodec(FittedCodec):
    """See the module."""

    name = "nervpp"
    codec_id = 9

    def plan(self, count: int, frames: int, rows: int, columns: int) -> NeRVPlusConfig:
        """The widest stem whose network has at most ``count`` weights, if there is one so small."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid = grid_of(rows, columns, strides)
        hidden = max(8, min(MOST_HIDDEN, count // 600))

        def config(width: int, least: int) -> NeRVPlusConfig:
            return NeRVPlusConfig(grid, width, strides, least, 1, hidden, 1.25, LEVELS, CHANNELS)

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count, 1))

    def pack(self, config: NeRVPlusConfig) -> bytes:
        fields = FieldWriter()
        put_nerv(fields, config)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> NeRVPlusConfig:
        fields = FieldReader(data)
        config = NeRVPlusConfig(**vars(get_nerv(fields, rows, columns)))
        fields.end()
        return config

    def network(self, config: NeRVPlusConfig) -> nn.Module:
        return NeRVPlus(config)

    def shapes(self, config: NeRVPlusConfig, frames: int) -> Shapes:
        features, gated = prod(config.grid) * config.width, 2 * config.hidden
        stem = (gated, 2 * config.pe_levels), (gated,), (features, config.hidden), (features,)
        return Shapes((*stem, *config.growth().shapes()))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        return frame_times(frames, count, device)

    def network_cost(self, config: NeRVPlusConfig) -> tuple[int, int]:
        macs, values = config.growth().cost()
        return config.hidden * (4 * config.pe_levels + prod(config.grid) * config.width) + macs, values
