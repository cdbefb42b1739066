"""A picture as the integers that travel: the encoder's way through the transforms and a frozen prior."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nvcodec.hardware import exact_fp32
from nvcodec.models.exact_prior import ExactPrior, Previous, decoded, merge, split, symbols
from nvcodec.models.integer import ACTIVATION_LIMIT
from nvcodec.models.latents import UNIT


@dataclass(frozen=True)
class EncoderParts:
    """What of a model an encoder needs."""

    analysis: nn.Module
    hyper_encoder: nn.Module
    exact: ExactPrior


class FrameSymbols(NamedTuple):
    """What is coded of a picture, in the order of decoding: z, the first step, the second; each flattened (C, h, w)."""

    symbols: tuple[Tensor, Tensor, Tensor]  # int32
    indices: tuple[Tensor, Tensor, Tensor]  # uint8 tables
    y_hat: Tensor  # int32 (1, 4 * latents, h, w), decoded latents in sixteenths of a step


@torch.no_grad()
def analyse(model: EncoderParts, features: Tensor, quality: int, precision: str = "fp32") -> Tensor:
    """Latents y of one picture's features (1, 96, h, w): float32 (1, 4 * latents, h / 2, w / 2) in quantisation steps.

    ``precision`` "fp32" or "bf16".
    """
    with computed(features, precision):
        y: Tensor = model.analysis(features, quality)
    return y.float()


@torch.no_grad()
def latent_symbols(
    model: EncoderParts, y: Tensor, previous: Previous, quality: int, skip: int = 0, precision: str = "fp32"
) -> FrameSymbols:
    """Symbols of a picture's latents ``y`` given the ``y_hat`` of the two before (None where there is none).

    Elements under a table below ``skip`` become 0.
    """
    last = previous[0]
    with computed(y, precision):
        z = model.hyper_encoder(y, None if last is None else last.float() * (1 / UNIT)).float()
    return coded_latents(model.exact, z, y, previous, quality, skip)


@torch.no_grad()
def coded_latents(
    exact: ExactPrior, z: Tensor, y: Tensor, previous: Previous, quality: int, skip: int = 0
) -> FrameSymbols:
    """The symbols of latents ``y`` and hyper-latents ``z``, both float, given what the prior reads beside them."""
    size, last = (y.shape[2], y.shape[3]), previous[0]
    z = z.round().clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).to(torch.int32)
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
        (_flat(exact.z_indices(quality, size, last is not None)), _flat(first_indices), _flat(second_indices)),
        y_hat,
    )


@contextmanager
def computed(like: Tensor, precision: str) -> Iterator[None]:
    """Within, networks that only encoders run are computed in this precision."""
    device = like.device.type
    with torch.autocast(device, torch.bfloat16) if precision == "bf16" else exact_fp32(device):
        yield


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
