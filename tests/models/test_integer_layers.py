"""Layers in integers: training equals what is exported, sums stay exact, gradients pass as if nothing were rounded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.errors import FormatError
from nvcodec.models.integer import (
    EXACT_LIMIT,
    IntegerDepthwise,
    IntegerLayer,
    IntegerLinear,
    all_qualities,
    at_quality,
    floor_clip,
    shift_right,
    straight_through,
)
from tests.oracles.prior_twin import at_quality as at_anchors


def slow_linear(arrays: dict[str, np.ndarray], x: np.ndarray, low: int, quality: int = 0) -> np.ndarray:
    weight, bias, shift = (arrays[name].astype(np.int64) for name in ("weight", "bias", "shift"))
    row = bias[0] if len(bias) == 1 else at_anchors(bias, quality)
    sums = x.astype(np.int64) @ weight.T + row + (1 << (shift - 1))
    assert np.abs(sums).max() < EXACT_LIMIT
    return np.clip(sums >> shift, low, 255)


def frozen_twin(layer: IntegerLayer, twin: IntegerLayer) -> tuple[IntegerLayer, dict[str, np.ndarray]]:
    arrays = layer.export()
    twin.freeze(arrays)
    return twin, arrays


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    fan_in=st.integers(1, 900),
    outputs=st.integers(1, 9),
    size=st.sampled_from([1e-6, 0.01, 1.0, 20.0, 60.0]),
    full=st.booleans(),
    relu=st.booleans(),
)
def test_a_linear_layer(seed, fan_in, outputs, size, full, relu):
    """Training, frozen integers and int64 agree; `full` inputs and weights work against the bound of 2**24."""
    torch.manual_seed(seed)
    layer = IntegerLinear(fan_in, outputs, relu=relu, by_quality=True)
    with torch.no_grad():
        layer.weight.copy_((torch.rand_like(layer.weight) * 2 - 1) * size)
        layer.bias.copy_(torch.randn_like(layer.bias) * size * 3)
        if full:
            layer.weight.copy_(layer.weight.sign() * size)
    x = torch.randint(-255, 256, (2, 3, 2, fan_in)).float()
    if full:
        x[0] = 255 * layer.weight[0].detach().sign()
    try:
        twin, arrays = frozen_twin(layer, IntegerLinear(fan_in, outputs, relu=relu, by_quality=True))
    except ValueError:  # 127 x 255 x 500 is just below the bound
        assert full and fan_in > 500
        return
    for quality in (0, 31, 63):
        trained = layer(x, torch.tensor([float(quality), 7.5]))
        expected = slow_linear(arrays, x.numpy(), 0 if relu else -255, quality)
        assert np.array_equal(twin(x, quality).numpy(), expected)
        assert torch.equal(trained[0], twin(x[:1], quality)[0])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 30), kernel=st.sampled_from([3, 5]), rows=st.integers(1, 6), columns=st.integers(1, 6))
def test_a_depthwise_layer(seed, kernel, rows, columns):
    torch.manual_seed(seed)
    layer = IntegerDepthwise(5, kernel)
    with torch.no_grad():
        layer.weight.copy_(torch.randn_like(layer.weight) * 3)
        layer.bias.copy_(torch.randn_like(layer.bias))
    x = torch.randint(-255, 256, (2, rows, columns, 5)).float()
    twin, arrays = frozen_twin(layer, IntegerDepthwise(5, kernel))
    patches = torch.nn.functional.unfold(x.permute(0, 3, 1, 2), kernel, padding=kernel // 2).reshape(
        2, 5, kernel**2, -1
    )
    expected = np.stack(
        [
            slow_linear({k: v[..., c : c + 1] if k != "weight" else v[c : c + 1] for k, v in arrays.items()}, p, -255)
            for c, p in enumerate(patches.permute(1, 0, 3, 2).numpy())
        ],
        -1,
    )[..., 0, :]
    assert np.array_equal(twin(x).reshape(2, -1, 5).numpy(), expected)
    assert torch.equal(layer(x), twin(x))


@pytest.mark.parametrize("places", [(1, 1, 1), (1, 2, 1)])
def test_a_frozen_layer_stays_as_it_is(places):
    """Sums are written over in place; at a single place they once shared the memory of the biases."""
    torch.manual_seed(1)
    with torch.no_grad():
        layer, _ = frozen_twin(IntegerDepthwise(4, 3, relu=True), IntegerDepthwise(4, 3, relu=True))
        x = torch.randint(0, 256, (*places, 4)).float()
        first = layer(x).clone()
        assert torch.equal(layer(x), first) and torch.equal(layer(x), first)


def test_weights_use_their_bits():
    """The power of two of each output is the largest that holds its weights: seven bits and a sign."""
    layer = IntegerLinear(40, 30)
    weight = np.abs(layer.export()["weight"].astype(int)).max(1)
    assert weight.min() >= 64 and weight.max() <= 127


def test_rounding_of_weights_costs_little():
    torch.manual_seed(0)
    layer = IntegerLinear(100, 50, in_scale=8, out_scale=64)
    x = torch.randint(-30, 31, (1, 8, 8, 100)).float()
    ideal = x @ (layer.weight * 8).T
    assert (layer(x) - ideal.clamp(-255, 255)).std() < 0.02 * ideal.std()


def test_gradients_are_those_of_the_real_layer():
    torch.manual_seed(0)
    layer = IntegerLinear(6, 4)
    x = (torch.randn(1, 2, 3, 6) * 20).round().requires_grad_()
    layer(x).square().sum().backward()
    ours = [p.grad.clone() for p in (layer.weight, layer.bias, x)]
    for p in (layer.weight, layer.bias, x):
        p.grad = None
    (x @ layer.weight.T + layer.bias[0] * 64).square().sum().backward()
    for mine, real in zip(ours, (layer.weight.grad, layer.bias.grad, x.grad), strict=True):
        assert torch.allclose(mine, real, rtol=0.1, atol=0.03 * float(real.abs().max()))


@pytest.mark.parametrize("kernel", [3, 5])
def test_gradients_of_a_depthwise_layer(kernel):
    torch.manual_seed(1)
    layer = IntegerDepthwise(4, kernel)
    x = (torch.randn(2, 5, 3, 4) * 10).round().requires_grad_()
    layer(x).square().sum().backward()
    ours = [p.grad.clone() for p in (layer.weight, layer.bias, x)]
    for p in (layer.weight, layer.bias, x):
        p.grad = None
    weight = layer.weight.view(4, 1, kernel, kernel)
    real = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), weight, layer.bias[0] * 64, padding=kernel // 2, groups=4)
    real.square().sum().backward()
    for mine, p in zip(ours, (layer.weight, layer.bias, x), strict=True):
        assert torch.allclose(mine, p.grad, rtol=0.1, atol=0.03 * float(p.grad.abs().max()))


def test_clipped_values_learn_their_way_back():
    x = torch.tensor([-5.0, -5.0, 3.0, 300.0, 300.0], requires_grad=True)
    pull = torch.tensor([-1.0, 1.0, 1.0, 1.0, -1.0])  # a step of descent goes against it
    (floor_clip(x, 0, 255) * pull).sum().backward()
    assert x.grad.tolist() == [-1, 0, 1, 1, 0]
    x.grad = None
    (floor_clip(x, 0, 255, relu=True) * pull).sum().backward()
    assert x.grad.tolist() == [0, 0, 1, 0, 0]


def test_straight_through_is_exact():
    real = torch.tensor([1e8, 0.3], requires_grad=True)
    out = straight_through(torch.tensor([0.1, 0.2]), real)
    assert out.tolist() == torch.tensor([0.1, 0.2]).tolist()
    out.sum().backward()
    assert real.grad.tolist() == [1, 1]


def test_shifts_round_half_up():
    x = torch.tensor([-33.0, -32.0, -31.0, 31.0, 32.0, 95.0, 96.0, (1 << 24) - 33])
    assert shift_right(x, 6, 1 << 20).tolist() == [-1, 0, 0, 0, 1, 1, 2, (1 << 18) - 1]


def test_qualities_between_anchors():
    anchors = torch.randn(8, 3)
    table = all_qualities(anchors)
    assert torch.allclose(table[::9], anchors)
    assert torch.allclose(at_quality(anchors, torch.tensor([4.5]))[0], (anchors[0] + anchors[1]) / 2)
    for quality in range(64):  # the same bits alone and in a row
        assert torch.equal(at_quality(anchors, torch.tensor([float(quality)]))[0], table[quality])


@settings(max_examples=200, deadline=None)
@given(
    weight=st.integers(-128, 127),
    bias=st.integers(-(1 << 31), (1 << 31) - 1),
    shift=st.integers(0, 255),
    fan_in=st.sampled_from([3, 200, 600]),
)
def test_what_is_accepted_is_exact(weight, bias, shift, fan_in):
    """Any integers are refused or proven: the worst input's sum is below 2**24 at every partial sum."""
    layer = IntegerLinear(fan_in, 1)
    arrays = {
        "weight": np.full((1, fan_in), weight, np.int8),
        "bias": np.full((1, 1), bias, np.int32),
        "shift": np.full(1, shift, np.uint8),
    }
    worst = abs(weight) * 255 * fan_in + abs(bias) + ((1 << shift) >> 1)
    if weight == -128 or not 1 <= shift <= 20 or worst >= EXACT_LIMIT:
        with pytest.raises(FormatError):
            layer.freeze(arrays)
        return
    layer.freeze(arrays)
    for x in (np.full((1, 1, 1, fan_in), 255), np.full((1, 1, 1, fan_in), -255)):
        assert np.array_equal(layer(torch.from_numpy(x).float()).numpy(), slow_linear(arrays, x, -255))


def test_export_refuses_what_ran_away():
    layer = IntegerLinear(600, 2)
    with torch.no_grad():
        layer.weight.fill_(200.0)
    with pytest.raises(ValueError, match="2\\*\\*24"):
        layer.export()
    with torch.no_grad():
        layer.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="finite"):
        layer.export()
