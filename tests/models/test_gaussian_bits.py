"""The rate of training against the coder's own tables and bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nvcodec.entropy.cost import code_length
from nvcodec.entropy.tables import GAUSSIAN
from nvcodec.models.likelihood import GaussianBits

SIGMAS = [GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)]


@pytest.mark.parametrize("heavy", [1, 3, 8])
def test_bits_are_the_coders_within_half_a_percent(heavy):
    """Symbols of all tables; one in a hundred is `heavy` times as far out: escapes are 3 % of the bits at 8."""
    rng = np.random.default_rng(1)
    indices = rng.integers(0, 64, 200_000)
    sigma = np.array(SIGMAS)[indices] * np.where(rng.random(indices.size) < 0.01, heavy, 1)
    symbols = np.rint(rng.normal(0, sigma)).astype(np.int32)
    real = code_length(symbols, indices.astype(np.uint16), GAUSSIAN)
    bits = GaussianBits(SIGMAS)(torch.from_numpy(symbols).float(), torch.from_numpy(indices).float())
    assert float(bits.sum()) == pytest.approx(real, rel=0.005)


@pytest.mark.parametrize("low", [0, 16, 32, 48])
def test_bits_of_each_range_of_tables(low):
    rng = np.random.default_rng(2)
    indices = rng.integers(low, low + 16, 100_000)
    symbols = np.rint(rng.normal(0, np.array(SIGMAS)[indices])).astype(np.int32)
    real = code_length(symbols, indices.astype(np.uint16), GAUSSIAN)
    bits = GaussianBits(SIGMAS)(torch.from_numpy(symbols).float(), torch.from_numpy(indices).float())
    assert float(bits.sum()) == pytest.approx(real, rel=0.005)


def test_gradients_pull_values_in_and_scales_to_fit():
    bits = GaussianBits(SIGMAS)
    for value in (1.6, 40.0, 3000.0):
        for index in (0.0, 30.0, 63.0):
            v, i = (torch.tensor(x, requires_grad=True) for x in (value, index))
            bits(v, i).backward()
            assert v.grad > 0 and torch.isfinite(v.grad) and torch.isfinite(i.grad)
            wanted = bits.index_of(value)
            if abs(wanted - index) > 8:
                assert (i.grad < 0) == (wanted > index)
            assert i.grad.abs() < 60 and v.grad < 60


def test_gradients_are_differences():
    bits = GaussianBits(SIGMAS)
    values = torch.tensor([0.0, 0.4, 1.0, 3.0, 7.3])
    for index in (12.0, 25.0, 40.5):
        i, v = torch.full_like(values, index).requires_grad_(), values.clone().requires_grad_()
        bits(v, i).sum().backward()
        with torch.no_grad():
            by_index = (bits(v, i + 0.05) - bits(v, i - 0.05)) / 0.1
            by_value = (bits(v + 0.01, i) - bits(v - 0.01, i)) / 0.02
        near = values < 4 * np.exp(bits.first + bits.step * index)
        assert torch.allclose(i.grad[near], by_index[near], rtol=0.02, atol=2e-3)
        assert torch.allclose(v.grad[near], by_value[near], rtol=0.02, atol=2e-3)


def test_tables_must_be_log_spaced():
    with pytest.raises(ValueError, match="log-spaced"):
        GaussianBits([1.0, 2.0, 3.0, 4.0])
