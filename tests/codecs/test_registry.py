"""Codecs by name and number; and the one of CONTRIBUTING.md, run as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest

import nvcodec
from nvcodec.codecs import registry
from nvcodec.codecs.base import GroupSpec, quality_lambda
from nvcodec.codecs.registry import codec_name, get_codec, register
from nvcodec.container import Unit
from nvcodec.errors import DamagedError, UnsupportedError, UsageError
from nvcodec.format import VideoFormat

CONTRIBUTING = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "CODECS", dict(registry.CODECS))


@pytest.mark.parametrize("name", list(registry.CODECS))
def test_names_and_numbers_agree(name):
    codec = get_codec(name)
    assert (codec.name, codec.codec_id) == (name, registry.CODECS[name][0])
    assert codec_name(codec.codec_id) == name


def test_auto_is_a_codec():
    assert get_codec("auto").name in registry.CODECS


def test_numbers_are_those_of_the_specification():
    text = (CONTRIBUTING.parent / "bitstream" / "SPEC.md").read_text(encoding="utf-8")
    for name, (number, _) in registry.CODECS.items():
        assert re.search(rf"^\| {number} \| {name} \|", text, re.MULTILINE)


def test_unknown_codecs():
    with pytest.raises(UsageError, match="no codec 'h264'"):
        get_codec("h264")
    with pytest.raises(UnsupportedError, match="4711"):
        codec_name(4711)


def test_taken_names_and_numbers(own_registry):
    register("mine", 61441, "a:B")
    register("mine", 61441, "a:B")  # the same again is no conflict
    for name, number, target in [("mine", 61442, "a:B"), ("other", 61441, "a:B"), ("nerv", 61443, "a:B")]:
        with pytest.raises(UsageError, match="registered"):
            register(name, number, target)


@pytest.mark.parametrize("quality", [-1, 63.5, float("nan")])
def test_quality_has_bounds(quality):
    with pytest.raises(UsageError):
        quality_lambda(quality)


def test_eight_steps_double_lambda():
    assert quality_lambda(0) == 0.0005
    assert quality_lambda(40) == pytest.approx(2 * quality_lambda(32))


@pytest.fixture
def flat(own_registry, tmp_path, monkeypatch):
    section = re.search(r"toy codec: begin -->(.*)<!-- toy codec: end", CONTRIBUTING.read_text("utf-8"), re.DOTALL)
    assert section is not None
    code, line = re.findall(r"```python\n(.*?)```", section.group(1), re.DOTALL)
    (tmp_path / "flat_from_the_text.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    name, number, target = re.fullmatch(r'\s*"(\w+)": \((\d+), "[\w.]+:(\w+)"\),\n', line).groups()
    register(name, int(number), f"flat_from_the_text:{target}")
    return get_codec("flat")


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_the_toy_codec_codes_groups(flat, crop, bit_depth):
    frames, fmt = crop(33, 27, 3, bit_depth), VideoFormat(33, 27, bit_depth)
    payload = flat.encode_group(frames, fmt, GroupSpec())
    assert payload.size == 9
    assert flat.describe(payload.config, fmt, 3) == {"means": 9}
    decoder = flat.open_group(payload.config, payload.units, fmt, 3)
    assert decoder.symbol_hash == payload.symbol_hash
    for ours, theirs in zip(decoder.planes(2), frames[2], strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        assert abs(float(ours.mean()) - theirs.mean()) <= 1 << (bit_depth - 8)
    with pytest.raises(DamagedError):
        flat.open_group(b"", [Unit(0, 3, (), b"1234")], fmt, 3)


def test_the_toy_codec_codes_files(flat, carphone, make_clip, tmp_path):
    source = make_clip(carphone, 64, 48, 5)
    result = nvcodec.encode(source, tmp_path / "flat.nvc", codec="flat", gof=3)
    assert (result.frames, result.groups) == (5, 2)
    with nvcodec.open(tmp_path / "flat.nvc") as video:
        assert len(video) == 5
        assert len(np.unique(video.picture(4).planes[0])) == 1
