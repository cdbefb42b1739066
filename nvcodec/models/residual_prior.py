"""The prior of predicted frames: what a motion-compensated prediction leaves has no sign to carry on, but a size.

So it reads magnitudes of the latents that its references were coded with, and integers that the motion field and the
frame's place say (:mod:`nvcodec.motion.side`); no picture, whose samples could differ between machines.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nvcodec.models.latents import seen
from nvcodec.models.prior_network import History, PriorConfig, PriorNetwork

SIDE = 16  # channels of nvcodec.motion.side


@dataclass(frozen=True)
class ResidualPriorConfig(PriorConfig):
    """Sizes of a prior of predicted frames."""

    side: int = SIDE

    def fault(self) -> str | None:
        return super().fault() or (None if self.side == SIDE else f"side is {SIDE}, not {self.side}")

    @property
    def side_channels(self) -> int:
        return self.side

    def network(self) -> ResidualPriorNetwork:
        return ResidualPriorNetwork(self)


class ResidualPriorNetwork(PriorNetwork):
    """See the module."""

    carries = False
    config: ResidualPriorConfig

    def _side_channels(self) -> int:
        return self.config.side

    def _history(self, history: History, like: Tensor, quality: Tensor | int) -> Tensor:
        last, older, side = history
        zeros = like.new_zeros((*like.shape[:3], 4 * self.config.latents))
        parts = [zeros if each is None else seen(each.abs()) for each in (last, older)]
        parts.append(like.new_zeros((*like.shape[:3], self.config.side)) if side is None else side)
        return self.temporal(self.temporal_in(torch.cat(parts, -1), quality))


SMALL_RESIDUAL_PRIOR = ResidualPriorConfig()
MEDIUM_RESIDUAL_PRIOR = ResidualPriorConfig(hyper_width=96, width=208, temporal_blocks=3, blocks=3)
