"""The differentiable rate against the definition, a numeric entropy, and the integer tables that code."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nvcodec.entropy.cost import table_costs
from nvcodec.entropy.tables import GGD
from nvcodec.fitting.rate import gaussian_bits, modelled_bits
from nvcodec.fitting.rate import laplace_bits as laplace_bits_by_row


def laplace_bits(values: torch.Tensor, rounded: bool = False) -> torch.Tensor:
    return laplace_bits_by_row(values.reshape(1, -1), rounded).sum()


@given(st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=30))
def test_it_is_the_mass_of_the_bin(values):
    array = np.array(values, np.float32)
    scale = max(float(np.abs(array).mean()), 0.05)  # of values with noise
    low, high = np.abs(array).astype(np.float64) - 0.5, np.abs(array).astype(np.float64) + 0.5
    upper = stats.laplace.sf(low, scale=scale) - stats.laplace.sf(high, scale=scale)
    wanted = -np.log2(np.maximum(upper, 1e-300)).sum()
    assert float(laplace_bits(torch.from_numpy(array))) == pytest.approx(wanted, rel=2e-3, abs=0.02)


@pytest.mark.parametrize("scale", [0.7, 2.0, 11.0, 150.0])
def test_it_is_the_entropy_on_its_own_distribution(scale):
    k = np.arange(-4000, 4001)
    mass = stats.laplace.cdf(k + 0.5, scale=scale) - stats.laplace.cdf(k - 0.5, scale=scale)
    entropy = -(mass * np.log2(np.maximum(mass, 1e-300))).sum()
    sample = np.rint(np.random.default_rng(0).laplace(0, scale, 60_000)).astype(np.float32)
    assert float(laplace_bits(torch.from_numpy(sample), True)) / len(sample) == pytest.approx(entropy, rel=0.02)


SCALES = (0.5, 1.0, 3.0, 20.0, 300.0)


@pytest.mark.parametrize(
    ("scale", "noise"), [(0.1, False), (0.2, False), *((s, n) for n in (False, True) for s in SCALES)]
)
def test_it_is_what_the_integer_tables_take(scale, noise):
    random = np.random.default_rng(1)
    exact = random.laplace(0, scale, 40_000).astype(np.float32)
    coded = table_costs(np.rint(exact).astype(np.int32), GGD).min()
    values = exact + random.uniform(-0.5, 0.5, exact.shape).astype(np.float32) if noise else np.rint(exact)
    assert float(laplace_bits(torch.from_numpy(values), not noise)) == pytest.approx(coded, rel=0.04 if noise else 0.03)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20))
def test_bits_and_gradients_are_finite(values):
    tensor = torch.tensor(values, requires_grad=True)
    bits = laplace_bits(tensor)
    bits.backward()
    assert float(bits) >= 0 and torch.isfinite(bits) and torch.isfinite(tensor.grad).all()


def test_the_gradient_pulls_towards_zero():
    tensor = torch.tensor([3.0, -2.0, 0.3, -0.2], requires_grad=True)
    laplace_bits(tensor).backward()
    assert (tensor.grad.sign() == tensor.detach().sign()).all()


@pytest.mark.parametrize("sigma", [3.0, 8.0, 30.0])
@pytest.mark.parametrize("noise", [False, True])
def test_a_gaussian_is_what_the_integer_tables_take(sigma, noise):
    random = np.random.default_rng(1)
    exact = random.normal(0, sigma, 40_000).astype(np.float32)
    coded = table_costs(np.rint(exact).astype(np.int32), GGD).min()
    values = exact + random.uniform(-0.5, 0.5, exact.shape).astype(np.float32) if noise else np.rint(exact)
    assert float(gaussian_bits(torch.from_numpy(values)[None])) == pytest.approx(coded, rel=0.01)
    assert float(modelled_bits(torch.from_numpy(values)[None], not noise)) == pytest.approx(coded, rel=0.01)


def test_rows_have_models_of_their_own():
    torch.manual_seed(0)
    rows = torch.stack([torch.randn(500) * 10, torch.distributions.Laplace(0.0, 2.0).sample((500,)), torch.zeros(500)])
    apart = sum(float(modelled_bits(row[None])) for row in rows)
    assert float(modelled_bits(rows)) == pytest.approx(apart, rel=1e-5)
    assert apart < float(modelled_bits(rows.reshape(1, -1)))
