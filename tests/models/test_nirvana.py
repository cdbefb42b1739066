"""The patch-wise network: its tensors and cost, its coordinates, any size, and windows as parts of the whole."""

import math
from dataclasses import replace
from fractions import Fraction
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nvcodec.codecs.registry import get_codec
from nvcodec.container import check_cost
from nvcodec.errors import FormatError, LimitError
from nvcodec.format import VideoFormat
from nvcodec.models.growth import Window
from nvcodec.models.nirvana import Nirvana, NirvanaConfig, octaves

CODEC = get_codec("nirvana")
# (parameters, frames, rows, columns)
SIZES = [(2_000, 8, 24, 32), (12_000, 3, 37, 50), (60_000, 5, 72, 88), (40_000, 1, 1, 1)]
CONFIGS = [
    *(CODEC.plan(*size) for size in SIZES),
    NirvanaConfig((3, 2), 3, 5, 7, 6, (3, 1, 2), 1.5, 2, 4, 3),
    NirvanaConfig((1, 1), 1, 1, 1, 1, (1,), 16.0, 1, 1, 1),
    NirvanaConfig((2, 2), 4, 2, 3, 64, (1,), 16.0, 1, 16, 16),
]


def size_of(config: NirvanaConfig) -> tuple[int, int]:
    return config.growth().cells(len(config.strides))


def network(config: NirvanaConfig, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CODEC.network(config)


def latents(config: NirvanaConfig, frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(frames, config.latents, *config.patches, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("config", CONFIGS)
def test_tensors_are_those_that_the_config_names(config):
    shapes, made = CODEC.shapes(config, 5), network(config)
    assert shapes.weights == tuple(tuple(p.shape) for _, p in made.named_parameters())
    assert not list(made.buffers())
    own = sum(p.numel() for p in made.parameters())
    assert shapes.count == own + 5 * config.latents * prod(config.patches)


@pytest.mark.parametrize("config", CONFIGS)
def test_cost_is_what_the_network_does(config):
    """Multiply-adds counted by hooks; and most values that any layer, its sines or joined patches keep alive."""
    macs = prod(config.patches) * config.hidden * config.inputs  # of the first layer, which may run in parts
    largest = prod(config.patches) * (config.inputs + 2 * config.hidden)

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs, largest
        macs += output.numel() * prod(module.weight.shape[1:])
        copies = 2 if isinstance(module, nn.Linear) else 1
        largest = max(largest, inputs[0].numel() + copies * output.numel())

    made = network(config)
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module is not made.first:
            module.register_forward_hook(count)
    with torch.no_grad():
        picture = made(CODEC.network_input([1], latents(config, 1), 3, "cpu"))
    assert tuple(picture.shape) == (1, 6, *size_of(config))
    said_macs, values = CODEC.network_cost(config)
    assert said_macs == macs
    assert largest <= values <= 4 * largest


@pytest.mark.parametrize("config", CONFIGS)
def test_config_comes_back(config):
    packed = CODEC.pack(config)
    assert CODEC.unpack(packed, *size_of(config)) == config
    assert len(packed) <= 40


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 33), (17, 16), (37, 50), (540, 960), (32768, 1), (7, 32768)])
def test_every_size_has_a_network_that_readers_take(rows, columns):
    config = CODEC.plan(20_000, 4, rows, columns)
    assert CODEC.unpack(CODEC.pack(config), rows, columns) == config
    height, width = size_of(config)
    assert height >= rows and width >= columns
    check_cost(CODEC.cost(CODEC.pack(config), VideoFormat(2 * columns - 1, 2 * rows - 1), 4))


def test_planned_networks_follow_the_size_asked_for():
    sizes = [CODEC.shapes(CODEC.plan(n, 16, 144, 176), 16).count for n in (1500, 20_000, 100_000, 400_000)]
    assert sizes == sorted(sizes)
    assert 0.7 * 100_000 < sizes[2] <= 100_000
    assert 0.7 * 400_000 < sizes[3] <= 400_000


@settings(max_examples=100, deadline=None)
@given(
    strides=st.lists(st.integers(1, 16), min_size=1, max_size=8),
    numbers=st.lists(st.integers(1, 8192), min_size=4, max_size=4),
    cell=st.integers(1, 16),
    rows=st.integers(1, 1000),
)
def test_every_legal_config_is_priced_before_anything_is_allocated(strides, numbers, cell, rows):
    grid = -(-rows // (cell * prod(strides)))
    config = NirvanaConfig(
        (grid, grid), cell, numbers[0] % 1024 + 1, numbers[1], numbers[2], tuple(strides), 1.2, numbers[3], 16, 16
    )
    packed, fmt = CODEC.pack(config), VideoFormat(2 * rows, 2 * rows)
    cost = CODEC.cost(packed, fmt, 65535)
    assert cost.parameters == CODEC.shapes(CODEC.unpack(packed, rows, rows), 65535).count
    if cost.parameters > 2**28:
        with pytest.raises(LimitError):
            check_cost(cost)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=20), width=st.integers(1, 65535), height=st.integers(1, 65535))
