"""``--codec enerv``: a network of time and of places apart, mixed by attention (E-NeRV, Li et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times
from nvcodec.codecs.grids import choose_strides, grid_of, widest
from nvcodec.codecs.nerv import GRID_ROWS, HIDDEN, LEVELS, get_nerv, put_nerv
from nvcodec.codecs.tensors import Shapes
from nvcodec.fitting.clip import CHANNELS
from nvcodec.fitting.optimisers import LearningRates
from nvcodec.models.enerv import ENeRV, ENeRVConfig, stem_cost, stem_shapes

SPACE_LEVELS = 12
HEADS = 2
SQUEEZE = 1


def stem_sizes(count: int) -> tuple[int, int, int, int, int]:
    """(space levels, width of the tokens, heads, width of one, width of their MLPs) of ``count`` weights.

    Narrow ones: what a stem takes is missing in the stages (carphone, 10 kB: half as many weights in it, 0.7 dB more).
    """
    tokens = 8 * max(1, min(16, round((count / 120) ** 0.5 / 8)))
    return SPACE_LEVELS, tokens, HEADS, max(4, tokens // 4), tokens


def hidden_width(count: int) -> int:
    """Of the time's branch, in a network of ``count`` weights."""
    return max(8, min(HIDDEN, count // 1600))


def rates(count: int) -> LearningRates:
    """Of a fit of ``count`` weights, of either codec: lower for large networks.

    At 800 steps on bikes 640x272, 0.01 in place of 0.03 gives 164,000 weights 2.2 dB more (enerv) or saves the fit
    (enerv-boost: 40.7 dB for 21.1). 15,000 do best with 0.03.
    """
    return LearningRates(matrices=max(0.009, 0.03 * min(1.0, 20_000 / count)))


def put_stem(fields: FieldWriter, config: ENeRVConfig) -> None:
    put_nerv(fields, config)
    fields.put(config.space_levels, config.tokens, config.heads, config.head_width, config.feed)


def get_stem(fields: FieldReader, rows: int, columns: int) -> dict[str, Any]:
    """The inverse of :func:`put_stem`."""
    return vars(get_nerv(fields, rows, columns)) | {
        "space_levels": fields.get("levels of space", 1, 128),
        "tokens": fields.get("token width", 1, 1024),
        "heads": fields.get("heads", 1, 16),
        "head_width": fields.get("head width", 1, 256),
        "feed": fields.get("feed width", 1, 4096),
    }


class ENeRVCodec(FittedCodec):
    """See the module."""

    name = "enerv"
    codec_id = 10

    def rates(self, count: int) -> LearningRates:
        return rates(count)

    def plan(self, count: int, frames: int, rows: int, columns: int) -> ENeRVConfig:
        """The widest stem whose network has at most ``count`` weights, if there is one so small."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid = grid_of(rows, columns, strides)
        told = max(4, min(32, count // 2000))

        def config(width: int, least: int) -> ENeRVConfig:
            shape = grid, width, strides, least, 1, hidden_width(count), 1.25, LEVELS, CHANNELS, "silu"
            return ENeRVConfig(*shape, *stem_sizes(count), told, SQUEEZE)

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count, 1))

    def pack(self, config: ENeRVConfig) -> bytes:
        fields = FieldWriter()
        put_stem(fields, config)
        fields.put(config.squeeze, config.told)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> ENeRVConfig:
        fields = FieldReader(data)
        shape, squeeze = get_stem(fields, rows, columns), fields.get("squeeze", 1, 64)
        config = ENeRVConfig(**shape, squeeze=squeeze, told=fields.get("condition width", 1, 1024))
        fields.end()
        return config

    def network(self, config: ENeRVConfig) -> nn.Module:
        return ENeRV(config)

    def shapes(self, config: ENeRVConfig, frames: int) -> Shapes:
        growth = config.growth()
        parts = 2 * sum(stage.c_in for stage in growth.stages)
        told = (config.told, 2 * config.pe_levels), (config.told, config.told), (parts, config.told)
        layers = (shape for weight in told for shape in (weight, weight[:1]))
        return Shapes((*stem_shapes(config), *layers, *growth.shapes()))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        return frame_times(frames, count, device)

    def network_cost(self, config: ENeRVConfig) -> tuple[int, int]:
        growth, (stem, alive) = config.growth(), stem_cost(config)
        macs, values = growth.cost()
        parts = 2 * sum(stage.c_in for stage in growth.stages)
        return stem + config.told * (2 * config.pe_levels + config.told + parts) + macs, max(alive, values)
