"""Parts of the trained codecs against CompressAI's, on the same numbers."""

from __future__ import annotations

import pytest
import torch

from nvcodec.entropy.tables import GAUSSIAN
from nvcodec.models.likelihood import TableBits
from tests.oracles.compressai_adapter import load_compressai


def oracle(submodule: str):
    module = load_compressai(submodule)
    if module is None:
        pytest.skip("compressai is not installed")
    return module


def test_bits_of_gaussians_are_compressais():
    """Where masses are neither the coder's smallest nor its largest; the gradient, too."""
    sigmas = [GAUSSIAN.sigma(i) for i in range(64)]
    scales = torch.tensor([[sigmas[i]] for i in range(12, 60)])
    values = (torch.arange(-40, 41) / 16)[None] * scales.clamp_min(0.7)
    conditional = oracle("entropy_models").GaussianConditional(None, scale_bound=0.11)
    ours, theirs = values.clone().requires_grad_(), values.clone().requires_grad_()
    bits = TableBits(sigmas)(ours, torch.arange(12.0, 60.0)[:, None].expand_as(ours))
    wanted = -torch.log2(conditional._likelihood(theirs, scales.expand_as(theirs)))
    common = (wanted > 0.05) & (wanted < 10)
    assert common.float().mean() > 0.8
    assert torch.allclose(bits[common], wanted[common], rtol=2e-3, atol=2e-3)
    bits[common].sum().backward()
    wanted[common].sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=2e-2, atol=2e-2)
