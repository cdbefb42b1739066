"""The gated and depthwise network: tensors and cost from the config alone, its block by the text, and windows."""

from math import prod

import pytest
import torch
from torch import nn
from torch.nn import functional

from nvcodec.codecs.registry import get_codec
from nvcodec.container import check_cost
from nvcodec.format import VideoFormat
from nvcodec.models.growth import Window
from nvcodec.models.nervpp import NeRVPlus, NeRVPlusConfig, PlusBlock, PlusStage

CODEC = get_codec("nervpp")
# (parameters, frames, rows, columns)
SIZES = [(2_000, 8, 24, 32), (12_000, 3, 37, 50), (60_000, 5, 72, 88), (150_000, 2, 136, 320)]
CONFIGS = [
    *(CODEC.plan(*size) for size in SIZES),
    NeRVPlusConfig((2, 3), 5, (3, 1, 2), 4, 3, 20, 1.3, 7, 6),
    NeRVPlusConfig((1, 1), 1, (16,), 1, 1, 1, 1.0, 1, 6),
]


def count(width: int) -> int:
    """Parameters of a published 720p shape, counted by hand."""
    cells, total, c_in = 9 * 16, 80 * 1024 + 1024 + 512 * 9 * 16 * width + 9 * 16 * width, width
    assert cells == 144
    for stage, stride in enumerate((5, 2, 2, 2, 2)):
        c = width if stage == 0 else max(c_in // 2, 80)
        g, area = int(8 / 3 * c), stride * stride
        total += c_in * c + c + (c + 1) * 2 * g + 26 * c + (g + 1) * c + (9 * c + 1) * c * area
        total += 10 * c + 2 * (c + 1) * c
        c_in = c
    return total + 3 * c_in + 3


@pytest.mark.parametrize("width", [8, 26, 58, 112])
def test_published_shapes(width):
    with torch.device("meta"):
        network = NeRVPlus(NeRVPlusConfig(width=width))
    assert sum(p.numel() for p in network.parameters()) == count(width)


@pytest.mark.parametrize("config", CONFIGS)
def test_tensors_are_those_that_the_config_names(config):
    shapes, network = CODEC.shapes(config, 5), CODEC.network(config)
    assert shapes.weights == tuple(tuple(p.shape) for _, p in network.named_parameters())
    assert not list(network.buffers())


@pytest.mark.parametrize("config", CONFIGS)
def test_cost_is_what_the_network_does(config):
    """Multiply-adds counted by hooks and four samples a value around each block; and what convolutions keep alive."""
    network, macs, largest = CODEC.network(config), 0, 0

    def added(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs, largest
        macs += 4 * output.numel() if isinstance(module, PlusBlock) else output.numel() * prod(module.weight.shape[1:])
        largest = max(largest, inputs[0].numel() + output.numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | PlusBlock):
            module.register_forward_hook(added)
    with torch.no_grad():
        picture = network(CODEC.network_input([1], None, 3, "cpu"))
    assert tuple(picture.shape) == (1, 6, *config.output_size)
    said_macs, values = CODEC.network_cost(config)
    assert said_macs == macs
    assert largest <= values + 4 * config.hidden + prod(config.grid) * config.width  # the stem apart, as for nerv
    assert values <= 4 * largest


@pytest.mark.parametrize("config", CONFIGS)
def test_config_comes_back(config):
    assert CODEC.unpack(CODEC.pack(config), *config.output_size) == config


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 33), (17, 16), (37, 50), (540, 960)])
def test_every_size_has_a_network_that_readers_take(rows, columns):
    config = CODEC.plan(20_000, 4, rows, columns)
    assert CODEC.unpack(CODEC.pack(config), rows, columns) == config
    check_cost(CODEC.cost(CODEC.pack(config), VideoFormat(2 * columns - 1, 2 * rows - 1), 4))


def test_planned_networks_follow_the_size_asked_for():
    sizes = [CODEC.shapes(CODEC.plan(n, 24, 144, 176), 24).count for n in (1500, 20_000, 100_000, 400_000)]
    assert sizes == sorted(sizes)
    assert 0.7 * 100_000 < sizes[2] <= 100_000
    assert 0.7 * 400_000 < sizes[3] <= 400_000


def test_a_block_is_its_layers():
    """Of channels after the gate, those that the depthwise convolution moves are the last ones."""
    block, x = PlusBlock(PlusStage(5, 3, 2, 3)), torch.randn(2, 5, 4, 6)
    with torch.no_grad():
        first = block.project(x)
        opened = block.open(first)
        assert opened.shape[1] == 16
        still, moved = opened[:, 8:13], block.depthwise(opened[:, 13:])
        gated = first + block.close(functional.gelu(opened[:, :8]) * torch.cat((still, moved), 1))
        grown = functional.silu(functional.pixel_shuffle(block.conv(gated), 2))
        around = functional.interpolate(first, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(block(x), grown + block.feed(grown) + around)


def test_a_window_is_a_part_of_the_whole():
    """Beside its rim, which misses its neighbours."""
    config = NeRVPlusConfig((11, 9), 4, (2, 3), 3, 1, 8, 1.3, 4, 6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CODEC.network(config)
    growth, t = config.growth(), torch.tensor([0.0, 0.7])
    with torch.no_grad():
        whole = network(t)
        for stage in (0, 1):
            scale, halo, cells = growth.scale_after(stage), growth.halo(stage), growth.cells(stage)
            part = network(t, Window(stage, 1, 0, cells[0] - 1, cells[1]))
            expected = whole[:, :, scale:]
            rim = halo * scale
            assert 0 < rim < part.shape[2]
            torch.testing.assert_close(part[:, :, rim:], expected[:, :, rim:], atol=2e-6, rtol=0)
            assert (part - expected).abs().max() > 1e-5  # the rim does miss something
