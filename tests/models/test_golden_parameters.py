"""Parameter counts of the published RGB shapes (NeRV table 2; HNeRV table 1)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nvcodec.models.hnerv import HNeRVConfig, HNeRVDecoder, HNeRVEncoder, width_for_size
from nvcodec.models.nerv import NeRV, NeRVConfig


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("width", "parameters"), [(26, 3_201_905), (58, 6_282_001), (112, 12_524_563)])
def test_nerv_720p(width: int, parameters: int) -> None:
    assert count(NeRV(NeRVConfig(width=width))) == parameters


@pytest.mark.parametrize(
    ("size", "widths", "parameters"),
    [
        (0.35e6, [32, 27, 22, 18, 15, 12], 329_726),
        (0.75e6, [48, 40, 33, 28, 23, 19], 736_152),
        (1.5e6, [68, 57, 48, 40, 33, 28], 1_505_172),
        (3.0e6, [97, 81, 68, 57, 48, 40], 3_029_582),
    ],
)
def test_hnerv_bunny(size: float, widths: list[int], parameters: int) -> None:
    embedding = 16 * 2 * 4 * 132
    width = width_for_size(size - embedding, (5, 4, 4, 2, 2))
    config = HNeRVConfig(width=width)
    assert [width, *config.widths()] == widths
    assert count(HNeRVDecoder(config)) + embedding == parameters


@pytest.mark.parametrize(
    ("size", "width", "parameters"), [(3e6, 91, 2_914_265), (5e6, 118, 4_908_044), (10e6, 168, 9_988_265)]
)
def test_hnerv_uvg_960x1920(size: float, width: int, parameters: int) -> None:
    strides = (5, 4, 4, 3, 2)
    grid = (960 // 480, 1920 // 480)
    embedding = 16 * grid[0] * grid[1] * 600
    assert width_for_size(size - embedding, strides) == width
    assert count(HNeRVDecoder(HNeRVConfig(grid=grid, width=width, strides=strides))) + embedding == parameters


def test_hnerv_encoder() -> None:
    assert count(HNeRVEncoder((5, 4, 4, 2, 2))) == 306_064


def test_shapes() -> None:
    nerv = NeRV(NeRVConfig(grid=(2, 3), width=4, strides=(3, 2), min_width=4, hidden=16, out_channels=6))
    assert nerv(torch.rand(2)).shape == (2, 6, 12, 18)
    config = HNeRVConfig(grid=(2, 3), width=6, strides=(3, 2), min_width=4)
    encoder = HNeRVEncoder(config.strides, config.embedding_channels)
    picture = torch.rand(1, 3, *config.output_size)
    assert HNeRVDecoder(config)(encoder(picture)).shape == picture.shape
