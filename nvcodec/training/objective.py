"""What training minimises, and what it asks of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nvcodec.models.latent import ClipTerms
from nvcodec.training.corpus import Frames

LAMBDA_0 = 0.0005  # of quality 0; eight steps double it
_PLANES = (0.75, 0.125, 0.125)  # weights of Y, U, V: (6, 1, 1) / 8
_MIDDLE = 32.0


class Trainable(Protocol):
    """A model that can be trained: any nn.Module with this method."""

    def loss_terms(self, frames: Frames, quality: Tensor) -> ClipTerms:
        """Terms of clips at qualities (N,) in 0..63; the first picture of a clip is coded alone.

        In training mode quantisation is whatever lets gradients through, in evaluation mode it rounds.
        """
        ...


@dataclass(frozen=True)
class Loss:
    """The objective of a batch and the means that a log shows."""

    value: Tensor  # (), to be minimised
    bpp: Tensor  # (N, T), bits per luma sample
    mse: Tensor  # (N, T), 6:1:1


def quality_lambda(quality: Tensor) -> Tensor:
    """Lambda of bpp + lambda x MSE at qualities, elementwise (the codecs' dial)."""
    return LAMBDA_0 * torch.exp2(quality / 8)


def normaliser(quality: Tensor) -> Tensor:
    """What the losses of a quality are divided by: the square root of lambda relative to the middle of the scale.

    Along the curve of a codec the rate rises about as lambda ** 0.5 (measured: 0.47), and lambda x MSE stays in
    proportion to it. So a division by lambda ** 0.5 weighs every quality by its relative change of rate, and the mean
    over qualities is what a BD-rate sees, instead of the highest rates alone.
    """
    return torch.exp2((quality - _MIDDLE) / 16)


def rate_distortion(terms: ClipTerms, quality: Tensor, pixels: int) -> Loss:
    """The objective of clips at qualities (N,), ``pixels`` luma samples a picture."""
    bpp = terms.bits / pixels
    mse = (terms.errors * terms.errors.new_tensor(_PLANES)).sum(-1)
    each = quality[:, None] if terms.quality is None else terms.quality
    value = ((bpp + quality_lambda(each) * mse) / normaliser(each)).mean()
    return Loss(value, bpp, mse)
