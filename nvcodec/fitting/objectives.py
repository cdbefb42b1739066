"""How the rate enters a fit: from the first step, under noise; or after a regression, under a Gaussian of each tensor.

Both are distortion + rate / lambda and end in parameters that the same coder codes. An objective says with what the
network computes at a step, what its numbers weigh, and how far the learning rates are up.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import cosine

Shown = tuple[dict[str, Tensor], Tensor | None]  # weights by name, embeddings of the frames at hand


class Objective(Protocol):
    """Called once a step: :meth:`begin`, :meth:`shown`, then perhaps :meth:`bits`.

    From progress ``settled`` on the rate says what lambda has done, so that it can be steered.
    """

    settled: float

    def begin(self, progress: float) -> bool:
        """Whether what the optimisers remember is of another road from here on."""

    def factor(self, progress: float) -> float:
        """On the learning rates."""

    def shown(self, frames: list[int]) -> Shown:
        """What the network computes with."""

    def bits(self) -> Tensor | None:
        """Modelled bits of all that is transmitted, a differentiable scalar; None while nothing is coded."""


class Regression:
    """No rate: float weights as they are."""

    settled = 0.05

    def __init__(self, parameters: CodedParameters) -> None:
        self.parameters = parameters

    def begin(self, progress: float) -> bool:
        return False

    def factor(self, progress: float) -> float:
        return cosine(progress)

    def shown(self, frames: list[int]) -> Shown:
        return self.parameters.plain(frames)

    def bits(self) -> Tensor | None:
        return None


class Joint(Regression):
    """Noise of one step in pictures and rate alike, rounding from ``rounding_from`` of the fit on."""

    def __init__(self, parameters: CodedParameters, generator: torch.Generator, rounding_from: float) -> None:
        super().__init__(parameters)
        self.generator, self.rounding_from = generator, rounding_from
        self.noise = True
        self._weights: dict[str, tuple[Tensor, Tensor]] = {}

    def begin(self, progress: float) -> bool:
        self.noise = progress < self.rounding_from
        return False

    def shown(self, frames: list[int]) -> Shown:
        self._weights = self.parameters.perturbed_weights(self.noise, self.generator)
        embedding = None
        if self.parameters.embedding is not None:
            embedding = self.parameters.perturbed_embedding(frames, self.noise, self.generator)
        return self.parameters.network_weights(self._weights), embedding

    def bits(self) -> Tensor | None:
        bits = self.parameters.weight_bits(self._weights, self.noise)
        if self.parameters.embedding is not None:
            bits = bits + self.parameters.embedding_bits(self.noise, self.generator)
        return bits


class Consistent(Regression):
    """Consistent entropy minimisation (Boosting Neural Representations for Videos, Zhang et al. 2024, section 3.4).

    After a regression steps are set to ``depth`` bits of each tensor's range, and learned from there with all else.
    Pictures are made of rounded values with a straight-through gradient; the rate is of values with noise, under a
    Gaussian whose spread is that of these values themselves. Unlike there: mean 0, since that is what our tables have,
    embeddings as differences in time as the stream codes them, and lambda steered towards a goal in bytes instead of a
    threshold in bits a parameter; not at once, because 8 bits are soon less whatever lambda is.
    """

    share = 0.5  # of the fit that is regression
    peak = 1.0  # of the learning rates after it
    depth = 8
    settled = 0.65

    def __init__(self, parameters: CodedParameters, generator: torch.Generator) -> None:
        super().__init__(parameters)
        self.generator = generator
        self.coding = False

    def begin(self, progress: float) -> bool:
        if self.coding or progress < self.share:
            return False
        self.coding = True
        self.parameters.set_steps(self.depth)
        return True

    def factor(self, progress: float) -> float:
        if progress < self.share:
            return cosine(progress / self.share)
        return self.peak * cosine((progress - self.share) / (1 - self.share))

    def shown(self, frames: list[int]) -> Shown:
        if not self.coding:
            return super().shown(frames)
        embedding = None
        if self.parameters.embedding is not None:
            embedding = self.parameters.perturbed_embedding(frames, False)
        return self.parameters.network_weights(self.parameters.perturbed_weights(False)), embedding

    def bits(self) -> Tensor | None:
        if not self.coding:
            return None
        noisy = self.parameters.perturbed_weights(True, self.generator)
        rows = [values.reshape(1, -1) for values, _ in noisy.values()]
        if self.parameters.embedding is not None:
            rows.append(self.parameters.embedding_residual(True, self.generator))
        return torch.stack([own_gaussian_bits(row) for row in rows]).sum()


def own_gaussian_bits(values: Tensor, least: float = 0.1) -> Tensor:
    """Bits of ``values`` (rows, n), in steps, each row under a discretised Gaussian of its own spread; a scalar.

    The spread is a part of what is minimised: smaller numbers are cheaper for all of their tensor.
    """
    spread, size = values.square().mean(1, keepdim=True).sqrt().clamp_min(least), values.abs()
    inner, outer = (torch.special.log_ndtr((edge - size) / spread) for edge in (0.5, -0.5))
    return -(inner + torch.log1p(-torch.exp(outer - inner))).sum() / math.log(2)  # in logarithms: tails have gradients