def test_any_config_has_a_cost_or_is_a_format_error(data, width, height):
    try:
        cost = CODEC.cost(data, VideoFormat(width, height), 65535)
    except FormatError as error:
        assert str(error)
    else:
        assert min(cost.parameters, cost.macs_per_pixel, cost.activation_bytes) > 0


def test_a_window_is_a_part_of_the_whole():
    """Beside its rim, which misses its neighbours."""
    config = NirvanaConfig((4, 5), 3, 3, 8, 6, (2, 3), 1.5, 3, 4, 3)
    made, growth = network(config), config.growth()
    x = CODEC.network_input([0, 2], latents(config, 2), 3, "cpu")
    with torch.no_grad():
        whole = made(x)
        for stage, top, left, rows, columns in ((0, 2, 4, 7, 6), (1, 5, 3, 9, 11), (0, 0, 0, 12, 15)):
            scale, halo = growth.scale_after(stage), growth.halo(stage)
            part = made(x, Window(stage, top, left, rows, columns))
            assert tuple(part.shape[2:]) == (rows * scale, columns * scale)
            expected = whole[:, :, top * scale :, left * scale :][:, :, : rows * scale, : columns * scale]
            last_row, last_column = growth.cells(stage)
            inner = [
                slice(halo * scale if begin else 0, None if begin + length == end else -halo * scale)
                for begin, length, end in ((top, rows, last_row), (left, columns, last_column))
            ]
            assert expected[:, :, inner[0], inner[1]].numel() > 0
            torch.testing.assert_close(
                part[:, :, inner[0], inner[1]], expected[:, :, inner[0], inner[1]], atol=2e-6, rtol=0
            )


def test_windows_of_whole_patches_see_the_same_coordinates():
    """The stem is made whole and cut afterwards: where a patch lies does not depend on the window."""
    config = CONFIGS[4]
    made = network(config)
    x = CODEC.network_input([1], latents(config, 1), 4, "cpu")
    with torch.no_grad():
        assert torch.equal(made(x, Window(0, 0, 0, *config.growth().grid)), made(x))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000, 65535])
def test_times_are_the_quotients_rounded_once(count):
    config = replace(CONFIGS[0], patches=(1, 1))
    for frame in {0, 1, count // 3, count // 2, count - 1} & set(range(count)):
        x = CODEC.network_input([frame], torch.zeros(1, config.latents, 1, 1), count, "cpu")
        assert x.dtype == torch.float32 and x.shape == (1, 1 + config.latents, 1, 1)
        tau, exact = x[0, 0, 0, 0], Fraction(frame, count)
        error = abs(Fraction(tau.item()) - exact)
        for other in (torch.nextafter(tau, torch.tensor(-1.0)), torch.nextafter(tau, torch.tensor(2.0))):
            assert error <= abs(Fraction(other.item()) - exact)


def test_coordinates_of_long_groups_and_fine_grids_are_exact():
    """Against sines of exact fractions, at the finest octave that a stream can name."""
    config = NirvanaConfig((1021, 3), 1, 2, 98, 1, (1,), 1.5, 1, 16, 16)
    x = CODEC.network_input([65533], latents(config, 1), 65535, "cpu")
    made, seen = network(config), []
    made.second.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][0]))
    with torch.no_grad():
        made.first.bias.zero_()
        made.first.weight.copy_(torch.eye(config.inputs))  # so that the second layer sees the sines of the inputs
        made(x)
    assert seen[0].shape == (1021, 3, config.inputs)
    for row, column in ((0, 0), (333, 1), (1020, 2)):
        places = Fraction(2 * row + 1 - 1021, 1021), Fraction(2 * column - 2, 3), Fraction(x[0, 0, 0, 0].item())
        turns = [[float(2**level * v % 2) for level in range(16)] for v in places]
        wanted = [f(math.pi * turn) for part in turns for f in (math.sin, math.cos) for turn in part]
        wanted += x[0, 1:, row, column].tolist()
        torch.testing.assert_close(seen[0][row, column], torch.tensor(wanted).sin(), atol=1.2e-7, rtol=0)


def test_octaves_are_sines_and_then_cosines():
    found = octaves(torch.tensor([0.0, 0.5]), 2)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor([[0.0, 0, 1, 1], [1, 0, 0, -1]]), atol=1e-7, rtol=0)


def test_features_of_a_patch_lie_row_by_row():
    """Element (i * cell + j) * width + c of a patch is channel c of its place (i, j)."""
    config = NirvanaConfig((2, 3), 2, 1, 2, 5, (1,), 1.5, 2, 1, 1)
    made = Nirvana(config)
    with torch.no_grad():
        made.last.weight.zero_()
        made.last.bias.copy_(torch.arange(2 * 2 * 5))
        joined = made.features(CODEC.network_input([0], latents(config, 1), 1, "cpu"))
    assert joined.shape == (1, 5, 4, 6)
    for y in range(4):
        for x in range(6):
            assert joined[0, :, y, x].tolist() == [((y % 2) * 2 + x % 2) * 5 + c for c in range(5)]
