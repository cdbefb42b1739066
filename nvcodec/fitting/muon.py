"""Muon: momentum whose update of each matrix is orthogonalised (Jordan et al. 2024).

For convolutions the matrix is (c_out, c_in * k * k).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315  # quintic Newton-Schulz that drives singular values towards 1
ITERATIONS = 5


def orthogonalise(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """About U V^T of (m, n) ``matrix`` = U S V^T, by Newton-Schulz in ``dtype``; float32 out."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix / (matrix.norm() + 1e-12)).to(dtype)
    x = x.T.contiguous() if tall else x
    for _ in range(ITERATIONS):
        gram = x @ x.T
        polynomial = torch.addmm(gram, gram, gram, beta=_B, alpha=_C)
        x = torch.addmm(x, polynomial, x, beta=_A)
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For parameters of two or more axes; the first one is the rows of the matrix."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "dtype": dtype})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group["lr"], group["momentum"], group["dtype"])

    def _update(self, parameter: Tensor, lr: float, momentum: float, dtype: torch.dtype) -> None:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        average = state["momentum"].mul_(momentum).add_(parameter.grad)
        look_ahead = (parameter.grad + momentum * average).flatten(1)
        scale = max(1.0, look_ahead.shape[0] / look_ahead.shape[1]) ** 0.5
        parameter.add_(orthogonalise(look_ahead, dtype).view_as(parameter), alpha=-lr * scale)


def is_matrix(parameter: Tensor) -> bool:
    """Whether Muon should have it: both sides of its matrix are larger than a few."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) > 8
