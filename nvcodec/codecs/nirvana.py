"""``--codec nirvana``: patches from coordinates, group after group from the one before (after Maiya et al. 2023).

Groups are short, and each leans on the one before by default: its network begins as that one, and what is coded is
the difference. Key groups stand at scene cuts and at set distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.fitted import FittedCodec, frame_times, timed_embedding
from nvcodec.codecs.grids import MOST_GRID, MOST_WIDTH, get_grid, get_strides, grid_of, put_strides, widest
from nvcodec.codecs.hnerv import first_embedding
from nvcodec.codecs.tensors import Shapes
from nvcodec.fitting.clip import Clip
from nvcodec.models.nirvana import Nirvana, NirvanaConfig

CELL = 4
STRIDES = (2, 2)
WIDE_STRIDES = (4, 2)  # where the others' grid would be larger than streams can say
REDUCTION = 1.6
SPACE_LEVELS, TIME_LEVELS = 6, 4
LATENT_SHARE = 0.12  # of the coded parameters
LEAST_LATENTS, MOST_LATENTS = 1, 64
HIDDEN = 2  # times the width


class NirvanaCodec(FittedCodec):
    """See the module."""

    name = "nirvana"
    codec_id = 6
    usual_frames = 16
    usual_keyint = 96

    def plan(self, count: int, frames: int, rows: int, columns: int) -> NirvanaConfig:
        """The widest network with at most ``count`` numbers, its latents included, if there is one so small."""
        strides = STRIDES if max(grid_of(rows, columns, (CELL, *STRIDES))) <= MOST_GRID else WIDE_STRIDES
        patches = grid_of(rows, columns, (CELL, *strides))
        latents = round(count * LATENT_SHARE / (frames * prod(patches)))
        latents = max(LEAST_LATENTS, min(MOST_LATENTS, latents))

        def config(width: int, least: int) -> NirvanaConfig:
            return NirvanaConfig(
                patches, CELL, latents, HIDDEN * width, width, strides, REDUCTION, least, SPACE_LEVELS, TIME_LEVELS
            )

        return config(*widest(lambda *widths: self.shapes(config(*widths), frames).count <= count))

    def pack(self, config: NirvanaConfig) -> bytes:
        fields = FieldWriter()
        put_strides(fields, config.strides)
        fields.put(config.cell, *config.patches, config.latents, config.hidden, config.width)
        fields.put(round(config.reduction * 100), config.min_width, config.space_levels, config.time_levels)
        return bytes(fields.data)

    def unpack(self, data: bytes, rows: int, columns: int) -> NirvanaConfig:
        fields = FieldReader(data)
        strides = get_strides(fields)
        cell = fields.get("cell", 1, 16)
        patches = get_grid(fields, (cell, *strides), rows, columns)
        latents = fields.get("latents", 1, 1024)
        hidden = fields.get("hidden width", 1, MOST_WIDTH)
        width = fields.get("width", 1, MOST_WIDTH)
        reduction = fields.get("reduction", 100, 1600) / 100
        min_width = fields.get("least width", 1, MOST_WIDTH)
        space, time = fields.get("octaves of space", 1, 16), fields.get("octaves of time", 1, 16)
        fields.end()
        return NirvanaConfig(patches, cell, latents, hidden, width, strides, reduction, min_width, space, time)

    def network(self, config: NirvanaConfig) -> nn.Module:
        return Nirvana(config)

    def shapes(self, config: NirvanaConfig, frames: int) -> Shapes:
        linear = [shape for layer in config.layers() for shape in (layer, layer[:1])]
        return Shapes((*linear, *config.growth().shapes()), (config.latents, frames, *config.patches))

    def network_input(self, frames: Sequence[float], embedding: Tensor | None, count: int, device: str) -> Tensor:
        assert embedding is not None
        return timed_embedding(frame_times(frames, count, device), embedding)

    def network_cost(self, config: NirvanaConfig) -> tuple[int, int]:
        macs, values = config.growth().cost()
        rows, columns = config.patches
        alive = max(inputs + 2 * outputs for outputs, inputs in config.layers())  # sines and joined patches are copies
        return config.patch_macs() + macs, max(values, rows * columns * alive)

    def start_embedding(self, clip: Clip, config: NirvanaConfig) -> Tensor:
        return first_embedding(clip, config.patches, config.latents)
