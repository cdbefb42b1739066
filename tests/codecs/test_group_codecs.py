"""Groups through the fitted codecs: fit, code, decode; goals; the same bits alone, together, and in other processes."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.container import Unit
from nvcodec.errors import FormatError
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv

FAMILIES = ["nerv", "hnerv", "hnerv-boost", "nerv-boost", "nervpp", "enerv", "enerv-boost"]
FORMAT = VideoFormat(64, 48)
FASTER = GroupSpec(preset="faster")


@pytest.fixture(scope="module")
def coded(crop):
    """name -> (payload, frames): one short fit a codec, shared."""
    frames = crop(64, 48, 8)
    return {name: (get_codec(name).encode_group(frames, FORMAT, FASTER), frames) for name in FAMILIES}


def opened(name: str, payload, fmt: VideoFormat = FORMAT, frames: int = 8, device: str = "cpu"):
    return get_codec(name).open_group(payload.config, payload.units, fmt, frames, device)


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", FAMILIES)
def test_decoded_pictures_are_what_the_encoder_says(coded, name):
    payload, frames = coded[name]
    decoder = opened(name, payload)
    assert decoder.symbol_hash == payload.symbol_hash
    pictures, values = PictureHash(), []
    for i, planes in enumerate(frames):
        pictures.update(decoder.planes(i))
        values.append(psnr_yuv(planes, decoder.planes(i)))
    assert pictures.digest() == payload.picture_hash
    assert payload.psnr == pytest.approx(np.mean(values), abs=1e-9)
    assert payload.psnr > 20
    assert payload.units[0].first == 0 and payload.units[0].count == len(frames)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_estimate_is_the_size(coded, name):
    payload, _ = coded[name]
    assert payload.estimated_bytes == pytest.approx(payload.size, rel=0.02)


def test_a_fit_beats_a_constant_picture(coded):
    payload, frames = coded["hnerv"]
    grey = [tuple(np.full_like(p, round(p.mean())) for p in planes) for planes in frames]
    flat = np.mean([psnr_yuv(a, b) for a, b in zip(frames, grey, strict=True)])
    assert payload.psnr > flat + 4


@pytest.mark.parametrize("name", FAMILIES)
def test_times_between_frames_can_be_shown(coded, name):
    payload, frames = coded[name]
    decoder = opened(name, payload)
    assert same(decoder.between(2, 0.0), decoder.planes(2))
    half = decoder.between(2)
    assert [p.shape for p in half] == [p.shape for p in frames[0]] and half[0].dtype == np.uint8
    assert not same(half, decoder.planes(2)) and not same(half, decoder.planes(3))
    for frame, share in ((7, 0.5), (-1, 0.5), (0, 1.5)):
        with pytest.raises(IndexError):
            decoder.between(frame, share)


@pytest.mark.parametrize("name", FAMILIES)
def test_one_frame_alone_is_the_same_bits(coded, name):
    payload, frames = coded[name]
    whole = [opened(name, payload).planes(i) for i in range(len(frames))]
    for i in (5, 0, 7):
        assert same(opened(name, payload).planes(i), whole[i])
    with pytest.raises(IndexError):
        opened(name, payload).planes(8)


@pytest.mark.parametrize("name", FAMILIES)
def test_two_threads_show_the_same(coded, name):
    payload, _ = coded[name]
    before = torch.get_num_threads()
    try:
        shown = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            decoder = opened(name, payload)
            shown.append((decoder.symbol_hash, [decoder.planes(i) for i in range(8)]))
    finally:
        torch.set_num_threads(before)
    assert shown[0][0] == shown[1][0]
    assert all(same(a, b) for a, b in zip(shown[0][1], shown[1][1], strict=True))


class _OtherKernels(nn.Module):
    """Convolutions as matrix products of unfolded inputs, in float64: as unlike the usual kernels as can be."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    @property
    def weight(self) -> torch.Tensor:
        return self.conv.weight

    def forward(self, x):
        size, c = self.conv.kernel_size[0], self.conv
        columns = nn.functional.unfold(x.double(), size, padding=size // 2)
        weights = c.weight.double().flatten(1).unflatten(0, (c.groups, -1))
        out = (weights @ columns.unflatten(1, (c.groups, -1))).flatten(1, 2) + c.bias.double()[:, None]
        return out.unflatten(2, x.shape[2:]).float()


def _swap(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, _OtherKernels(child))
        else:
            _swap(child)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kernels", ["nchw", "matrix products"])
def test_other_kernels_stay_within_the_tolerance(coded, name, kernels):
    payload, frames = coded[name]
    usual, other = opened(name, payload), opened(name, payload)
    if kernels == "nchw":
        for parameter in other._network.parameters():
            parameter.data = parameter.data.contiguous()
    elif kernels == "matrix products":
        _swap(other._network)
    assert other.symbol_hash == usual.symbol_hash
    for i in range(len(frames)):
        a, b = usual.planes(i), other.planes(i)
        assert max(np.abs(x.astype(int) - y).max() for x, y in zip(a, b, strict=True)) <= 2
        assert psnr_yuv(a, b) >= 50


SCRIPT = """
import hashlib, json, sys
from nvcodec.codecs.registry import get_codec
from nvcodec.container import Unit
from nvcodec.format import VideoFormat
config, unit, width, height, frames = json.load(sys.stdin)
fmt = VideoFormat(width, height)
decoder = get_codec("hnerv").open_group(bytes.fromhex(config), [Unit(0, frames, (), bytes.fromhex(unit))], fmt, frames)
digest = hashlib.sha256(decoder.symbol_hash)
for i in range(frames):
    for plane in decoder.planes(i):
        digest.update(plane.tobytes())
print(digest.hexdigest())
"""


def test_a_fresh_process_shows_the_same(coded):
    payload, frames = coded["hnerv"]
    decoder = opened("hnerv", payload)
    digest = hashlib.sha256(decoder.symbol_hash)
    for i in range(len(frames)):
        for plane in decoder.planes(i):
            digest.update(plane.tobytes())
    work = json.dumps([payload.config.hex(), payload.units[0].payload.hex(), FORMAT.width, FORMAT.height, len(frames)])
    run = subprocess.run([sys.executable, "-c", SCRIPT], input=work, capture_output=True, check=True, text=True)
    assert run.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_call_gives_the_same_bytes(coded, name, crop):
    payload, frames = coded[name]
    torch.rand(7)  # the caller's random state has no part in it
    again = get_codec(name).encode_group(frames, FORMAT, FASTER)
    assert (again.config, again.units) == (payload.config, payload.units)
    assert again.picture_hash == payload.picture_hash


def test_the_callers_random_state_is_left_alone(crop):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    get_codec("nerv").encode_group(crop(16, 16, 1), VideoFormat(16, 16), replace(FASTER, seconds=0.01))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("name", "size", "frames", "bit_depth"),
    [("hnerv", (35, 23), 3, 10), ("nerv", (35, 23), 3, 10), ("hnerv", (17, 16), 1, 8), ("nerv", (2, 1), 1, 8)],
)
def test_odd_sizes_ten_bits_single_frames(crop, name, size, frames, bit_depth):
    fmt = VideoFormat(*size, bit_depth)
    planes = crop(*size, frames, bit_depth)
    payload = get_codec(name).encode_group(planes, fmt, replace(FASTER, seconds=0.3))
    shown = opened(name, payload, fmt, frames).planes(frames - 1)
    assert [p.shape for p in shown] == [p.shape for p in planes[-1]]
    assert [p.dtype for p in shown] == [p.dtype for p in planes[-1]]
    assert payload.steps >= 1


