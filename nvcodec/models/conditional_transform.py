"""The transforms of predicted frames: features of a picture, given its predictions, to latents at 1/16, and back.

The linear path codes picture minus prediction under a DCT with the steps that suit lambda; every branch beside it sees
the predictions, too, and starts at zero. So at step 0 this is a classical hybrid codec, and what training adds (a
filter in the loop, a blend of predictions, a better transform) is all gain. After the contextual coding of Li et al.,
NeurIPS 2021 (DCVC), sec. 3.1, with the difference kept beside the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nvcodec.models.dct import coefficient_spread, picture_dct
from nvcodec.models.depthwise import DepthwiseBlock, Pointwise, block_macs, depth_to_space, space_to_depth
from nvcodec.models.planes import FEATURES
from nvcodec.models.quality import QualityScale, as_quality
from nvcodec.models.transform import (
    LATENTS,
    MAX_BLOCKS,
    TransformConfig,
    anchor_steps,
    from_latents,
    linear_path,
    run_blocks,
    to_latents,
    zeroed,
)


@dataclass(frozen=True)
class ConditionalTransformConfig(TransformConfig):
    """Widths and numbers of depthwise blocks; ``blocks8`` are the synthesis'."""

    context_blocks: int
    analysis_blocks: int

    def fault(self) -> str | None:
        most = max(self.context_blocks, self.analysis_blocks)
        few = min(self.context_blocks, self.analysis_blocks)
        return super().fault() or (None if 0 <= few <= most <= MAX_BLOCKS else f"there are at most {MAX_BLOCKS} blocks")


SMALL_CONDITIONAL = ConditionalTransformConfig(96, 3, 128, 2, context_blocks=2, analysis_blocks=2)
MEDIUM_CONDITIONAL = ConditionalTransformConfig(192, 7, 256, 4, context_blocks=4, analysis_blocks=4)


def decoder_macs(config: ConditionalTransformConfig) -> float:
    """Multiply-adds of context and synthesis for a luma sample of a padded picture."""
    context = FEATURES * (2 * FEATURES + 3 * config.width8) + config.context_blocks * block_macs(config.width8)
    fine = FEATURES * FEATURES + 2 * FEATURES * config.width8 + config.width8**2
    at8 = context + fine + config.blocks8 * block_macs(config.width8)
    at16 = (4 * config.width8 + LATENTS) * config.width16 + config.blocks16 * block_macs(config.width16)
    return at8 / 64 + at16 / 256


class Seen(NamedTuple):
    """What both transforms see of a frame's predictions."""

    prediction: Tensor  # (N, 96, h, w): one of them, or both, blended
    context: Tensor  # (N, h, w, width8)


class Context(nn.Module):
    """Features (N, 96, h, w) of a prediction and of a second one -> their blend and what else there is to know.

    The blend starts as the first prediction, or as the mean of ``both``, and learns a weight of each sample's
    difference.
    """

    def __init__(self, config: ConditionalTransformConfig) -> None:
        super().__init__()
        self.linear = nn.Parameter(picture_dct())
        self.look = QualityScale(FEATURES, 1 / coefficient_spread())
        self.look_second = QualityScale(FEATURES, 1 / coefficient_spread(predicted=True))
        self.stem = Pointwise(FEATURES, config.width8)
        self.stem_second = Pointwise(FEATURES, config.width8)
        self.blocks = nn.ModuleList(DepthwiseBlock(config.width8) for _ in range(config.context_blocks))
        self.blend = zeroed(Pointwise(config.width8, FEATURES))

    def forward(self, first: Tensor, second: Tensor | None, both: bool, quality: float | Tensor) -> Seen:
        """``quality`` is one number for all pictures, or (N,); 0..63, fractions too."""
        level = as_quality(quality, first)
        if second is None:
            x = self.stem(linear_path(first.permute(0, 2, 3, 1), self.linear), before=self.look(level))
            return Seen(first, run_blocks(self.blocks, x, level))
        apart = second - first
        base = first + 0.5 * apart if both else first
        x = self.stem(linear_path(base.permute(0, 2, 3, 1), self.linear), before=self.look(level))
        difference = linear_path(apart.permute(0, 2, 3, 1), self.linear)
        x = run_blocks(self.blocks, x + self.stem_second(difference, before=self.look_second(level)), level)
        share = self.blend(x).float().clamp(-1, 1).permute(0, 3, 1, 2)
        return Seen(base + share * apart, x)


