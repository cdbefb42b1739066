"""The transforms of the trained codecs: features of a picture to latents at 1/16 of its size, and back.

Each is a linear path of full rank, started as a DCT with the steps that suit lambda, beside branches of depthwise
blocks at 1/8 and 1/16 whose last layers start at zero. So the codec is a JPEG-like one at step 0 for every quality
and loses no rank at high rates, and what training adds is all gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nvcodec.errors import UsageError
from nvcodec.models.dct import coefficient_spread, high_rate_step, picture_dct
from nvcodec.models.depthwise import (
    DepthwiseBlock,
    Pointwise,
    block_macs,
    depth_to_space,
    scaled_linear,
    space_to_depth,
)
from nvcodec.models.planes import FEATURES
from nvcodec.models.quality import QUALITY_ANCHORS, QualityScale, as_quality

LATENTS = 4 * FEATURES  # channels at 1/16
MAX_WIDTH, MAX_BLOCKS = 1024, 32  # of a file's transforms


@dataclass(frozen=True)
class TransformConfig:
    """Widths and numbers of depthwise blocks at 1/8 and 1/16 of the picture, the same in both transforms."""

    width8: int
    blocks8: int
    width16: int
    blocks16: int

    def fault(self) -> str | None:
        """Why no transform has these sizes, or None; for sizes that a file states."""
        for name in ("width8", "width16"):
            if not 1 <= getattr(self, name) <= MAX_WIDTH:
                return f"{name} is 1..{MAX_WIDTH}, not {getattr(self, name)}"
        return (
            None
            if 0 <= min(self.blocks8, self.blocks16) <= max(self.blocks8, self.blocks16) <= MAX_BLOCKS
            else (f"there are at most {MAX_BLOCKS} blocks")
        )


SMALL = TransformConfig(width8=96, blocks8=3, width16=128, blocks16=2)
MEDIUM = TransformConfig(width8=112, blocks8=6, width16=144, blocks16=3)


def macs_per_pixel(config: TransformConfig) -> float:
    """Multiply-adds of analysis and synthesis together for a luma sample of a padded picture."""
    at8 = FEATURES * FEATURES + 2 * FEATURES * config.width8 + config.blocks8 * block_macs(config.width8)
    between = (4 * config.width8 + LATENTS) * config.width16
    at16 = between + config.blocks16 * block_macs(config.width16)
    return 2 * (at8 / 64 + at16 / 256)


class Analysis(nn.Module):
    """Features (N, 96, h, w) -> latents (N, 384, h / 2, w / 2), in quantiser steps. Only an encoder needs it.

    Channel c * 4 + phase holds coefficient c (order: :func:`nvcodec.models.dct.picture_dct`) of the positions
    (0, 0), (0, 1), (1, 0), (1, 1) of each 2x2, as functional.pixel_unshuffle has it. ``lambdas`` are those of the
    qualities QUALITY_ANCHORS; they decide the steps at the start. Raises UsageError for wrong ``lambdas``.
    """

    def __init__(self, config: TransformConfig, lambdas: Sequence[float]) -> None:
        super().__init__()
        steps, spread = anchor_steps(lambdas), coefficient_spread()
        self.linear = nn.Parameter(picture_dct())
        self.gain = QualityScale(FEATURES, 1 / steps)
        self.look = QualityScale(FEATURES, steps / spread)  # to unit variance
        self.unit = QualityScale(FEATURES, 1 / torch.sqrt(1 + (steps / spread) ** 2))  # what a correction is worth
        self.stem = Pointwise(FEATURES, config.width8)
        self.fine = nn.ModuleList(DepthwiseBlock(config.width8) for _ in range(config.blocks8))
        self.fine_head = zeroed(Pointwise(config.width8, FEATURES))
        self.down = Pointwise(4 * config.width8, config.width16)
        self.coarse = nn.ModuleList(DepthwiseBlock(config.width16) for _ in range(config.blocks16))
        self.coarse_head = zeroed(Pointwise(config.width16, LATENTS))

    def forward(self, features: Tensor, quality: float | Tensor) -> Tensor:
        """``quality`` is one number for all pictures, or (N,); 0..63, fractions too."""
        level = as_quality(quality, features)
        unit = self.unit(level)
        y = linear_path(features.permute(0, 2, 3, 1), self.linear, after=self.gain(level))
        x = run_blocks(self.fine, self.stem(y, before=self.look(level)), level)
        y = y + self.fine_head(x, after=unit).float()
        x = run_blocks(self.coarse, self.down(space_to_depth(x)), level)
        correction = self.coarse_head(x, after=unit.repeat_interleave(4, dim=1))
        return (to_latents(y) + correction.float()).permute(0, 3, 1, 2)


class Synthesis(nn.Module):
    """Decoded latents (N, 384, h / 2, w / 2), in quantiser steps, -> features (N, 96, h, w). See :class:`Analysis`."""

    def __init__(self, config: TransformConfig, lambdas: Sequence[float]) -> None:
        super().__init__()
        steps, spread = anchor_steps(lambdas), coefficient_spread()
        self.linear = nn.Parameter(picture_dct().T.contiguous())
        self.step = QualityScale(FEATURES, steps)
        self.look = QualityScale(FEATURES, 1 / torch.sqrt((spread / steps) ** 2 + 1 / 12))  # to unit variance
        self.unit = QualityScale(FEATURES, 1 / torch.sqrt((steps / spread) ** 2 + 12))  # what quantisation took away
        self.coarse_stem = Pointwise(LATENTS, config.width16)
        self.coarse = nn.ModuleList(DepthwiseBlock(config.width16) for _ in range(config.blocks16))
        self.up = Pointwise(config.width16, 4 * config.width8)
        self.stem = Pointwise(FEATURES, config.width8)
        self.fine = nn.ModuleList(DepthwiseBlock(config.width8) for _ in range(config.blocks8))
        self.head = zeroed(Pointwise(config.width8, FEATURES))

    def forward(self, latents: Tensor, quality: float | Tensor) -> Tensor:
        """``quality`` is one number for all pictures, or (N,); 0..63, fractions too."""
        level = as_quality(quality, latents)
        look = self.look(level)
        latents = latents.permute(0, 2, 3, 1)
        y = from_latents(latents)
        x = self.coarse_stem(latents, before=look.repeat_interleave(4, dim=1))
        x = depth_to_space(self.up(run_blocks(self.coarse, x, level)))
        x = run_blocks(self.fine, x + self.stem(y, before=look), level)
        y = y + self.head(x, after=self.unit(level)).float()
        return linear_path(y, self.linear, before=self.step(level)).permute(0, 3, 1, 2)


def to_latents(y: Tensor) -> Tensor:
    """functional.pixel_unshuffle by 2 with channels last: (N, h, w, c) -> (N, h / 2, w / 2, 4 c)."""
    n, h, w, c = y.shape
    phases = [y[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    return torch.stack(phases, dim=-1).reshape(n, h // 2, w // 2, 4 * c)  # a sixth of the time of one permutation


def from_latents(y: Tensor) -> Tensor:
    """Inverse of :func:`to_latents`."""
    return functional.pixel_shuffle(y.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def linear_path(x: Tensor, matrix: Tensor, before: Tensor | None = None, after: Tensor | None = None) -> Tensor:
    """The linear path, in fp32 whatever autocast says: bf16 would be off by several grey levels."""
    with torch.autocast(x.device.type, enabled=False):
        return scaled_linear(x.float(), matrix, None, before, after)


def run_blocks(blocks: nn.ModuleList, x: Tensor, level: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, level)
    return x


def zeroed(layer: Pointwise) -> Pointwise:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def anchor_steps(lambdas: Sequence[float]) -> Tensor:
    """(8, 96): the best steps at high rate for each anchor's lambda."""
    if len(lambdas) != len(QUALITY_ANCHORS) or min(lambdas) <= 0:
        raise UsageError(f"a transform starts from {len(QUALITY_ANCHORS)} positive lambdas, not from {list(lambdas)}")
    return torch.stack([high_rate_step(value) for value in lambdas])
