"""Planes to phases and back, and the distortion that a fit minimises is the one that is reported."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.fitting.clip import CHANNEL_WEIGHTS, Clip, from_phases, to_phases, weighted_mse
from nvcodec.metrics.psnr import mse, weigh_yuv


def random_planes(width, height, bit_depth, seed):
    random = np.random.default_rng(seed)
    half = (height + 1) // 2, (width + 1) // 2
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    return tuple(random.integers(0, 1 << bit_depth, size, dtype=dtype) for size in ((height, width), half, half))


sizes = {"width": st.integers(1, 40), "height": st.integers(1, 40)}


@given(**sizes, bit_depth=st.sampled_from([8, 10]), seed=st.integers(0, 99))
def test_phases_come_back(width, height, bit_depth, seed):
    planes = random_planes(width, height, bit_depth, seed)
    phases = to_phases(planes)
    assert phases.shape == (6, (height + 1) // 2, (width + 1) // 2)
    for a, b in zip(from_phases(phases, height, width), planes, strict=True):
        assert a.dtype == b.dtype and np.array_equal(a, b)


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 20), height=st.integers(1, 20), bit_depth=st.sampled_from([8, 10]), seed=st.integers(0, 99))
def test_a_clip_keeps_every_sample(width, height, bit_depth, seed):
    planes = random_planes(width, height, bit_depth, seed)
    clip = Clip([planes, planes], bit_depth)
    batch = clip.batch([1], torch.float32)
    assert float(batch.min()) >= 0 and float(batch.max()) <= 1
    phases = (batch[0] * clip.peak).round().numpy().astype(planes[0].dtype)
    for a, b in zip(from_phases(phases, height, width), planes, strict=True):
        assert np.array_equal(a, b)
    assert clip.luma_samples == 2 * width * height and clip.frame_count == 2


even = st.integers(1, 15).map(lambda n: 2 * n)


@given(width=even, height=even, seed=st.integers(0, 9))
def test_the_loss_is_the_metric(width, height, seed):
    a, b = random_planes(width, height, 8, seed), random_planes(width, height, 8, seed + 100)
    wanted = weigh_yuv(*(mse(x, y) for x, y in zip(a, b, strict=True)))
    tensors = [torch.from_numpy(to_phases(p)).float()[None] for p in (a, b)]
    assert float(weighted_mse(*tensors)) == pytest.approx(wanted, rel=1e-5)
    assert float(weighted_mse(tensors[0], tensors[0])) == 0


def test_weights_are_those_of_the_dial():
    assert sum(CHANNEL_WEIGHTS) == 1
    assert sum(CHANNEL_WEIGHTS[:4]) == 6 / 8


def test_batches_are_channels_last(crop):
    batch = Clip(crop(32, 32, 3), 8).batch([2, 0], torch.float32)
    assert batch.shape == (2, 6, 16, 16) and batch.is_contiguous(memory_format=torch.channels_last)
