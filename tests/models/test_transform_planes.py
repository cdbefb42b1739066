"""Pictures to features and back: sizes, depths, padding, distortion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nvcodec.errors import UsageError
from nvcodec.models.planes import distortion, features_to_planes, planes_to_features

size = st.integers(1, 50)


def planes(height: int, width: int, peak: int = 255, count: int = 2) -> list[torch.Tensor]:
    half = (height + 1) // 2, (width + 1) // 2
    return [torch.randint(0, peak + 1, (count, *shape), dtype=torch.int32) for shape in ((height, width), half, half)]


@settings(max_examples=30, deadline=None)
@given(size, size, st.sampled_from([255, 1023]))
def test_any_size_comes_back(height: int, width: int, peak: int) -> None:
    source = planes(height, width, peak)
    features = planes_to_features(*source, peak=peak)
    assert features.shape == (2, 96, (height + 15) // 16 * 2, (width + 15) // 16 * 2)
    assert features.dtype == torch.float32
    for plane, back in zip(source, features_to_planes(features, height, width, peak), strict=True):
        assert back.dtype == (torch.uint8 if peak == 255 else torch.int32)
        assert torch.equal(back.int(), plane)


def test_order_of_channels_and_padding() -> None:
    y, u, v = planes(30, 41)
    features = planes_to_features(y, u, v)
    assert features.is_contiguous(memory_format=torch.channels_last)
    for plane, channels, factor in ((y, features[:, :64], 8), (u, features[:, 64:80], 4), (v, features[:, 80:], 4)):
        rows, columns = 4 * factor, 6 * factor
        padded = np.pad(plane.numpy(), ((0, 0), (0, rows - plane.shape[1]), (0, columns - plane.shape[2])), "edge")
        expected = functional.pixel_unshuffle(torch.from_numpy(padded)[:, None].float() - 128, factor)
        assert torch.equal(channels, expected)


def test_depths_share_a_scale() -> None:
    eight = planes_to_features(*(torch.full(shape, 255) for shape in ((1, 16, 16), (1, 8, 8), (1, 8, 8))))
    ten = planes_to_features(*(torch.full(shape, 1023) for shape in ((1, 16, 16), (1, 8, 8), (1, 8, 8))), peak=1023)
    assert torch.allclose(eight, ten) and eight.max() == 127


def test_out_of_range_is_clipped() -> None:
    features = torch.full((1, 96, 2, 2), 500.0)
    assert [int(plane.max()) for plane in features_to_planes(features, 9, 9)] == [255, 255, 255]
    assert [int(plane.min()) for plane in features_to_planes(-features, 9, 9)] == [0, 0, 0]
    assert features_to_planes(features, 9, 9, whole=False)[0].max() == 628


def test_distortion_weighs_planes_six_to_one() -> None:
    a, b = (planes_to_features(*planes(32, 48)) for _ in range(2))
    mse = [
        ((p - q) ** 2).mean(dim=(1, 2))
        for p, q in zip(
            features_to_planes(a, 32, 48, whole=False), features_to_planes(b, 32, 48, whole=False), strict=True
        )
    ]
    assert torch.allclose(distortion(a, b), (6 * mse[0] + mse[1] + mse[2]) / 8, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 16, 17), (2, 16, 16), (1, 0, 16)])
def test_sizes_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="no 4:2:0"):
        planes_to_features(torch.zeros(shape), torch.zeros(1, 8, 8), torch.zeros(1, 8, 8))
