"""On a GPU: the same call gives the same bytes, and a file made on either device is read alike on both."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.registry import get_codec
from nvcodec.format import VideoFormat
from nvcodec.hardware import fast_precision
from nvcodec.metrics.psnr import psnr_yuv

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
FORMAT, FRAMES = VideoFormat(64, 48), 8
SPEC = GroupSpec(preset="faster")


FITTED = ["nerv", "hnerv", "nirvana", "hnerv-boost", "nerv-boost", "nervpp", "enerv", "enerv-boost"]


@pytest.fixture(scope="module", params=[*FITTED, "stem", "conditional"])
def codec(request):
    return get_codec(request.param)


@pytest.fixture(scope="module")
def spec(codec, tiny_weights, tiny_conditional):
    if codec.family == "fitted":
        return SPEC
    return replace(SPEC, model=str(tiny_conditional if codec.name == "conditional" else tiny_weights))


def opened(codec, payload, device: str):
    return codec.open_group(payload.config, payload.units, FORMAT, FRAMES, device)


@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_the_same_call_gives_the_same_bytes(codec, crop, spec, precision):
    chosen = fast_precision("cuda") if precision == "fast" else precision
    spec = replace(spec, device="cuda", precision=chosen)
    first, second = (codec.encode_group(crop(64, 48, FRAMES), FORMAT, spec) for _ in range(2))
    assert (first.config, first.units) == (second.config, second.units)
    assert first.picture_hash == second.picture_hash


@pytest.mark.parametrize("made_on", ["cpu", "cuda"])
def test_both_devices_read_alike(codec, crop, spec, made_on):
    payload = codec.encode_group(crop(64, 48, FRAMES), FORMAT, replace(spec, device=made_on))
    cpu, gpu = opened(codec, payload, "cpu"), opened(codec, payload, "cuda")
    assert cpu.symbol_hash == gpu.symbol_hash == payload.symbol_hash
    for i in range(FRAMES):
        a, b = cpu.planes(i), gpu.planes(i)
        assert max(np.abs(x.astype(int) - y).max() for x, y in zip(a, b, strict=True)) <= 2
        assert psnr_yuv(a, b) >= 50
