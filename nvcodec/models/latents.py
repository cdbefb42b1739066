"""Latents as integers: their two steps of coding, their limits, and how a network sees them.

A frame's latents are (N, C, 2h, 2w) at 1/8 of the picture, held as (N, 4C, h, w) by pixel unshuffle: channel
c * 4 + phase. They are coded in two steps, each a checkerboard at 1/8. The colour of the board changes with the parity
of the channel (as in DCVC-RT), so that the second step knows all four neighbours of each element in its channel, and
half of the channels at its own place. Decoded values are integers in 1/16 of a quantisation step: symbol * 16 + mean.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nvcodec.models.integer import ACTIVATION_LIMIT

UNIT = 16  # a quantisation step in the units of decoded latents
LATENT_LIMIT = (1 << 17) - 1  # of |decoded latent| and |mean|; 64 times it is below 2**24
SYMBOL_LIMIT = LATENT_LIMIT // UNIT
SEEN_UNIT = 8  # a quantisation step as networks see it
_KNEE = 128  # seen exactly up to here, an eighth of the slope beyond
# Phases (0, 0), (0, 1), (1, 0), (1, 1) in blocks of half of the channels: (parity of the channel, phase).
FIRST_BLOCKS = ((0, 0), (0, 3), (1, 1), (1, 2))
SECOND_BLOCKS = ((0, 1), (0, 2), (1, 0), (1, 3))


def split_steps(latents: Tensor) -> tuple[Tensor, Tensor]:
    """(N, h, w, 4C) -> the two steps' (N, h, w, 2C) each."""
    first, second = (
        torch.cat([latents[..., 4 * odd + phase :: 8] for odd, phase in blocks], -1)
        for blocks in (FIRST_BLOCKS, SECOND_BLOCKS)
    )
    return first, second


def merge_steps(first: Tensor, second: Tensor) -> Tensor:
    """The inverse of :func:`split_steps`."""
    blocks = dict(zip(FIRST_BLOCKS + SECOND_BLOCKS, (*first.chunk(4, -1), *second.chunk(4, -1)), strict=True))
    return torch.stack([blocks[divmod(place, 4)] for place in range(8)], -1).flatten(-2)


def neighbour_taps() -> list[list[tuple[int, int, int]]]:
    """For each block of the second step its left, right, upper and lower neighbours: (block of the first step, rows
    down, columns right) in the (h, w) grid."""
    table = []
    for odd, phase in SECOND_BLOCKS:
        row, column = divmod(phase, 2)
        places = [(row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)]
        table.append([(FIRST_BLOCKS.index((odd, y % 2 * 2 + x % 2)), y // 2, x // 2) for y, x in places])
    return table


def moved(x: Tensor, rows: int, columns: int) -> Tensor:
    """out[n, i, j] = x[n, i + rows, j + columns], the border repeated; (N, h, w, C), offsets of -1, 0 or 1.

    Repeating the cells' border mirrors the checkerboard: an element at the border sees its inner neighbour twice.
    """
    if rows:
        x = torch.cat((x[:, 1:], x[:, -1:]) if rows > 0 else (x[:, :1], x[:, :-1]), 1)
    if columns:
        x = torch.cat((x[:, :, 1:], x[:, :, -1:]) if columns > 0 else (x[:, :, :1], x[:, :, :-1]), 2)
    return x


class _Seen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, latents: Tensor) -> Tensor:
        half = latents.abs().mul_(0.5).add_(0.5).floor_()
        outer = (half * 0.125).add_(7 * _KNEE / 8).floor_().clamp_(max=ACTIVATION_LIMIT)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(half < _KNEE, half < 8 * (ACTIVATION_LIMIT + 1) - 7 * _KNEE)
        return torch.minimum(half, outer, out=half).copysign_(latents)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        inner, outer = ctx.saved_tensors
        return grads[0] * (inner * (7 / 16) + outer * (1 / 16))


def seen(latents: Tensor) -> Tensor:
    """Decoded latents, or sums of two, as inputs of a network: 1/8 steps within +-255, coarser beyond 16 steps."""
    out: Tensor = _Seen.apply(latents)
    return out


def reconstruct(symbols: Tensor, means: Tensor) -> Tensor:
    """Decoded latents of symbols and means (integers of any type that holds them), limited whatever the symbols."""
    return (symbols.clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT) * UNIT + means).clamp(-LATENT_LIMIT, LATENT_LIMIT)


def quantise(latents: Tensor, means: Tensor) -> Tensor:
    """Symbols of latents in quantisation steps (float), nearest to them given the means: float32 integers.

    For encoders: the symbols travel, so rounding need not be the same everywhere.
    """
    return (latents - means * (1 / UNIT)).round().clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT)
