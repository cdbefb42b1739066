"""``--codec hnerv``: an embedding a frame and a shared decoder (HNeRV, Chen et al. 2023), coded with rate in the loop.

The network shows the six half-size planes of 4:2:0. Embeddings are free parameters that start from the principal
components of the frames: a linear encoder in closed form, so that a short fit need not find one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec
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
from nvcodec.errors import FormatError
from nvcodec.fitting.clip import CHANNELS, Clip
from nvcodec.models.hnerv import HNeRVConfig, HNeRVDecoder

REDUCTION = 1.6
KERNEL = 3
GRID_ROWS = 5.0
EMBEDDING_SHARE = 0.22  # of the coded parameters
LEAST_EMBEDDING_CHANNELS, MOST_EMBEDDING_CHANNELS = 2, 64
_CELL = 4  # each grid cell is described by _CELL x _CELL averages of each plane


def principal_components(clip: Clip, grid: tuple[int, int], channels: int) -> Tensor:
    """(T, channels, rows, columns), zero mean and unit variance a channel: the best linear embedding of the frames."""
    small = torch.cat([
        nn.functional.adaptive_avg_pool2d(clip.batch([t], torch.float32), (grid[0] * _CELL, grid[1] * _CELL))
        for t in range(clip.frame_count)
    ])  # fmt: skip
    cells = nn.functional.pixel_unshuffle(small, _CELL).permute(0, 2, 3, 1)
    vectors = cells.reshape(-1, cells.shape[-1])
    vectors = vectors - vectors.mean(0)
    _, basis = torch.linalg.eigh(vectors.T @ vectors)  # eigenvalues rise
    scores = vectors @ basis.flip(1)[:, :channels]
    scores = scores / scores.std(0, correction=0).clamp_min(1e-4)
    return scores.reshape(*cells.shape[:3], -1).permute(0, 3, 1, 2).contiguous()


def first_embedding(clip: Clip, grid: tuple[int, int], channels: int) -> Tensor:
    """(T, channels, rows, columns): halved components, and zeros beyond as many as there are."""
    found = principal_components(clip, grid, min(channels, CHANNELS * _CELL * _CELL))
    return 0.5 * nn.functional.pad(found, (0, 0, 0, 0, 0, channels - found.shape[1]))


def _kernel(fields: FieldReader) -> int:
    kernel = fields.get("kernel", 1, 15)
    if kernel % 2 == 0:
        raise FormatError(f"the network's kernel is {kernel}, which is even")
    return kernel


def put_hnerv(fields: FieldWriter, config: HNeRVConfig) -> None:
    put_strides(fields, config.strides)
    fields.put(*config.grid, config.embedding_channels, config.width, round(config.reduction * 100))
    fields.put(config.min_width, config.first_kernel, config.max_kernel)


def get_hnerv(fields: FieldReader, rows: int, columns: int) -> HNeRVConfig:
    """The inverse of :func:`put_hnerv`."""
    strides = get_strides(fields)
    grid = get_grid(fields, strides, rows, columns)
    channels = fields.get("embedding channels", 1, 1024)
    width = fields.get("width", 1, MOST_WIDTH)
    reduction = fields.get("reduction", 100, 1600) / 100
    min_width = fields.get("least width", 1, MOST_WIDTH)
    first, largest = _kernel(fields), _kernel(fields)
    return HNeRVConfig(grid, channels, width, strides, reduction, min_width, first, largest, CHANNELS)


def embedding_channels(count: int, frames: int, grid: tuple[int, int]) -> int:
    """Channels with which the embedding has its share of ``count`` coded numbers."""
    channels = round(count * EMBEDDING_SHARE / (frames * prod(grid)))
    return max(LEAST_EMBEDDING_CHANNELS, min(MOST_EMBEDDING_CHANNELS, channels))


class HNeRVCodec(FittedCodec):
    """See the module."""

    name = "hnerv"
    codec_id = 2

    def plan(self, count: int, frames: int, rows: int, columns: int) -> HNeRVConfig:
        """The widest decoder with at most ``count`` numbers, its embedding's included, if there is one so small."""
        strides = choose_strides(rows, columns, GRID_ROWS)
        grid = grid_of(rows, columns, strides)
        channels = embedding_channels(count, frames, grid)

        def config(width: int, least: int) -> HNeRVConfig:
            return HNeRVConfig(grid, channels, width, strides, REDUCTION, least, KERNEL, KERNEL, CHANNELS)

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count))

    def pack(self, config: HNeRVConfig) -> bytes:
        fields = FieldWriter()
        put_hnerv(fields, config)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> HNeRVConfig:
        fields = FieldReader(data)
        config = get_hnerv(fields, rows, columns)
        fields.end()
        return config

    def network(self, config: HNeRVConfig) -> nn.Module:
        return HNeRVDecoder(config)

    def shapes(self, config: HNeRVConfig, frames: int) -> Shapes:
        stem = (config.width, config.embedding_channels, 1, 1), (config.width,)
        return Shapes((*stem, *config.growth().shapes()), (config.embedding_channels, frames, *config.grid))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        assert embedding is not None
        return embedding

    def network_cost(self, config: HNeRVConfig) -> tuple[int, int]:
        macs, values = config.growth().cost()
        return prod(config.grid) * config.embedding_channels * config.width + macs, values

    def start_embedding(self, clip: Clip, config: HNeRVConfig) -> Tensor:
        return first_embedding(clip, config.grid, config.embedding_channels)