@pytest.mark.parametrize("target", [1200, 6000])
def test_a_size_is_met_from_below(crop, target):
    payload = get_codec("hnerv").encode_group(crop(64, 48, 8), FORMAT, replace(FASTER, target_bytes=target))
    assert payload.goal_met
    assert 0.93 * target <= payload.size <= target


def test_an_impossible_size_is_said_to_be_missed(crop):
    payload = get_codec("hnerv").encode_group(crop(64, 48, 2), FORMAT, replace(FASTER, target_bytes=45, seconds=0.2))
    assert not payload.goal_met


def test_a_psnr_is_met_from_above(crop):
    """More than a first attempt reaches: lambda and network grow until it is met."""
    payload = get_codec("hnerv").encode_group(crop(64, 48, 8), FORMAT, replace(FASTER, psnr_floor=30.0))
    assert payload.goal_met
    assert 30.0 <= payload.psnr <= 30.3


def test_a_plan_in_seconds_ends(crop):
    statuses = []
    spec = replace(FASTER, seconds=0.4)
    fmt = VideoFormat(32, 32)
    payload = get_codec("nerv").encode_group(crop(32, 32, 2), fmt, spec, lambda s: statuses.append(s.step))
    assert statuses and statuses == sorted(statuses)
    assert payload.steps == len(statuses)


@pytest.mark.parametrize("units", [0, 2])
def test_another_number_of_units_is_refused(coded, units):
    payload, _ = coded["nerv"]
    with pytest.raises(FormatError, match="one unit"):
        get_codec("nerv").open_group(payload.config, payload.units * units, FORMAT, 8)


@pytest.mark.parametrize("name", FAMILIES)
def test_parameters_that_overflow_show_pictures_all_the_same(name):
    """Largest integers at the largest step: sums of both infinities, and no warning on the way."""
    from nvcodec.codecs.tensors import CodedTensors, encode_tensors

    codec = get_codec(name)
    config = codec.plan(1500, 2, 12, 16)
    shapes = codec.shapes(config, 2)
    random = np.random.default_rng(0)
    weights = [np.where(random.random(s) < 0.5, -1, 1).astype(np.int32) * 2**22 for s in shapes.weights]
    embedding = None if shapes.embedding is None else np.full(shapes.embedding, 2**22, np.int32)
    codes = () if embedding is None else (255,) * len(embedding)
    payload, _ = encode_tensors(CodedTensors(weights, [255] * len(weights), embedding, codes))
    with np.errstate(all="raise"):
        planes = codec.open_group(codec.pack(config), [Unit(0, 2, (), payload)], VideoFormat(32, 24), 2).planes(1)
    assert planes[0].shape == (24, 32)
