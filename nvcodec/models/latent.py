"""The trained codecs without motion, whole: transforms, hyper-encoder and prior as one model.

Every picture goes through the same transforms by itself; what pictures of a clip share is left to the prior, which
reads the decoded latents of the two before (after STEM, Sun et al. 2021, "Spatiotemporal Entropy Model is All You Need
for Learned Video Compression").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nvcodec.errors import UsageError
from nvcodec.models.dct import coefficient_spread, high_rate_step
from nvcodec.models.hyper import HyperEncoder
from nvcodec.models.latents import split_steps
from nvcodec.models.planes import FEATURES, features_to_planes, planes_to_features
from nvcodec.models.prior import Prior, PriorOutput
from nvcodec.models.prior_network import MEDIUM_PRIOR, SMALL_PRIOR, PriorConfig
from nvcodec.models.transform import MEDIUM, SMALL, Analysis, Synthesis, TransformConfig

Planes = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class LatentConfig:
    """A size of the model."""

    transform: TransformConfig
    prior: PriorConfig

    def fault(self) -> str | None:
        """Why no model has these sizes, or None; for sizes that a file states."""
        if self.prior.latents != FEATURES:
            return f"the transforms have {FEATURES} latents, not {self.prior.latents}"
        return self.transform.fault() or self.prior.fault()


CONFIGS = {"s": LatentConfig(SMALL, SMALL_PRIOR), "m": LatentConfig(MEDIUM, MEDIUM_PRIOR)}


class ClipTerms(NamedTuple):
    """What clips (N, T) cost and how far their pictures are off; differentiable."""

    bits: Tensor  # (N, T)
    errors: Tensor  # (N, T, 3): mean squared errors of Y, U, V on the 8-bit scale
    quality: Tensor | None = None  # (N, T), where frames of a clip have qualities of their own


class ClipOutput(NamedTuple):
    """Clips (N, T) after coding."""

    features: Tensor  # (N * T, 96, h / 8, w / 8), decoded
    bits: Tensor  # (N, T)


class LatentModel(nn.Module):
    """``lambdas``: of the qualities QUALITY_ANCHORS. ``sigmas``: of the 64 tables that the prior chooses from, of
    Gaussians or ``laplace`` distributions."""

    def __init__(
        self, config: LatentConfig, lambdas: Sequence[float], sigmas: Sequence[float], laplace: bool = False
    ) -> None:
        super().__init__()
        self.config = config
        self.analysis = Analysis(config.transform, lambdas)
        self.synthesis = Synthesis(config.transform, lambdas)
        self.hyper_encoder = HyperEncoder(config.prior)
        self.prior = Prior(config.prior, sigmas, laplace=laplace)
        self._start_scales(lambdas)
        self.fast_transforms = False  # bf16 where autocast may: never in the linear paths and the prior

    @torch.no_grad()
    def _start_scales(self, lambdas: Sequence[float]) -> None:
        """Let each channel's table start at what the DCT's coefficients usually spread over, in steps of a quality.

        With it the model begins at .29 bpp / 28.5 dB of quality 8 instead of 2.2 bpp under one table for all.
        """
        network, step = self.prior.network, self.config.prior.step_channels
        for anchor, value in enumerate(lambdas):
            spread = coefficient_spread() / high_rate_step(value)
            index = torch.tensor([self.prior.bits.index_of(max(float(sigma), 0.11)) for sigma in spread])
            channels = index.repeat_interleave(4)[None, None, None]
            for head, wanted in zip((network.head1, network.head2), split_steps(channels), strict=True):
                head.bias[anchor, step : 2 * step] = wanted.flatten() / head.out_scale[step : 2 * step]

    def forward_clip(self, features: Tensor, clips: int, quality: Tensor) -> ClipOutput:
        """Code pictures (N * T, 96, h, w), a clip's one after the other, of ``clips`` = N clips at qualities (N,).

        The first picture of a clip has none before it. In training mode rates are of noisy latents, in evaluation
        mode of rounded ones; what is decoded is rounded in both.
        """
        each = quality.repeat_interleave(len(features) // clips)
        with self._precision(features):
            y = self.analysis(features, each).float()
        coded = self._code(y.unflatten(0, (clips, -1)), quality)
        decoded = torch.stack([step.y_hat for step in coded], 1).flatten(0, 1)
        with self._precision(features):
            out = self.synthesis(decoded, each).float()
        return ClipOutput(out, torch.stack([step.bits_y + step.bits_z for step in coded], 1))

    def _code(self, y: Tensor, quality: Tensor) -> list[PriorOutput]:
        """Frames of latents (N, T, ...) one after the other, each with the two before it."""
        coded: list[PriorOutput] = []
        for t in range(y.shape[1]):
            last, older = (coded[t - back].y_hat if t >= back else None for back in (1, 2))
            with self._precision(y):
                z = self.hyper_encoder(y[:, t], last).float()
            coded.append(self.prior(y[:, t], z, (last, older), quality, noise=self.training))
        return coded

    def _precision(self, like: Tensor) -> torch.autocast:
        return torch.autocast(like.device.type, torch.bfloat16, enabled=self.fast_transforms)

    def loss_terms(self, frames: Planes, quality: Tensor) -> ClipTerms:
        """Terms of 8-bit clips y (N, T, H, W), u and v (N, T, H / 2, W / 2) at qualities (N,).

        In evaluation mode errors are those of pictures rounded to 8 bits.
        """
        clips, length, height, width = frames[0].shape
        pictures = [plane.flatten(0, 1) for plane in frames]
        features = planes_to_features(pictures[0], pictures[1], pictures[2])
        out = self.forward_clip(features, clips, quality)
        shown = features_to_planes(out.features, height, width, whole=not self.training)
        errors = [(a.float() - b.float()).square().mean((1, 2)) for a, b in zip(shown, pictures, strict=True)]
        return ClipTerms(out.bits, torch.stack(errors, -1).view(clips, length, 3))


def latent_config(size: str) -> LatentConfig:
    """The configuration called "s" or "m". Raises UsageError for another name."""
    if size not in CONFIGS:
        raise UsageError(f"models are {', '.join(CONFIGS)}, not {size!r}")
    return CONFIGS[size]
