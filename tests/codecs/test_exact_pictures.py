"""Decoded pictures are the same bits whatever precision the caller has chosen for work of its own."""

import subprocess
import sys

import pytest
import torch

from nvcodec.codecs.fitted import FittedDecoder
from nvcodec.codecs.goals import quantise
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.format import VideoFormat
from nvcodec.hardware import exact_fp32

B = torch.backends
LEAVES = {"cpu conv": B.mkldnn.conv, "cpu products": B.mkldnn.matmul, "products": B.cuda.matmul, "conv": B.cudnn.conv}


@pytest.fixture(autouse=True)
def settings_as_before():
    before = {name: leaf.fp32_precision for name, leaf in LEAVES.items()}
    matmul = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(matmul)
    for name, leaf in LEAVES.items():
        leaf.fp32_precision = before[name]


def chosen() -> dict[str, str]:
    return {name: leaf.fp32_precision for name, leaf in LEAVES.items()}


def set_all(precision: str) -> None:
    B.mkldnn.conv.fp32_precision = B.mkldnn.matmul.fp32_precision = precision
    B.cuda.matmul.fp32_precision = B.cudnn.conv.fp32_precision = "tf32" if precision == "bf16" else precision


CHOICES = {
    "exact already": lambda: set_all("ieee"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "bf16 everywhere": lambda: set_all("bf16"),
}


@pytest.fixture(scope="module", params=["nerv", "hnerv"])
def decoder(request):
    codec, frames = get_codec(request.param), 2
    config = codec.plan(60_000, frames, 48, 64)
    torch.manual_seed(3)
    network = codec.network(config)
    shape = codec.shapes(config, frames).embedding
    embedding = None if shape is None else torch.randn(frames, shape[0], *shape[2:])
    tensors = quantise(CodedParameters(network, embedding))
    return FittedDecoder(codec, config, tensors, VideoFormat(128, 96, 10), frames, "cpu")


def picture_hash(decoder) -> bytes:
    pictures = PictureHash()
    pictures.update(decoder.planes(1))
    return pictures.digest()


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_the_callers_precision_does_not_matter(decoder, choice):
    usual = picture_hash(decoder)
    choice()
    before = chosen()
    assert picture_hash(decoder) == usual
    assert chosen() == before
    with torch.autocast("cpu", torch.bfloat16):
        assert picture_hash(decoder) == usual


def test_old_and_new_names_agree_again_afterwards():
    for precision in ("medium", "highest"):
        torch.set_float32_matmul_precision(precision)
        with exact_fp32():
            assert set(chosen().values()) <= {"ieee", "none"}
        assert torch.get_float32_matmul_precision() == precision  # raises where they disagree


def test_settings_come_back_when_the_last_use_ends(monkeypatch):
    set_all("bf16")
    monkeypatch.setattr(B.cudnn, "benchmark", True)
    before = chosen()
    first, second = exact_fp32(), exact_fp32()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(chosen().values()) == {"ieee"} and not B.cudnn.benchmark
    second.__exit__(None, None, None)
    assert chosen() == before and B.cudnn.benchmark
    with pytest.raises(ValueError), exact_fp32():
        raise ValueError
    assert chosen() == before


def test_a_general_setting_stays_inherited_and_nothing_warns():
    """In a process of its own, where no particular setting was ever made."""
    code = """
import torch
from nvcodec.hardware import exact_fp32
torch.backends.fp32_precision = "ieee"
with exact_fp32():
    pass
torch.backends.fp32_precision = "tf32"
assert torch.backends.mkldnn.conv.fp32_precision == "tf32"
torch.set_float32_matmul_precision("high")
with exact_fp32():
    torch.ones(8, 8) @ torch.ones(8, 8)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
