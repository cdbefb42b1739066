"""The motion-compensated codec as one model for training: predicted frames in a chain behind a key frame.

Motion is found, coded and applied on the way as an encoder would do it, on the decoded pictures themselves, so every
reference is as degraded as a real one. Gradients reach back through the prediction by a bilinear stand-in for the
exact filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from nvcodec.models.conditional_transform import (
    MEDIUM_CONDITIONAL,
    SMALL_CONDITIONAL,
    ConditionalAnalysis,
    ConditionalSynthesis,
    ConditionalTransformConfig,
    Context,
)
from nvcodec.models.dct import coefficient_spread, high_rate_step
from nvcodec.models.hyper import HyperEncoder
from nvcodec.models.planes import FEATURES
from nvcodec.models.prior import Prior
from nvcodec.models.residual_prior import MEDIUM_RESIDUAL_PRIOR, SMALL_RESIDUAL_PRIOR, ResidualPriorConfig


@dataclass(frozen=True)
class ConditionalConfig:
    """A size of the model."""

    transform: ConditionalTransformConfig
    prior: ResidualPriorConfig

    def fault(self) -> str | None:
        """Why no model has these sizes, or None; for sizes that a file states."""
        if self.prior.latents != FEATURES:
            return f"the transforms have {FEATURES} latents, not {self.prior.latents}"
        return self.transform.fault() or self.prior.fault()


CONDITIONAL_CONFIGS = {
    "s": ConditionalConfig(SMALL_CONDITIONAL, SMALL_RESIDUAL_PRIOR),
    "m": ConditionalConfig(MEDIUM_CONDITIONAL, MEDIUM_RESIDUAL_PRIOR),
}


class ConditionalModel(nn.Module):
    """Networks of predicted frames. ``lambdas``, ``sigmas``, ``laplace``: as of
    :class:`nvcodec.models.latent.LatentModel`."""

    def __init__(
        self, config: ConditionalConfig, lambdas: Sequence[float], sigmas: Sequence[float], laplace: bool = False
    ) -> None:
        super().__init__()
        self.config = config
        self.context = Context(config.transform)
        self.analysis = ConditionalAnalysis(config.transform, lambdas)
        self.synthesis = ConditionalSynthesis(config.transform, lambdas)
        self.hyper_encoder = HyperEncoder(config.prior)
        spread = torch.stack([coefficient_spread(predicted=True) / high_rate_step(value) for value in lambdas])
        self.prior = Prior(config.prior, sigmas, spread.clamp_min(0.11), laplace)
        self.fast_transforms = False  # bf16 where autocast may: never in the linear paths and the prior
