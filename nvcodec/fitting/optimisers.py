"""Which optimiser has which of the coded parameters: Muon the matrices, Adam all else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from nvcodec.fitting.muon import Muon, is_matrix
from nvcodec.fitting.parameters import CodedParameters


@dataclass(frozen=True)
class LearningRates:
    """Peak rates; a schedule multiplies them all."""

    matrices: float = 0.03  # Muon: spectral norm of an update
    vectors: float = 5e-3  # Adam: biases and small matrices
    embedding: float = 5e-3  # Adam
    steps: float = 2e-2  # Adam, in log2 units


class Optimisers:
    """All parameters of one fit under one schedule."""

    def __init__(self, parameters: CodedParameters, rates: LearningRates, dtype: torch.dtype) -> None:
        matrices = [p for p in parameters.weights if is_matrix(p)]
        vectors = [p for p in parameters.weights if not is_matrix(p)]
        steps = list(parameters.weight_steps)
        groups: list[dict[str, Any]] = [{"params": vectors, "lr": rates.vectors}]
        if parameters.embedding is not None and parameters.embedding_steps is not None:
            groups.append({"params": [parameters.embedding], "lr": rates.embedding})
            steps.append(parameters.embedding_steps)
        groups.append({"params": steps, "lr": rates.steps})
        self._all: list[torch.optim.Optimizer] = [torch.optim.Adam(groups, betas=(0.9, 0.99))]
        if matrices:
            self._all.append(Muon(matrices, rates.matrices, dtype=dtype))
        self._peaks = [[group["lr"] for group in each.param_groups] for each in self._all]

    def prepare(self, factor: float) -> None:
        """Set all rates to ``factor`` of their peaks and forget the gradients."""
        for optimiser, peaks in zip(self._all, self._peaks, strict=True):
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            optimiser.zero_grad(set_to_none=True)

    def step(self) -> None:
        for optimiser in self._all:
            optimiser.step()

    def forget(self) -> None:
        """Drop momenta and second moments: what follows is another road."""
        for optimiser in self._all:
            optimiser.state.clear()
