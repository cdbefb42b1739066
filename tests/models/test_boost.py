"""The conditional decoder: published sizes, tensors and cost from the config alone, what time does, and windows."""

from math import prod

import pytest
import torch
from torch import nn

from nvcodec.codecs.registry import get_codec
from nvcodec.container import check_cost
from nvcodec.format import VideoFormat
from nvcodec.models.boost import (
    PARTS,
    BoostBlock,
    Condition,
    HNeRVBoost,
    HNeRVBoostConfig,
    NeRVBoost,
    NeRVBoostConfig,
    condition_macs,
)
from nvcodec.models.growth import Stage, Window
from nvcodec.models.hnerv import width_for_size

FAMILIES = ["hnerv-boost", "nerv-boost"]
# (parameters, frames, rows, columns)
SIZES = [(2_000, 8, 24, 32), (12_000, 3, 37, 50), (60_000, 5, 72, 88), (150_000, 2, 136, 320)]
ODD_CONFIGS = {
    "hnerv-boost": [
        HNeRVBoostConfig((2, 3), 5, 9, (3, 1, 2), 2.0, 3, 1, 5, 6, "sin", 1.3, 7, 1, 4),
        HNeRVBoostConfig((1, 1), 1, 1, (16,), 1.0, 1, 15, 1, 6, "sin", 4.0, 1, 0, 1),
    ],
    "nerv-boost": [NeRVBoostConfig((2, 3), 5, (3, 1, 2), 4, 3, 20, 1.3, 7, 6, "sin", 0, 5)],
}


def all_cases() -> list[tuple[object, object, int]]:
    out = []
    for name in FAMILIES:
        codec = get_codec(name)
        out += [(codec, codec.plan(count, frames, rows, columns), frames) for count, frames, rows, columns in SIZES]
        out += [(codec, config, 2) for config in ODD_CONFIGS[name]]
    return out


CASES = all_cases()


