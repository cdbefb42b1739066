"""``--codec nerv``: a network of time alone (NeRV, Chen et al. 2021), coded with rate in the loop.

The network shows the six half-size planes of 4:2:0. There is no embedding: all bits are weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor, nn

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times
from nvcodec.codecs.grids import (
    MOST_WIDTH,
    choose_strides,
    get_grid,
    get_strides,
    grid_of,
    put_strides,
    widest,
)
from nvcodec.codecs.tensors import Shapes
from nvcodec.fitting.clip import CHANNELS
from nvcodec.models.nerv import NeRV, NeRVConfig

GRID_ROWS = 5.0
HIDDEN = 128
LEVELS = 40


def put_encoding(fields: FieldWriter, base: float, levels: int) -> None:
    fields.put(round(base * 100), levels)


def get_encoding(fields: FieldReader) -> tuple[float, int]:
    """(base, levels) of the times' encoding."""
    return fields.get("encoding base", 100, 400) / 100, fields.get("encoding levels", 1, 128)


def put_network(fields: FieldWriter, config: NeRVConfig) -> None:
    """What does not depend on the picture's size."""
    fields.put(config.width, config.min_width, config.expansion, config.hidden)
    put_encoding(fields, config.pe_base, config.pe_levels)


def get_network(fields: FieldReader) -> dict[str, Any]:
    """The inverse of :func:`put_network`, as fields of a :class:`NeRVConfig`."""
    out: dict[str, Any] = {
        "width": fields.get("width", 1, MOST_WIDTH),
        "min_width": fields.get("least width", 1, MOST_WIDTH),
        "expansion": fields.get("expansion", 1, 16),
        "hidden": fields.get("hidden width", 1, MOST_WIDTH),
        "out_channels": CHANNELS,
    }
    out["pe_base"], out["pe_levels"] = get_encoding(fields)
    return out


def put_nerv(fields: FieldWriter, config: NeRVConfig) -> None:
    put_strides(fields, config.strides)
    fields.put(*config.grid)
    put_network(fields, config)


def get_nerv(fields: FieldReader, rows: int, columns: int) -> NeRVConfig:
    """The inverse of :func:`put_nerv`."""
    strides = get_strides(fields)
    return NeRVConfig(get_grid(fields, strides, rows, columns), strides=strides, **get_network(fields))


class NeRVCodec(FittedCodec):
    """See the module."""

    name = "nerv"
    codec_id = 1

    def plan(self, count: int, frames: int, rows: int, columns: int) -> NeRVConfig:
        """The widest stem whose network has at most ``count`` weights, if there is one so small."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid = grid_of(rows, columns, strides)
        hidden = max(16, min(HIDDEN, count // 400))

        def config(width: int, least: int) -> NeRVConfig:
            return NeRVConfig(grid, width, strides, least, 1, hidden, 1.25, LEVELS, CHANNELS)

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count, 1))

    def pack(self, config: NeRVConfig) -> bytes:
        fields = FieldWriter()
        put_nerv(fields, config)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> NeRVConfig:
        fields = FieldReader(data)
        config = get_nerv(fields, rows, columns)
        fields.end()
        return config

    def network(self, config: NeRVConfig) -> nn.Module:
        return NeRV(config)

    def shapes(self, config: NeRVConfig, frames: int) -> Shapes:
        features = prod(config.grid) * config.width
        stem = (config.hidden, 2 * config.pe_levels), (config.hidden,), (features, config.hidden), (features,)
        return Shapes((*stem, *config.growth().shapes()))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        return frame_times(frames, count, device)

    def network_cost(self, config: NeRVConfig) -> tuple[int, int]:
        macs, values = config.growth().cost()
        return config.hidden * (2 * config.pe_levels + prod(config.grid) * config.width) + macs, values
