"""What a fitted codec says of its network from the config alone is what the real network has and does."""

from dataclasses import replace
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nvcodec.codecs.registry import get_codec
from nvcodec.container.limits import check_cost
from nvcodec.errors import FormatError, LimitError
from nvcodec.format import VideoFormat
from nvcodec.models.hnerv import HNeRVConfig
from nvcodec.models.nerv import NeRVConfig

FAMILIES = ["nerv", "hnerv"]
# (parameters, frames, rows, columns)
SIZES = [(2_000, 8, 24, 32), (12_000, 3, 37, 50), (60_000, 5, 72, 88), (150_000, 2, 136, 320)]
ODD_CONFIGS = [
    NeRVConfig((2, 3), 5, (3, 1, 2), 4, 3, 20, 1.3, 7, 6),
    HNeRVConfig((2, 3), 5, 9, (3, 1, 2), 2.0, 3, 1, 5, 6),
    HNeRVConfig((1, 1), 1, 1, (16,), 1.0, 1, 15, 1, 6),
]


def all_configs() -> list[tuple[object, object, int]]:
    out = []
    for name in FAMILIES:
        codec = get_codec(name)
        out += [(codec, codec.plan(count, frames, rows, columns), frames) for count, frames, rows, columns in SIZES]
    for config in ODD_CONFIGS:
        out.append((get_codec("nerv" if isinstance(config, NeRVConfig) else "hnerv"), config, 2))
    return out


CONFIGS = all_configs()


def network_inputs(codec, config, frames: int) -> torch.Tensor:
    shape = codec.shapes(config, frames).embedding
    embedding = None if shape is None else torch.zeros(1, shape[0], *shape[2:])
    return codec.network_input([1], embedding, frames, "cpu")


@pytest.mark.parametrize(("codec", "config", "frames"), CONFIGS)
def test_shapes_are_those_of_the_network(codec, config, frames):
    network = codec.network(config)
    assert codec.shapes(config, frames).weights == tuple(tuple(p.shape) for _, p in network.named_parameters())
    assert not list(network.buffers())


@pytest.mark.parametrize(("codec", "config", "frames"), CONFIGS)
def test_cost_is_what_the_network_does(codec, config, frames):
    """Multiply-adds counted by hooks; activations are at least what any stage takes in and gives out."""
    macs, largest = 0, 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs, largest
        macs += output.numel() * prod(module.weight.shape[1:])
        if isinstance(module, nn.Conv2d):
            largest = max(largest, inputs[0].numel() + output.numel())

    network = codec.network(config)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        picture = network(network_inputs(codec, config, frames))
    assert tuple(picture.shape) == (1, 6, *config.output_size)
    said_macs, values = codec.network_cost(config)
    assert said_macs == macs
    assert largest <= values <= 4 * largest


@pytest.mark.parametrize(("codec", "config", "frames"), CONFIGS)
def test_config_comes_back(codec, config, frames):
    assert codec.unpack(codec.pack(config), *config.output_size) == config
    assert len(codec.pack(config)) <= 40


@pytest.mark.parametrize("name", FAMILIES)
def test_planned_networks_follow_the_size_asked_for(name):
    """Small ones end at the floor of the widths; above it the size is met."""
    codec = get_codec(name)
    sizes = [codec.shapes(codec.plan(n, 24, 144, 176), 24).count for n in (1500, 20_000, 100_000, 400_000)]
    assert sizes == sorted(sizes)
    assert 0.7 * 100_000 < sizes[2] < 1.3 * 100_000
    assert 0.7 * 400_000 < sizes[3] < 1.3 * 400_000


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=16), width=st.integers(1, 65535), height=st.integers(1, 65535))
def test_any_config_has_a_cost_or_is_a_format_error(name, data, width, height):
    try:
        cost = get_codec(name).cost(data, VideoFormat(width, height), 65535)
    except FormatError as error:
        assert str(error)
    else:
        assert min(cost.parameters, cost.macs_per_pixel, cost.activation_bytes) > 0


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=100, deadline=None)
@given(
    strides=st.lists(st.integers(1, 16), min_size=1, max_size=8),
    numbers=st.lists(st.integers(1, 8192), min_size=8, max_size=8),
    rows=st.integers(1, 1000),
)
def test_every_legal_config_is_priced_before_anything_is_allocated(name, strides, numbers, rows):
    """Networks of any size: no product wraps, and what is over a limit is a LimitError."""
    codec, scale = get_codec(name), prod(strides)
    grid = -(-rows // scale), -(-rows // scale)
    a, b, c, d = numbers[:4]
    if name == "nerv":
        config = NeRVConfig(grid, a, tuple(strides), b, c % 16 + 1, d, 1.25, 40, 6)
    else:
        config = HNeRVConfig(grid, a % 1024 + 1, b, tuple(strides), 1.2, d, 3, 15, 6)
    packed, fmt = codec.pack(config), VideoFormat(2 * rows, 2 * rows)
    cost = codec.cost(packed, fmt, 65535)
    assert cost.parameters == codec.shapes(codec.unpack(packed, rows, rows), 65535).count
    if cost.parameters > 2**28:
        with pytest.raises(LimitError):
            check_cost(cost)


def test_a_huge_network_in_a_few_bytes_is_refused_by_its_cost():
    codec = get_codec("hnerv")
    config = HNeRVConfig((1000, 1000), 1024, 8192, (1,) * 8, 1.0, 8192, 15, 15, 6)
    data = codec.pack(config)
    assert len(data) < 30
    cost = codec.cost(data, VideoFormat(2000, 2000), 4096)
    assert cost.parameters > 4 * 10**12
    with pytest.raises(LimitError, match="parameters"):
        check_cost(cost)


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        ("hnerv", {"first_kernel": 2}, "even"),
        ("hnerv", {"max_kernel": 16}, "kernel"),
        ("hnerv", {"embedding_channels": 1025}, "embedding channels"),
        ("hnerv", {"reduction": 0.99}, "reduction"),
        ("hnerv", {"width": 8193}, "width"),
        ("hnerv", {"grid": (3, 3)}, "grid"),
        ("hnerv", {"strides": (17,)}, "stride"),
        ("hnerv", {"strides": (1,) * 9}, "stages"),
        ("nerv", {"expansion": 17}, "expansion"),
        ("nerv", {"hidden": 8193}, "hidden"),
        ("nerv", {"pe_base": 4.01}, "base"),
        ("nerv", {"pe_levels": 129}, "levels"),
        ("nerv", {"min_width": 0}, "least width"),
    ],
)
def test_configs_out_of_bounds(name, change, word):
    codec = get_codec(name)
    config = codec.plan(5000, 4, 24, 32)
    with pytest.raises(FormatError, match=word):
        codec.unpack(codec.pack(replace(config, **change)), 24, 32)


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("hnerv", ODD_CONFIGS[1], {"widths": "9 4 3 3", "embedding_channels": 5}),
        ("nerv", ODD_CONFIGS[0], {"widths": "5 15 15 7", "embedding_channels": 0}),
    ],
)
def test_a_network_is_described_from_its_config(name, config, said):
    codec = get_codec(name)
    rows, columns = config.output_size
    found = codec.describe(codec.pack(config), VideoFormat(2 * columns, 2 * rows), 2)
    said["parameters"] = codec.shapes(config, 2).count
    assert found == {"grid": "2x3", "strides": "3 1 2", **said}
    with pytest.raises(FormatError):
        codec.describe(codec.pack(config), VideoFormat(16, 16), 2)
