"""Parameters of a video that shares weights with those before it (PFNR, Kang et al., ICLR 2024, sec. 3.2).

Of the shared weights that are still free the largest are taken and trained, the others are 0. Those that were taken
before are frozen, and the video uses some of them: one moves away from its frozen value in training, and is used while
it is nearer to that than to 0. Both masks are hard, and gradients pass straight through them to all weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nvcodec.fitting.parameters import Before, CodedParameters
from nvcodec.fitting.rate import modelled_bits

START = 0.4  # of its frozen value: a weight that was set is not used at first, and not far from it


def _flag_bits(flags: int, count: int) -> float:
    """Of a mask with so many flags."""
    share = flags / count if count else 0.0
    if not 0 < share < 1:
        return 0.0
    return -count * (share * math.log2(share) + (1 - share) * math.log2(1 - share))


class MaskedParameters(CodedParameters):
    """``shared``: which of the weights are; of each that is, at most ``share`` of what is free is taken."""

    def __init__(self, network: nn.Module, shared: Sequence[bool], share: float) -> None:
        super().__init__(network)
        self.shared, self.share = tuple(shared), share
        self._frozen: list[Tensor | None] = [None] * len(self.shared)  # 0 where a weight is free
        self._least = [0.0] * len(self.shared)  # magnitude from which a free weight is taken
        self.choose_leaning()

    @torch.no_grad()
    def follow(self, before: Before) -> None:
        """Begin with what the library has; free weights and the video's own keep their start."""
        for number, (weight, value) in enumerate(zip(self.weights, before.weights, strict=True)):
            self.weight_steps[number].fill_(before.weight_steps[number])
            if self.shared[number]:
                weight.copy_(torch.where(value != 0, START * value, weight))
                self._frozen[number] = value.clone()
        self.choose_leaning()

    @torch.no_grad()
    def choose_leaning(self) -> None:
        """Choose anew which free weights are taken."""
        for number, (weight, shared) in enumerate(zip(self.weights, self.shared, strict=True)):
            free = weight.detach()[self._free(number)].abs()
            if shared and free.numel():
                rank = max(1, min(free.numel(), math.ceil((1 - self.share) * free.numel())))
                self._least[number] = float(free.kthvalue(rank).values)

    def _free(self, number: int) -> Tensor:
        frozen = self._frozen[number]
        return torch.ones_like(self.weights[number], dtype=torch.bool) if frozen is None else frozen == 0

    def masks(self, number: int) -> tuple[Tensor, Tensor]:
        """Of a shared tensor: which free weights are taken, which frozen ones are used."""
        weight, free, frozen = self.weights[number].detach(), self._free(number), self._frozen[number]
        taken = free & (weight.abs() > self._least[number])
        used = torch.zeros_like(free) if frozen is None else ~free & (weight / frozen > 0.5)
        return taken, used

    def perturbed_weights(
        self, noise: bool, generator: torch.Generator | None = None
    ) -> dict[str, tuple[Tensor, Tensor]]:
        out = super().perturbed_weights(noise, generator)
        for number, name in enumerate(self.names):
            if self.shared[number]:
                out[name] = self._masked(number, *out[name])
        return out

    def _masked(self, number: int, values: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Values in steps, hard masks applied: 0 where a weight is neither taken nor used."""
        (taken, used), frozen = self.masks(number), self._frozen[number]
        straight = self.weights[number] / step.detach()
        shown = torch.zeros_like(straight) if frozen is None else torch.where(used, frozen / step.detach(), 0.0)
        return torch.where(taken, values, shown + (straight - straight.detach())), step

    def weight_bits(self, perturbed: dict[str, tuple[Tensor, Tensor]], noise: bool = True) -> Tensor:
        bits, flags = [], 0.0
        for number, (values, step) in enumerate(perturbed.values()):
            if not self.shared[number]:
                bits.append(modelled_bits(values.reshape(1, -1), not noise))
                continue
            (taken, used), free = self.masks(number), self._free(number)
            flags += _flag_bits(int(taken.sum()), int(free.sum())) + _flag_bits(int(used.sum()), int((~free).sum()))
            chosen = values[taken]
            if chosen.numel():
                gap = (self._least[number] / step.detach()).floor()
                bits.append(modelled_bits((chosen - chosen.detach().sign() * gap).reshape(1, -1), not noise))
        return torch.stack(bits).sum() + flags


def masked_integers(parameters: MaskedParameters, number: int, step: float) -> Tensor:
    """What is coded of a shared tensor at a step: :class:`nvcodec.codecs.masked.MaskedTensors` says how to read it."""
    taken, used = parameters.masks(number)
    values = (parameters.weights[number].detach().double() / step).round()
    return torch.where(taken, values, used.double())
