"""The networks of enerv and enerv-boost: published shape, tensors and cost from the config alone, attention by its
formula, and what a part of the picture can be made of."""

from math import prod

import pytest
import torch
from torch import nn
from torch.nn import functional

from nvcodec.codecs.registry import get_codec
from nvcodec.container import check_cost
from nvcodec.errors import LimitError
from nvcodec.format import VideoFormat
from nvcodec.models.enerv import Attention, ENeRV, ENeRVBoostConfig, ENeRVConfig, NormBlock, NormStage
from nvcodec.models.growth import Window

FAMILIES = ["enerv", "enerv-boost"]
# (parameters, frames, rows, columns)
SIZES = [(2_000, 8, 24, 32), (12_000, 3, 37, 50), (60_000, 5, 72, 88), (150_000, 2, 136, 320)]
ODD = (2, 3), 5, (3, 1, 2), 4, 3, 20, 1.3, 7, 6
CASES = [
    *((name, get_codec(name).plan(*size)) for name in FAMILIES for size in SIZES),
    ("enerv", ENeRVConfig(*ODD, "silu", 4, 6, 3, 5, 7, 2, 2)),
    ("enerv", ENeRVConfig((1, 1), 1, (16,), 1, 1, 1, 1.0, 1, 6, "silu", 1, 1, 1, 1, 1, 1, 64)),
    ("enerv-boost", ENeRVBoostConfig(*ODD, "sin", 4, 6, 3, 5, 7, 2, single=1)),
]


def published() -> int:
    """Parameters of the published 720p shape, counted by hand: 80 levels of time, 40 of each coordinate."""
    time = 160 * 512 + 512 + 512 * 256 + 256
    block = [256 * 3 * a * 64 + 3 * a * 64 + a * 64 * 256 + 256 + 2 * 256 * 128 + 128 + 256 for a in (1, 8)]
    total = time + 160 * 256 + 256 + sum(block) + 256 * 196 + 196
    widths = [196, 588, 294, 147, 96, 96]
    total += 160 * 128 + 128 + 128 * 128 + 128 + 2 * sum(widths[:-1]) * 129
    total += 49 * 25 * (9 * 196 + 1) + 588 * (9 * 49 + 1)
    for stage in (1, 2, 3, 4):
        total += widths[stage + 1] * 4 * (9 * widths[stage] + 1)
    return total + 3 * 96 + 3


def test_published_shape():
    with torch.device("meta"):
        network = ENeRV(ENeRVConfig())
    assert sum(p.numel() for p in network.parameters()) == published() == 12_451_082


@pytest.mark.parametrize(("name", "config"), CASES)
def test_tensors_are_those_that_the_config_names(name, config):
    codec = get_codec(name)
    network = codec.network(config)
    assert codec.shapes(config, 5).weights == tuple(tuple(p.shape) for _, p in network.named_parameters())
    assert not list(network.buffers())
    assert codec.unpack(codec.pack(config), *config.output_size) == config


@pytest.mark.parametrize(("name", "config"), CASES)
def test_cost_is_what_the_network_does(name, config):
    """Multiply-adds counted by hooks, of attention and of what scales features by the shapes that go in."""
    codec, macs, largest = get_codec(name), 0, 0
    network = codec.network(config)

    def added(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs, largest
        if isinstance(module, Attention):
            macs += 2 * output.shape[1] ** 2 * module.heads * module.head_width
        elif isinstance(module, NormBlock):
            macs += inputs[0].numel()
        else:
            macs += output.numel() * prod(module.weight.shape[1:])
            largest = max(largest, inputs[0].numel() + output.numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | Attention | NormBlock):
            module.register_forward_hook(added)
    with torch.no_grad():
        picture = network(codec.network_input([1], None, 3, "cpu"))
    assert tuple(picture.shape) == (1, 6, *config.output_size)
    macs += prod(config.grid) * config.tokens
    if name == "enerv-boost":
        macs += network.condition.parts.weight.numel()
    said_macs, values = codec.network_cost(config)
    assert said_macs == macs
    apart = 2 * sum(s.c_in for s in config.growth().stages) + 4 * config.told * len(config.growth().stages)
    assert largest <= values + 2 * (config.told + config.hidden + config.pe_levels) + apart  # time's layers apart


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 33), (17, 16), (37, 50), (540, 960)])
def test_every_size_has_a_network_that_readers_take(name, rows, columns):
    codec = get_codec(name)
    config = codec.plan(20_000, 4, rows, columns)
    assert codec.unpack(codec.pack(config), rows, columns) == config
    check_cost(codec.cost(codec.pack(config), VideoFormat(2 * columns - 1, 2 * rows - 1), 4))


