"""Muon's update is orthogonal, and it learns."""

from __future__ import annotations

import pytest
import torch

from nvcodec.fitting.muon import Muon, is_matrix, orthogonalise


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
    assert values.max() < 1.3 and values.median() > 0.6


def test_singular_vectors_stay() -> None:
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(12, 12))
    matrix = u @ torch.diag(torch.linspace(1, 3, 12)) @ v
    inside = u.T @ orthogonalise(matrix) @ v.T
    assert (inside - torch.diag(inside.diag())).abs().max() < 1e-3


def test_a_zero_gradient_moves_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(10, 10))
    weight.grad = torch.zeros(10, 10)
    Muon([weight], lr=0.1).step()
    assert torch.equal(weight.data, torch.ones(10, 10))


def test_least_squares_is_solved() -> None:
    torch.manual_seed(0)
    x, wanted = torch.randn(200, 16), torch.randn(16, 12)
    weight = torch.nn.Parameter(torch.zeros(12, 16))
    optimiser = Muon([weight], lr=0.1)
    losses = []
    for step in range(200):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 200)
        optimiser.zero_grad()
        loss = (x @ weight.T - x @ wanted).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.01 * losses[0]


def test_vectors_and_thin_matrices_are_left_to_others() -> None:
    assert is_matrix(torch.zeros(16, 4, 3, 3)) and not is_matrix(torch.zeros(64))
    assert not is_matrix(torch.zeros(6, 100)) and not is_matrix(torch.zeros(100, 3))