class ConditionalAnalysis(nn.Module):
    """Features (N, 96, h, w), and what is seen of its predictions -> latents (N, 384, h / 2, w / 2), in quantiser
    steps, in the order of :class:`nvcodec.models.transform.Analysis`. Only an encoder needs it."""

    def __init__(self, config: ConditionalTransformConfig, lambdas: Sequence[float]) -> None:
        super().__init__()
        steps, spread = anchor_steps(lambdas), coefficient_spread(predicted=True)
        self.linear = nn.Parameter(picture_dct())
        self.gain = QualityScale(FEATURES, 1 / steps)
        self.look = QualityScale(FEATURES, 1 / torch.sqrt((spread / steps) ** 2 + 1 / 12))
        self.unit = QualityScale(FEATURES, 1 / torch.sqrt(1 + (steps / spread) ** 2))
        self.stem = Pointwise(FEATURES, config.width8)
        self.join = Pointwise(config.width8, config.width8)
        self.fine = nn.ModuleList(DepthwiseBlock(config.width8) for _ in range(config.analysis_blocks))
        self.fine_head = zeroed(Pointwise(config.width8, FEATURES))
        self.down = Pointwise(4 * config.width8, config.width16)
        self.coarse = nn.ModuleList(DepthwiseBlock(config.width16) for _ in range(config.blocks16))
        self.coarse_head = zeroed(Pointwise(config.width16, LATENTS))

    def forward(self, features: Tensor, seen: Seen, quality: float | Tensor) -> Tensor:
        """``quality`` is one number for all pictures, or (N,); 0..63, fractions too."""
        level = as_quality(quality, features)
        unit = self.unit(level)
        y = linear_path((features - seen.prediction).permute(0, 2, 3, 1), self.linear, after=self.gain(level))
        x = run_blocks(self.fine, self.stem(y, before=self.look(level)) + self.join(seen.context), level)
        y = y + self.fine_head(x, after=unit).float()
        x = run_blocks(self.coarse, self.down(space_to_depth(x)), level)
        correction = self.coarse_head(x, after=unit.repeat_interleave(4, dim=1))
        return (to_latents(y) + correction.float()).permute(0, 3, 1, 2)


class ConditionalSynthesis(nn.Module):
    """Decoded latents (N, 384, h / 2, w / 2), in quantiser steps, and what is seen of its predictions -> features
    (N, 96, h, w)."""

    def __init__(self, config: ConditionalTransformConfig, lambdas: Sequence[float]) -> None:
        super().__init__()
        steps, spread = anchor_steps(lambdas), coefficient_spread(predicted=True)
        self.linear = nn.Parameter(picture_dct().T.contiguous())
        self.step = QualityScale(FEATURES, steps)
        self.look = QualityScale(FEATURES, 1 / torch.sqrt((spread / steps) ** 2 + 1 / 12))  # to unit variance
        self.unit = QualityScale(FEATURES, 1 / torch.sqrt((steps / spread) ** 2 + 4))
        self.coarse_stem = Pointwise(LATENTS, config.width16)
        self.coarse = nn.ModuleList(DepthwiseBlock(config.width16) for _ in range(config.blocks16))
        self.up = Pointwise(config.width16, 4 * config.width8)
        self.stem = Pointwise(FEATURES, config.width8)
        self.join = Pointwise(config.width8, config.width8)
        self.fine = nn.ModuleList(DepthwiseBlock(config.width8) for _ in range(config.blocks8))
        self.head = zeroed(Pointwise(config.width8, FEATURES))

    def forward(self, latents: Tensor, seen: Seen, quality: float | Tensor) -> Tensor:
        """``quality`` is one number for all pictures, or (N,); 0..63, fractions too."""
        level = as_quality(quality, latents)
        look = self.look(level)
        latents = latents.permute(0, 2, 3, 1)
        y = from_latents(latents)
        x = self.coarse_stem(latents, before=look.repeat_interleave(4, dim=1))
        x = depth_to_space(self.up(run_blocks(self.coarse, x, level)))
        x = run_blocks(self.fine, x + self.stem(y, before=look) + self.join(seen.context), level)
        y = y + self.head(x, after=self.unit(level)).float()
        return seen.prediction + linear_path(y, self.linear, before=self.step(level)).permute(0, 3, 1, 2)
