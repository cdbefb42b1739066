"""The rate of training against the coder's own tables, Gaussians and Laplace distributions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch

from nvcodec.entropy.cost import code_length
from nvcodec.entropy.tables import GAUSSIAN, GGD, GGD_SCALES, TableFamily
from nvcodec.models.likelihood import TableBits


class Kind(NamedTuple):
    family: TableFamily
    offset: int  # index of our table 0 in the family
    bits: TableBits

    def sigmas(self) -> np.ndarray:
        return np.array([self.family.sigma(self.offset + i) for i in range(64)])

    def costs(self, symbols: np.ndarray, indices: np.ndarray) -> tuple[float, float]:
        """Bits by the estimate and by the coder's tables."""
        estimate = self.bits(torch.from_numpy(symbols).float(), torch.from_numpy(indices).float())
        return float(estimate.sum()), code_length(symbols, (indices + self.offset).astype(np.uint16), self.family)

    def draw(self, rng: np.random.Generator, scale: np.ndarray) -> np.ndarray:
        values = rng.laplace(0, scale / np.sqrt(2)) if self.bits.laplace else rng.normal(0, scale)
        return np.rint(values).astype(np.int32)


def make(family: TableFamily, offset: int, laplace: bool) -> Kind:
    return Kind(family, offset, TableBits([family.sigma(offset + i) for i in range(64)], laplace))


KINDS = {"gauss": make(GAUSSIAN, 0, False), "laplace": make(GGD, 2 * GGD_SCALES + 15, True)}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@each_kind
@pytest.mark.parametrize("heavy", [1, 3, 8])
def test_bits_are_the_coders_within_half_a_percent(kind, heavy):
    """Symbols of all tables; one in a hundred is `heavy` times as far out: escapes are 3 % of the bits at 8."""
    rng = np.random.default_rng(1)
    indices = rng.integers(0, 64, 200_000)
    symbols = kind.draw(rng, kind.sigmas()[indices] * np.where(rng.random(indices.size) < 0.01, heavy, 1))
    estimate, real = kind.costs(symbols, indices)
    assert estimate == pytest.approx(real, rel=0.005)


@each_kind
@pytest.mark.parametrize("low", [0, 16, 32, 48])
def test_bits_of_each_range_of_tables(kind, low):
    rng = np.random.default_rng(2)
    indices = rng.integers(low, low + 16, 100_000)
    estimate, real = kind.costs(kind.draw(rng, kind.sigmas()[indices]), indices)
    assert estimate == pytest.approx(real, rel=0.005)


@each_kind
def test_gradients_pull_values_in_and_scales_to_fit(kind):
    bits = kind.bits
    for value in (1.6, 40.0, 3000.0):
        for index in (0.0, 30.0, 63.0):
            v, i = (torch.tensor(x, requires_grad=True) for x in (value, index))
            bits(v, i).backward()
            assert v.grad > 0 and torch.isfinite(v.grad) and torch.isfinite(i.grad)
            wanted = bits.index_of(value)
            if abs(wanted - index) > 8:
                assert (i.grad < 0) == (wanted > index)


@each_kind
def test_gradients_are_differences(kind):
    bits = kind.bits
    values = torch.tensor([0.0, 0.4, -0.2, 0.7, 1.0, -3.0, 7.3])
    for index in (12.0, 25.0, 40.5):
        i, v = torch.full_like(values, index).requires_grad_(), values.clone().requires_grad_()
        bits(v, i).sum().backward()
        with torch.no_grad():
            by_index = (bits(v, i + 0.05) - bits(v, i - 0.05)) / 0.1
            by_value = (bits(v + 0.01, i) - bits(v - 0.01, i)) / 0.02
        near = values.abs() < 4 * np.exp(bits.first + bits.step * index)
        assert torch.allclose(i.grad[near], by_index[near], rtol=0.02, atol=2e-3)
        assert torch.allclose(v.grad[near], by_value[near], rtol=0.02, atol=2e-3)


def test_tables_must_be_log_spaced():
    with pytest.raises(ValueError, match="log-spaced"):
        TableBits([1.0, 2.0, 3.0, 4.0])
