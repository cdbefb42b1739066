"""The linear path of the trained codecs as it starts: an orthonormal DCT, and the steps that suit a lambda.

**Steps.** The objective is bits per luma pixel + lambda * (6 MSE_Y + MSE_U + MSE_V) / 8. A picture of n luma samples
has n luma coefficients and n / 4 of each chroma plane. The transform keeps squares, so n times the objective is

    sum of bits + lambda * (6/8 * sum of e_Y^2 + 1/8 * 4 * sum of e_U^2 + 1/8 * 4 * sum of e_V^2)

over all coefficients: an error e weighs a = 3/4 in luma and 1/2 in chroma. A uniform quantiser of step s at high rate
has e^2 = s^2 / 12 and h - log2(s) bits, so lambda * a * s / 6 = 1 / (s ln 2) where the objective is least, and

    s^2 = 6 / (lambda * a * ln 2).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nvcodec.models.planes import FEATURES, LUMA, WEIGHTS

_LUMA_SPREAD = (400.0, 2.3)  # of natural pictures: standard deviation amplitude * (1 + frequency)^-decay
_CHROMA_SPREAD = (50.0, 3.1)
_LUMA_REST = (30.0, 1.2)  # of what a motion-compensated prediction leaves
_CHROMA_REST = (12.0, 1.7)


def dct_matrix(size: int) -> Tensor:
    """The orthonormal DCT-II of ``size`` points, (frequency, sample), float64."""
    index = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * index[:, None] * (index + 0.5)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def picture_dct() -> Tensor:
    """The two-dimensional DCT of 96 features, (96, 96), float32: 8x8 of luma, 4x4 of each chroma plane.

    Output channels are frequencies in raster order (vertical first) inside the channels of their plane. Orthonormal,
    so its transpose is its inverse.
    """
    luma, chroma = dct_matrix(8), dct_matrix(4)
    blocks = [torch.kron(luma, luma), torch.kron(chroma, chroma), torch.kron(chroma, chroma)]
    return torch.block_diag(*blocks).to(torch.float32)


def coefficient_spread(predicted: bool = False) -> Tensor:
    """A usual standard deviation of each of the 96 coefficients in natural pictures, (96,), on the 8-bit scale.

    ``predicted``: in what a prediction from the frame before leaves. A power law of the frequency's distance from zero,
    fitted to 600 frames of 256x256 (60 differences); for starts of networks only.
    """

    def plane(size: int, amplitude: float, decay: float) -> Tensor:
        index = torch.arange(size, dtype=torch.float64)
        return (amplitude * (1 + torch.hypot(index[:, None], index)) ** -decay).flatten()

    chroma = plane(4, *(_CHROMA_REST if predicted else _CHROMA_SPREAD))
    return torch.cat([plane(8, *(_LUMA_REST if predicted else _LUMA_SPREAD)), chroma, chroma]).to(torch.float32)


def high_rate_step(lambda_: float) -> Tensor:
    """The step of each of the 96 coefficients that is best for ``lambda_`` at high rate, (96,); derived above."""
    weight = torch.full((FEATURES,), 4 * WEIGHTS[1])
    weight[:LUMA] = WEIGHTS[0]
    return torch.sqrt(6 / (lambda_ * math.log(2) * weight))
