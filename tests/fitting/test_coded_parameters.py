"""Quantisation in the loop: noise stays inside its bin, rounding rounds, gradients pass, steps end on the grid."""

import pytest
import torch
from torch import nn

from nvcodec.codecs.goals import last_true, quantise
from nvcodec.codecs.steps import step_size
from nvcodec.fitting.parameters import STEP_GRID, CodedParameters
from nvcodec.fitting.rate import laplace_bits


def parameters(embedding: bool = True) -> CodedParameters:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 6, 3), nn.Conv2d(6, 2, 1))
    return CodedParameters(network, torch.randn(5, 3, 2, 2) if embedding else None)


def test_it_counts_what_is_coded():
    assert parameters().count == 6 * 4 * 9 + 6 + 2 * 6 + 2 + 5 * 3 * 4
    assert parameters(embedding=False).count == 6 * 4 * 9 + 6 + 2 * 6 + 2


@pytest.mark.parametrize("noise", [True, False])
def test_what_a_step_sees_lies_within_half_a_step(noise):
    coded, generator = parameters(), torch.Generator().manual_seed(1)
    for weight, (values, step) in zip(coded.weights, coded.perturbed_weights(noise, generator).values(), strict=True):
        assert (values * step - weight).abs().max() <= 0.5001 * step
        if not noise:
            assert torch.equal(values, values.round())
    seen = coded.perturbed_embedding([3, 1], noise, generator)
    steps = torch.exp2(coded.embedding_steps)
    assert ((seen - coded.embedding[[3, 1]]).abs() <= 0.5001 * steps).all()


def test_noise_has_no_bias_and_is_repeatable():
    coded = CodedParameters(nn.Conv2d(32, 64, 3))
    weight = coded.weights[0]
    values, step = coded.perturbed_weights(True, torch.Generator().manual_seed(2))["weight"]
    error = (values - weight / step).detach()
    assert abs(float(error.mean())) < 0.01
    assert float(error.std()) == pytest.approx(12**-0.5, rel=0.03)
    again, _ = coded.perturbed_weights(True, torch.Generator().manual_seed(2))["weight"]
    assert torch.equal(values, again)


def test_rounding_passes_the_gradient_straight_through():
    coded = parameters()
    values, step = coded.perturbed_weights(False)["0.weight"]
    (values * step).sum().backward()
    assert torch.allclose(coded.weights[0].grad, torch.ones_like(coded.weights[0]))


def test_steps_have_gradients():
    coded = parameters()
    perturbed = coded.perturbed_weights(True, torch.Generator().manual_seed(0))
    (coded.weight_bits(perturbed) + coded.embedding_bits(True, torch.Generator().manual_seed(0))).backward()
    for step in [*coded.weight_steps, coded.embedding_steps]:
        assert (step.grad < 0).all()  # coarser steps, fewer bits


def test_the_embedding_costs_the_shorter_of_itself_and_its_change():
    coded = parameters()
    with torch.no_grad():
        coded.embedding.copy_(coded.embedding[:1].expand_as(coded.embedding))  # a still picture
    values = (coded.embedding / torch.exp2(coded.embedding_steps)).round()
    alone = sum(float(laplace_bits(channel.detach().reshape(1, -1)).sum()) for channel in values.unbind(1))
    assert float(coded.embedding_bits(False).detach()) < 0.7 * alone


def test_steps_are_put_on_the_grid_of_the_stream():
    coded = parameters()
    coded.snap_steps()
    tensors = quantise(coded)
    for log2_step, exponent in zip(coded.weight_steps, tensors.weight_exponents, strict=True):
        exact = float(log2_step.detach()) * STEP_GRID
        assert exact == round(exact)
        assert float(step_size(exponent)) == pytest.approx(2 ** float(log2_step.detach()), rel=1e-6)


def test_what_is_coded_is_what_the_fit_saw():
    coded = parameters()
    coded.snap_steps()
    tensors = quantise(coded)
    for values, (seen, step) in zip(tensors.weight_values(), coded.perturbed_weights(False).values(), strict=True):
        assert torch.allclose(torch.from_numpy(values), (seen * step).detach(), rtol=1e-5, atol=1e-7)
    seen = coded.perturbed_embedding(list(range(5)), False).detach()
    assert torch.allclose(torch.from_numpy(tensors.embedding_values()), seen, rtol=1e-5, atol=1e-7)


def test_an_offset_moves_every_step():
    coded = parameters()
    coded.snap_steps()
    plain, coarse = quantise(coded), quantise(coded, 16)
    assert [e + 16 for e in plain.weight_exponents] == coarse.weight_exponents
    assert max(abs(w).max() for w in coarse.weights) < max(abs(w).max() for w in plain.weights)


@pytest.mark.parametrize("border", [-5, -4, 0, 3, 7, 8])
def test_last_true(border):
    asked = []

    def holds(n: int) -> bool:
        asked.append(n)
        return n <= border

    assert last_true(-4, 7, holds) == (None if border < -4 else min(border, 7))
    assert len(asked) <= 6 and min(asked) >= -4 and max(asked) <= 7
