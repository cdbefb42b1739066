"""Layers with channels last against torch's convolutions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nvcodec.models.depthwise import (
    Depthwise,
    DepthwiseBlock,
    Pointwise,
    depth_to_space,
    scaled_linear,
    space_to_depth,
)


def nchw(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


@pytest.mark.parametrize("rows", [1, 3])
def test_pointwise_is_a_scaled_convolution(rows: int) -> None:
    """Folded into the weights (1 row) or not (a row for each picture)."""
    layer, x = Pointwise(6, 5), torch.randn(3, 4, 7, 6)
    before, after = torch.rand(rows, 6) + 0.5, torch.rand(rows, 5) + 0.5
    plain = functional.conv2d(nchw(x) * before[..., None, None], layer.weight[..., None, None], layer.bias)
    assert torch.allclose(nchw(layer(x, before, after)), plain * after[..., None, None], atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 5, 7, 8), (1, 1, 1, 8), (1, 1, 9, 8), (3, 2, 1, 8)])
def test_depthwise_is_a_grouped_convolution(shape: tuple[int, ...]) -> None:
    layer, x = Depthwise(8), torch.randn(shape)
    expected = functional.conv2d(nchw(x).contiguous(), layer.weight.contiguous(), layer.bias, padding=1, groups=8)
    assert torch.allclose(nchw(layer(x)), expected, atol=1e-5)


def test_phases_go_and_come_back() -> None:
    x = torch.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    packed = space_to_depth(x)
    assert packed[1, 1, 2].tolist() == [*x[1, 2, 4], *x[1, 2, 5], *x[1, 3, 4], *x[1, 3, 5]]
    assert torch.equal(depth_to_space(packed), x)


def test_block_reaches_one_sample_and_depends_on_quality() -> None:
    torch.manual_seed(0)
    block, x = DepthwiseBlock(8), torch.randn(1, 9, 9, 8)
    with torch.no_grad():
        block.modulation.logs[-1] += 1
        moved = x.clone()
        moved[0, 4, 4] += 1
        change = (block(moved, torch.tensor([0.0])) - block(x, torch.tensor([0.0]))).abs().sum(dim=(0, 3))
        assert (change[3:6, 3:6] > 0).all() and change.count_nonzero() == 9
        assert not torch.equal(block(x, torch.tensor([0.0])), block(x, torch.tensor([63.0])))


def test_scales_keep_what_autocast_narrowed() -> None:
    """Data in bf16 is scaled in bf16, or training would move twice the bytes."""
    x, weight = torch.randn(2, 3, 3, 4, dtype=torch.bfloat16), torch.randn(5, 4, dtype=torch.bfloat16)
    assert scaled_linear(x, weight, None, before=torch.rand(2, 4)).dtype == torch.bfloat16
