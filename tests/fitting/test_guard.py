"""A bad step does not lose a fit."""

from __future__ import annotations

import torch
from torch import nn

from nvcodec.fitting.guard import Checkpoint, GradientClip


def test_an_outlier_is_clipped_and_soon_forgotten() -> None:
    weight = nn.Parameter(torch.zeros(4))
    clip = GradientClip([weight])
    norms = []
    for size in [1.0] * 20 + [1000.0] + [1.0] * 20:
        weight.grad = torch.full((4,), size / 2)
        clip.apply()
        norms.append(float(weight.grad.norm()))
    assert max(norms) < 3.1 and all(abs(n - 1) < 1e-5 for n in norms[:20] + norms[21:])


def test_a_gradient_that_is_no_number_moves_nothing() -> None:
    weight = nn.Parameter(torch.zeros(4))
    clip = GradientClip([weight])
    for values in (torch.ones(4), torch.tensor([1.0, float("inf"), 0.0, 0.0]), torch.ones(4)):
        weight.grad = values.clone()
        clip.apply()
        assert weight.grad.isfinite().all()
    assert float(weight.grad.norm()) > 1.9


def test_after_a_collapse_the_good_parameters_are_back() -> None:
    network = nn.Linear(2, 2)
    checkpoint = Checkpoint(network)
    good = [p.detach().clone() for p in network.parameters()]
    assert not any(checkpoint.watch(1.0, p / 100) for p in range(1, 10))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(9.0)
    assert not checkpoint.watch(1.5, 0.2)
    assert checkpoint.watch(9.0, 0.21) and checkpoint.returns == 1
    assert all(torch.equal(p, g) for p, g in zip(network.parameters(), good, strict=True))
    assert checkpoint.watch(float("nan"), 0.22)
