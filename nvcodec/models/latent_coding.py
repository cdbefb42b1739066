"""A picture as the integers that travel: the encoder's way through the transforms and a frozen prior."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from nvcodec.hardware import exact_fp32
from nvcodec.models.exact_prior import ExactPrior, Previous, decoded, merge, split, symbols
from nvcodec.models.integer import ACTIVATION_LIMIT
from nvcodec.models.latents import UNIT


class EncoderParts(Protocol):
    """What of a model an encoder needs beside the prior; a LatentModel has it."""

    @property
    def analysis(self) -> nn.Module: ...
    @property
    def hyper_encoder(self) -> nn.Module: ...


class Latents(NamedTuple):
    """What a picture becomes, whatever frames came before it."""

    y: Tensor  # float32 (1, 4 * latents, h, w), in quantisation steps
    z: Tensor  # int32 (1, hyper, ceil(h / 4), ceil(w / 4))


class FrameSymbols(NamedTuple):
    """What is coded of a picture, in the order of decoding: z, the first step, the second; each flattened (C, h, w)."""

    symbols: tuple[Tensor, Tensor, Tensor]  # int32
    indices: tuple[Tensor, Tensor, Tensor]  # uint8 tables
    y_hat: Tensor  # int32 (1, 4 * latents, h, w), decoded latents in sixteenths of a step


@torch.no_grad()
def analyse(model: EncoderParts, features: Tensor, quality: int, precision: str = "fp32") -> Latents:
    """Latents of one picture's features (1, 96, h, w); ``precision`` "fp32" or "bf16"."""
    device = features.device.type
    if precision == "bf16":
        with torch.autocast(device, torch.bfloat16):
            y = model.analysis(features, quality).float()
            z = model.hyper_encoder(y).float()
    else:
        with exact_fp32(device):
            y = model.analysis(features, quality)
            z = model.hyper_encoder(y)
    return Latents(y, z.round().clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).to(torch.int32))


@torch.no_grad()
def latent_symbols(
    exact: ExactPrior, latents: Latents, previous: Previous, quality: int, skip: int = 0
) -> FrameSymbols:
    """Symbols of a picture given the ``y_hat`` of the two before (None where there is none).

    Elements under a table below ``skip`` become 0.
    """
    y, z = latents
    size = (y.shape[2], y.shape[3])
    frame = exact.begin(z, previous, quality, size)
    wanted = split(y)
    means, first_indices = frame.first()
    first = _kept(symbols(wanted[0], means), first_indices, skip)
    first_decoded = decoded(first, means)
    means, second_indices = frame.second(first_decoded)
    second = _kept(symbols(wanted[1], means), second_indices, skip)
    y_hat = merge(first_decoded, decoded(second, means))
    return FrameSymbols(
        (_flat(z), _flat(first), _flat(second)),
        (_flat(exact.z_indices(quality, size)), _flat(first_indices), _flat(second_indices)),
        y_hat,
    )


def frame_symbols(
    model: EncoderParts, exact: ExactPrior, features: Tensor, previous: Previous, quality: int
) -> FrameSymbols:
    """:func:`analyse` and :func:`latent_symbols` of one picture's features (1, 96, h, w)."""
    return latent_symbols(exact, analyse(model, features, quality), previous, quality)


@torch.no_grad()
def synthesise(synthesis: nn.Module, y_hat: Tensor, quality: int) -> Tensor:
    """Features (N, 96, h, w) of decoded latents, int32 in sixteenths of a step; float32 on the reference path."""
    with exact_fp32(y_hat.device.type):
        features: Tensor = synthesis(y_hat.float() * (1 / UNIT), quality)
        return features


def _kept(values: Tensor, indices: Tensor, skip: int) -> Tensor:
    return values.masked_fill_(indices < skip, 0) if skip else values


def _flat(x: Tensor) -> Tensor:
    return x.contiguous().flatten().cpu()
