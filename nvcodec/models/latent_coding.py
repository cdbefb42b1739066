"""A picture as the integers that travel: the encoder's way through a LatentModel with a frozen prior."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nvcodec.hardware import exact_fp32
from nvcodec.models.exact_prior import ExactPrior, Previous, decoded, merge, split, symbols
from nvcodec.models.integer import ACTIVATION_LIMIT
from nvcodec.models.latent import LatentModel
from nvcodec.models.latents import UNIT


class FrameSymbols(NamedTuple):
    """What is coded of a picture, in the order of decoding: z, the first step, the second; each flattened (C, h, w)."""

    symbols: tuple[Tensor, Tensor, Tensor]  # int32
    indices: tuple[Tensor, Tensor, Tensor]  # uint8 tables
    y_hat: Tensor  # int32 (1, 4 * latents, h, w), decoded latents in sixteenths of a step


@torch.no_grad()
def frame_symbols(
    model: LatentModel, exact: ExactPrior, features: Tensor, previous: Previous, quality: int
) -> FrameSymbols:
    """Code one picture's features (1, 96, h, w) given the ``y_hat`` of the two before (None where there is none)."""
    with exact_fp32(features.device.type):
        y = model.analysis(features, quality)
        z = model.hyper_encoder(y).round().clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).to(torch.int32)
    size = (y.shape[2], y.shape[3])
    frame = exact.begin(z, previous, quality, size)
    wanted = split(y)
    means, first_indices = frame.first()
    first = symbols(wanted[0], means)
    first_decoded = decoded(first, means)
    means, second_indices = frame.second(first_decoded)
    second = symbols(wanted[1], means)
    y_hat = merge(first_decoded, decoded(second, means))
    return FrameSymbols(
        (_flat(z), _flat(first), _flat(second)),
        (_flat(exact.z_indices(quality, size)), _flat(first_indices), _flat(second_indices)),
        y_hat,
    )


@torch.no_grad()
def synthesise(model: LatentModel, y_hat: Tensor, quality: int) -> Tensor:
    """Features (N, 96, h, w) of decoded latents, int32 in sixteenths of a step; float32 on the reference path."""
    with exact_fp32(y_hat.device.type):
        return model.synthesis(y_hat.float() * (1 / UNIT), quality)


def _flat(x: Tensor) -> Tensor:
    return x.contiguous().flatten().cpu()