@pytest.mark.parametrize("name", FAMILIES)
def test_planned_networks_follow_the_size_asked_for(name):
    codec = get_codec(name)
    sizes = [codec.shapes(codec.plan(n, 24, 144, 176), 24).count for n in (1500, 20_000, 100_000, 400_000)]
    assert sizes == sorted(sizes)
    assert 0.7 * 100_000 < sizes[2] <= 100_000
    assert 0.7 * 400_000 < sizes[3] <= 400_000


@pytest.mark.parametrize("name", FAMILIES)
def test_attention_of_a_large_grid_is_refused_before_it_is_made(name):
    """A few bytes of config, all of whose tensors are small, but whose cells look at one another."""
    codec, shape = get_codec(name), ((1000, 1000), 1, (1,), 1, 1, 1, 1.25, 1, 6, "silu")
    kind = ENeRVConfig if name == "enerv" else ENeRVBoostConfig
    data = codec.pack(kind(*shape, 1, 1, 16, 1, 1, 1))
    cost = codec.cost(data, VideoFormat(2000, 2000), 4)
    assert cost.parameters < 1000 and len(data) < 32
    assert cost.activation_bytes > 4 * 2 * 16 * 10**12 and cost.macs_per_pixel > 10**6
    with pytest.raises(LimitError):
        check_cost(cost)


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_is_the_softmax_of_products(heads):
    block, x = Attention(6, heads, 4, 5), torch.randn(2, 7, 6)
    with torch.no_grad():
        parts = block.asked(functional.layer_norm(x, (6,))).split(4 * heads, dim=-1)
        q, k, v = (part.unflatten(-1, (heads, 4)).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        y = x + block.given(mixed)
        torch.testing.assert_close(block(x), y + block.feed(functional.layer_norm(y, (6,))))


def test_a_stage_is_told_how_to_scale_what_it_normed():
    block = NormBlock(NormStage(3, 5, 2, 3, middle=4), "silu")
    x, told = torch.randn(2, 3, 4, 6), torch.randn(2, 2, 3)
    with torch.no_grad():
        scaled = functional.instance_norm(x) * (1 + told[:, 0, :, None, None]) + told[:, 1, :, None, None]
        grown = functional.pixel_shuffle(block.conv(scaled), 2)
        torch.testing.assert_close(block(x, told), functional.silu(block.widen(grown)))


def test_only_where_no_layer_sees_the_whole_picture_are_there_windows():
    codec = get_codec("enerv-boost")
    assert not get_codec("enerv").plan(20_000, 4, 72, 88).growth().windows
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = ENeRVBoostConfig((11, 9), 4, (2, 3), 3, 1, 8, 1.3, 4, 6, "sin", 4, 6, 2, 3, 5, 3, single=2)
        network = codec.network(config)
    growth, t = config.growth(), torch.tensor([0.0, 0.7])
    assert growth.windows
    with torch.no_grad():
        whole = network(t)
        for stage in (0, 1):
            scale, halo, cells = growth.scale_after(stage), growth.halo(stage), growth.cells(stage)
            part = network(t, Window(stage, 1, 0, cells[0] - 1, cells[1]))
            expected, rim = whole[:, :, scale:], halo * scale
            assert 0 < rim < part.shape[2]
            torch.testing.assert_close(part[:, :, rim:], expected[:, :, rim:], atol=2e-6, rtol=0)