def made(codec, config, seed: int = 0) -> nn.Module:
    """A network whose blocks the time touches, as it does after a fit."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = codec.network(config)
        for parameter in network.condition.parts.parameters():
            nn.init.normal_(parameter, std=0.3)
    return network


def given(codec, config, frames: list[int], count: int) -> torch.Tensor:
    shape, embedding = codec.shapes(config, count).embedding, None
    if shape is not None:
        size = len(frames), shape[0], *shape[2:]
        embedding = torch.randn(size, generator=torch.Generator().manual_seed(1))
    return codec.network_input(frames, embedding, count, "cpu")


@pytest.mark.parametrize(
    ("size", "strides", "frames", "width", "parameters", "kmacs"),
    [
        (0.64e6, (5, 2, 2, 2, 2), 132, 50, 758_921, 34.5),
        (1.275e6, (5, 2, 2, 2, 2), 132, 86, 1_507_946, 104.6),
        (2.65e6, (5, 2, 2, 2, 2), 132, 134, 3_080_653, 249.3),
        (2.8e6, (5, 3, 2, 2, 2), 600, 95, 3_052_288, 124.0),
        (4.6e6, (5, 3, 2, 2, 2), 600, 143, 5_013_993, 275.6),
        (9.1e6, (5, 3, 2, 2, 2), 600, 222, 10_027_553, 673.2),
        (13.6e6, (5, 3, 2, 2, 2), 600, 280, 15_041_398, 1068.2),
    ],
)
def test_published_hnerv_boost(size, strides, frames, width, parameters, kmacs):
    """Bunny 720p and UVG 1080p; sizes are the arguments of the published runs, whose rule counts larger kernels."""
    embedding = 16 * 9 * 16 * frames
    assert width_for_size(size - embedding, strides) == width
    config = HNeRVBoostConfig(grid=(9, 16), width=width, strides=strides)
    with torch.device("meta"):
        network = HNeRVBoost(config)
    assert sum(p.numel() for p in network.parameters()) + embedding == parameters
    growth, (rows, columns) = config.growth(), config.output_size
    macs = growth.cost()[0] + condition_macs(config.pe_levels, config.condition, growth)
    assert round(macs / (rows * columns) / 1000, 1) == kmacs


def test_published_widths():
    assert HNeRVBoostConfig(width=50).widths() == [42, 35, 29, 24, 20]
    assert HNeRVBoostConfig(width=134).widths() == [112, 93, 78, 65, 54]


def test_nerv_boost_has_a_plain_stem_and_twice_as_many_late_blocks():
    config = NeRVBoostConfig(grid=(9, 16), width=40)
    with torch.device("meta"):
        network = NeRVBoost(config)
    assert [stage.stride for stage in config.growth().stages] == [5, 2, 2, 1, 2, 1, 2, 1]
    assert config.widths() == [40, 20, 12, 12, 12]
    assert network.head.kernel_size == (1, 1) and not isinstance(network.stem[0], BoostBlock)


@pytest.mark.parametrize(("codec", "config", "frames"), CASES)
def test_tensors_are_those_that_the_config_names(codec, config, frames):
    shapes, network = codec.shapes(config, frames), made(codec, config)
    assert shapes.weights == tuple(tuple(p.shape) for _, p in network.named_parameters())
    assert not list(network.buffers())


@pytest.mark.parametrize(("codec", "config", "frames"), CASES)
def test_cost_is_what_the_network_does(codec, config, frames):
    """Multiply-adds counted by hooks; activations are at least what any convolution takes in and gives out."""
    network, largest = made(codec, config), 0
    macs = network.condition.parts.weight.numel()  # which does not run as a layer

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs, largest
        macs += output.numel() * prod(module.weight.shape[1:])
        if isinstance(module, nn.Conv2d):
            largest = max(largest, inputs[0].numel() + output.numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        picture = network(given(codec, config, [1], frames))
    assert tuple(picture.shape) == (1, 6, *config.output_size)
    said_macs, values = codec.network_cost(config)
    assert said_macs == macs
    assert largest <= values <= 4 * largest


@pytest.mark.parametrize(("codec", "config", "frames"), CASES)
def test_config_comes_back(codec, config, frames):
    packed = codec.pack(config)
    assert codec.unpack(packed, *config.output_size) == config
    assert len(packed) <= 40


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 33), (17, 16), (37, 50), (540, 960)])
def test_every_size_has_a_network_that_readers_take(name, rows, columns):
    codec = get_codec(name)
    config = codec.plan(20_000, 4, rows, columns)
    assert codec.unpack(codec.pack(config), rows, columns) == config
    height, width = config.output_size
    assert height >= rows and width >= columns
    check_cost(codec.cost(codec.pack(config), VideoFormat(2 * columns - 1, 2 * rows - 1), 4))


@pytest.mark.parametrize("name", FAMILIES)
def test_planned_networks_follow_the_size_asked_for(name):
    codec = get_codec(name)
    sizes = [codec.shapes(codec.plan(n, 24, 144, 176), 24).count for n in (1500, 20_000, 100_000, 400_000)]
    assert sizes == sorted(sizes)
    assert 0.7 * 100_000 < sizes[2] <= 100_000
    assert 0.7 * 400_000 < sizes[3] <= 400_000


def test_each_part_of_each_block_is_of_its_own_hidden_values():
    condition = Condition(3, 2, [4, 1])
    with torch.no_grad():
        for parameter in condition.parameters():
            nn.init.normal_(parameter)
    code = torch.randn(5, 6)
    with torch.no_grad():
        hidden, found = condition.hidden(condition.time(code)).relu(), condition(code)
        row = 0
        for block, channels in enumerate((4, 1)):
            assert found[block].shape == (5, PARTS, channels)
            for part in range(PARTS):
                own = hidden[:, (PARTS * block + part) * 2 :][:, :2]
                rows = slice(row, row + channels)
                expected = own @ condition.parts.weight[rows].T + condition.parts.bias[rows]
                torch.testing.assert_close(found[block][:, part], expected, atol=1e-5, rtol=1e-5)
                row += channels


def test_a_block_is_its_text():
    block, told = BoostBlock(Stage(3, 4, 2, 3, unit=True)), torch.randn(1, PARTS, 4)
    x = torch.randn(1, 3, 5, 6)
    with torch.no_grad():
        up = torch.sin(block.shuffle(block.conv(x)))
        scale0, shift0, scale1, shift1 = (told[:, part, :, None, None] for part in range(PARTS))
        y = nn.functional.gelu(block.conv0(up * (1 + scale0) + shift0))
        expected = up + block.conv1(y * (1 + scale1) + shift1)
        torch.testing.assert_close(block(x, told), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_new_network_does_not_know_the_time_in_its_blocks(name):
    codec = get_codec(name)
    network = codec.network(CASES[2][1] if name == "hnerv-boost" else codec.plan(9000, 3, 24, 32))
    told = network.condition(torch.randn(2, network.condition.time[0].in_features))
    assert all(not part.any() for part in told)


@pytest.mark.parametrize("name", FAMILIES)
def test_frames_together_are_frames_alone(name):
    codec = get_codec(name)
    config = codec.plan(9000, 5, 24, 32)
    network, x = made(codec, config), given(codec, config, [0, 4], 5)
    with torch.no_grad():
        both, alone = network(x), [network(x[i : i + 1]) for i in (0, 1)]
    torch.testing.assert_close(both, torch.cat(alone), atol=2e-6, rtol=0)
    assert (both[0] - both[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_a_window_is_a_part_of_the_whole(name):
    """Beside its rim, which misses its neighbours; and no wider rim than that."""
    codec = get_codec(name)
    config = {
        "hnerv-boost": HNeRVBoostConfig((9, 8), 3, 5, (2, 3), 1.5, 3, 1, 3, 6, "sin", 1.3, 4, 1, 3),
        "nerv-boost": NeRVBoostConfig((9, 8), 4, (2, 3), 3, 1, 8, 1.3, 4, 6, "sin", 1, 3),
    }[name]
    network, growth, x = made(codec, config), config.growth(), given(codec, config, [0, 2], 3)
    last = len(growth.stages) - 1
    with torch.no_grad():
        whole = network(x)
        for stage in (0, 1, last):
            scale, halo, cells = growth.scale_after(stage), growth.halo(stage), growth.cells(stage)
            window = Window(stage, 1, 0, cells[0] - 1, cells[1])
            part = network(x, window)
            expected = whole[:, :, scale:]
            assert part.shape == expected.shape
            rim = halo * scale
            torch.testing.assert_close(part[:, :, rim:], expected[:, :, rim:], atol=2e-6, rtol=0)
            assert (part - expected).abs().max() > 1e-4  # the rim does miss something
