"""The trained codecs' entropy model in training: float parameters, integer arithmetic, rates that differentiate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nvcodec.hardware import exact_fp32
from nvcodec.models.integer import (
    ACTIVATION_LIMIT,
    ANCHORS,
    all_qualities,
    at_quality,
    floor_clip,
    straight_through,
)
from nvcodec.models.latents import UNIT, merge_steps, quantise, reconstruct, split_steps
from nvcodec.models.likelihood import TableBits
from nvcodec.models.prior_network import TABLES, History, PriorConfig, Step

_INDEX_SCALE = 8.0


class PriorOutput(NamedTuple):
    """What a frame's latents become and cost."""

    y_hat: Tensor  # (N, 4C, h, w) in quantisation steps, whole sixteenths; the gradient is y's
    bits_y: Tensor  # (N,)
    bits_z: Tensor  # (N,)


class Prior(nn.Module):
    """Prior over a frame's latents y (N, 4 * latents, h, w) and hyper-latents z (N, hyper, ceil(h/4), ceil(w/4)).

    ``sigmas``: standard deviations of the 64 tables that indices name: Gaussians, or ``laplace`` distributions.
    ``spread``: standard deviations of the latents' channels in quantisation steps at the 8 anchors of quality,
    (8, latents), where indices start; at 1 if left out. Numbers that decide a mean or an index are the integers of
    :class:`nvcodec.models.exact_prior.ExactPrior`, bit for bit.
    """

    def __init__(
        self, config: PriorConfig, sigmas: Sequence[float], spread: Tensor | None = None, laplace: bool = False
    ) -> None:
        super().__init__()
        if len(sigmas) != TABLES:
            raise ValueError(f"a prior needs {TABLES} tables, not {len(sigmas)}")
        self.config = config
        self.network = config.network()
        self.bits = TableBits(sigmas, laplace)
        if spread is not None:
            self._start_at(spread)
        start = self.bits.index_of(2.0) / _INDEX_SCALE
        self.z_scale = nn.Parameter(torch.full((ANCHORS, config.hyper), start))  # of frames coded alone
        self.z_scale_inter = nn.Parameter(torch.full((ANCHORS, config.hyper), start))  # of those behind another

    @torch.no_grad()
    def _start_at(self, spread: Tensor) -> None:
        index = ((spread.clamp_min(1e-6).log() - self.bits.first) / self.bits.step).clamp(0, TABLES - 1)
        first, second = split_steps(index.repeat_interleave(4, 1))
        self.network.start_indices(first, second)

    def forward(
        self,
        y: Tensor,
        z: Tensor,
        previous: History | tuple[Tensor | None, Tensor | None],
        quality: Tensor | float,
        noise: bool = True,
    ) -> PriorOutput:
        """Round y and z (in quantisation steps) and count their bits.

        ``previous``: ``y_hat`` one and two frames ago, None where there is none, and the prior's side channels, whole
        numbers, if it has any. ``quality``: 0..63, one or (N,).
        With ``noise`` the rates are those of values plus uniform noise, else of the rounded symbols; what the
        networks and the synthesis see is rounded either way. Runs in float32 whatever autocast says.
        """
        with exact_fp32(y.device.type):
            quality = torch.as_tensor(quality, dtype=torch.float32, device=y.device).expand(len(y))
            y, z = y.float().permute(0, 2, 3, 1), z.float().permute(0, 2, 3, 1)
            known = (None if p is None else p.float().permute(0, 2, 3, 1) for p in previous)
            last, older, *side = (
                None if p is None else p * unit for p, unit in zip(known, (UNIT, UNIT, 1), strict=False)
            )
            history = History(last, older, *side)
            z_rounded = z.round().clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
            size = (y.shape[1], y.shape[2])
            features = self.network.features(straight_through(z_rounded, z), history, quality, size)
            y_hat, bits_y = self._code(y, features, last, quality, noise)
            scale = self.z_scale if last is None else self.z_scale_inter
            z_index = floor_clip(at_quality(scale * _INDEX_SCALE, quality) + 0.5, 0, TABLES - 1)
            bits_z = self._rate(z, z_rounded, z_index[:, None, None], noise)
            return PriorOutput((y_hat * (1 / UNIT)).permute(0, 3, 1, 2), bits_y, bits_z.sum((1, 2, 3)))

    def _code(
        self, y: Tensor, features: Tensor, last: Tensor | None, quality: Tensor, noise: bool
    ) -> tuple[Tensor, Tensor]:
        """(decoded latents (N, h, w, 4C) in sixteenths, bits (N,))"""
        first_y, second_y = split_steps(y)
        first_last, second_last = (None, None) if last is None else split_steps(last)
        step = self.network.first(features, first_last, quality)
        first, first_bits = self._code_step(first_y, step, noise)
        step = self.network.second(features, step, first, second_last, quality)
        second, second_bits = self._code_step(second_y, step, noise)
        return merge_steps(first, second), first_bits + second_bits

    def _code_step(self, y: Tensor, step: Step, noise: bool) -> tuple[Tensor, Tensor]:
        symbols = quantise(y.detach(), step.means.detach())
        decoded = straight_through(reconstruct(symbols, step.means.detach()), y * UNIT)
        values = y - step.means * (1 / UNIT)
        return decoded, self._rate(values, symbols, step.indices, noise).sum((1, 2, 3))

    def _rate(self, values: Tensor, symbols: Tensor, indices: Tensor, noise: bool) -> Tensor:
        """Bits of ``symbols``, elementwise, with a gradient towards ``values`` and ``indices``.

        With ``noise`` tables learn from the symbols that are coded, and values from their noisy selves: noise alone
        says several times the rate where nearly all symbols are zero, and the gradient at exact zeros says nothing.
        """
        if not noise:
            return self.bits(straight_through(symbols, values), indices)
        bits = self.bits(symbols.to(values.dtype), indices)
        noisy = self.bits(values + torch.rand_like(values) - 0.5, indices.detach())
        return straight_through(bits.detach(), noisy + bits)

    @torch.no_grad()
    def export(self) -> dict[str, NDArray[Any]]:
        """The integers of :class:`nvcodec.models.exact_prior.ExactPrior`: the network's, and ``z_index`` uint8
        (2, 64 qualities, hyper), the tables of z of frames coded alone and behind another.

        Raises ValueError where training ran away and a sum could be inexact.
        """
        scales = [all_qualities(scale * _INDEX_SCALE) for scale in (self.z_scale, self.z_scale_inter)]
        index = (torch.stack(scales) + 0.5).floor().clamp(0, TABLES - 1)
        return {**self.network.export(), "z_index": index.cpu().numpy().astype(np.uint8)}
