"""Ways in which the rate enters a fit: what each computes with, and that all of them end in what the coder codes."""

import math

import numpy as np
import pytest
import torch

from nvcodec.codecs.base import OBJECTIVES, GroupSpec
from nvcodec.codecs.registry import get_codec
from nvcodec.fitting.objectives import Consistent, Joint, Regression, own_gaussian_bits
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.format import VideoFormat

FORMAT = VideoFormat(64, 48)


@pytest.fixture
def parameters() -> CodedParameters:
    torch.manual_seed(0)
    codec = get_codec("hnerv")
    config = codec.plan(2000, 4, 24, 32)
    return CodedParameters(codec.network(config), torch.randn(codec.shapes(config, 4).embedding).transpose(0, 1))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_the_gaussian_is_the_normal_law_of_a_bin():
    values = 3 * torch.randn(2, 4000, generator=generator())
    spread = values.double().square().mean(1, keepdim=True).sqrt()
    law = torch.distributions.Normal(0.0, spread)
    wanted = -(law.cdf(values.double() + 0.5) - law.cdf(values.double() - 0.5)).log2().sum()
    assert float(own_gaussian_bits(values)) == pytest.approx(float(wanted), rel=1e-4)
    per_value = float(own_gaussian_bits(values)) / values.numel()
    assert per_value == pytest.approx(0.5 * math.log2(2 * math.pi * math.e * 9), abs=0.05)
    assert float(own_gaussian_bits(torch.zeros(1, 100))) < 1 and torch.isfinite(own_gaussian_bits(1e4 * values[:, :2]))
    far = torch.cat([torch.ones(1, 999), torch.tensor([[12.0]])], 1).requires_grad_()  # an outlier still has a pull
    own_gaussian_bits(far).backward()
    assert float(far.grad[0, -1]) > 5


def test_smaller_numbers_are_cheaper_for_all_of_a_tensor():
    values = torch.randn(1, 50, generator=generator()).mul_(5).requires_grad_()
    own_gaussian_bits(values).backward()
    assert (values.grad * values).sum() > 0 and (values.grad != 0).all()


def test_steps_divide_the_range(parameters):
    parameters.set_steps(8)
    for weight, steps in zip(parameters.weights, parameters.weight_steps, strict=True):
        part = float(weight.detach().max() - weight.detach().min()) / 256
        assert 2 ** float(steps.detach()) == pytest.approx(max(part, 2**-13), rel=1e-5)
    channels = parameters.embedding.detach().transpose(0, 1).flatten(1)
    spans = channels.amax(1) - channels.amin(1)
    assert torch.allclose(torch.exp2(parameters.embedding_steps.detach().flatten()) * 256, spans, rtol=1e-5)


def test_a_regression_comes_first(parameters):
    objective = Consistent(parameters, generator())
    steps = [float(s.detach()) for s in parameters.weight_steps]
    assert not objective.begin(0.0) and objective.bits() is None
    shown, embedding = objective.shown([0, 2])
    assert all(shown[name] is weight for name, weight in zip(parameters.names, parameters.weights, strict=True))
    assert torch.equal(embedding, parameters.embedding[[0, 2]])
    assert objective.begin(Consistent.share) and not objective.begin(0.9)
    assert steps != [float(s.detach()) for s in parameters.weight_steps]
    assert objective.factor(Consistent.share / 2) < 1 and objective.factor(1.0) < 0.1
    assert objective.factor(Consistent.share + 0.05) > 0.8 * Consistent.peak


def test_pictures_are_of_rounded_values_and_the_rate_of_noisy_ones(parameters):
    objective = Consistent(parameters, generator())
    objective.begin(1.0)
    shown, _ = objective.shown([0])
    again, _ = objective.shown([0])
    for name, steps in zip(parameters.names, parameters.weight_steps, strict=True):
        step = torch.exp2((steps.detach() * 16).round() / 16)
        whole = shown[name].detach() / step
        assert torch.allclose(whole, whole.round(), atol=1e-3) and torch.equal(shown[name], again[name])
    first, second = objective.bits(), objective.bits().detach()
    assert float(first.detach()) != float(second)  # other noise
    assert float(first.detach()) == pytest.approx(float(second), rel=0.02)
    first.backward()
    assert all(p.grad is not None for p in (*parameters.weights, *parameters.weight_steps, parameters.embedding))


def test_joint_noise_ends_in_rounding(parameters):
    objective = Joint(parameters, generator(), rounding_from=0.9)
    objective.begin(0.5)
    noisy = [objective.shown([0])[0]["head.bias"].detach().clone() for _ in range(2)]
    assert not torch.equal(*noisy) and objective.bits() is not None
    objective.begin(0.95)
    rounded = [objective.shown([0])[0]["head.bias"].detach().clone() for _ in range(2)]
    assert torch.equal(*rounded)
    assert Regression(parameters).bits() is None


@pytest.mark.parametrize("name", ["hnerv", "nerv-boost", "nirvana"])
def test_files_of_either_objective_meet_their_goal(crop, name):
    """By the same coder and decoder; what was modelled is near what is coded."""
    frames, codec = crop(64, 48, 6), get_codec(name)
    found = {}
    for objective in OBJECTIVES:
        spec = GroupSpec(preset="faster", target_bytes=2500, objective=objective)
        found[objective] = payload = codec.encode_group(frames, FORMAT, spec)
        assert payload.size <= 2500 and payload.psnr > 20
        assert payload.modelled_bytes == pytest.approx(payload.size, rel=0.5)
        shown = codec.open_group(payload.config, payload.units, FORMAT, len(frames))
        assert shown.symbol_hash == payload.symbol_hash
    assert found["joint"].units[0].payload != found["consistent"].units[0].payload


def test_a_group_may_lean_under_it_too(crop):
    frames, codec = crop(64, 48, 8), get_codec("hnerv")
    spec = GroupSpec(preset="faster", chain=True, objective="consistent")
    first = codec.encode_group(frames[:4], FORMAT, spec)
    second = codec.encode_group(frames[4:], FORMAT, spec, None, first.state)
    opened = codec.open_group(second.config, second.units, FORMAT, 4, "cpu", first.state if second.leans else None)
    assert opened.symbol_hash == second.symbol_hash and np.isfinite(second.psnr) and second.psnr > 20
