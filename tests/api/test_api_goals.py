"""Sizes and qualities that are met, and lines that say so when they cannot be."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

import nvcodec
from nvcodec.codecs.registry import codec_name, get_codec
from nvcodec.container import Reader as NvcReader
from nvcodec.errors import UsageError
from nvcodec.video import Picture, Reader, Writer

SETTINGS = {"preset": "faster", "gof": 8, "threads": 1, "codec": "nerv"}


@pytest.mark.parametrize("size", [9000])
def test_a_size_is_filled_and_never_exceeded(clip, size, few_steps, tmp_path):
    result = nvcodec.encode(clip, tmp_path / "a.nvc", size=size, **SETTINGS)
    assert 0.93 * size <= (tmp_path / "a.nvc").stat().st_size <= size
    assert result.goal_met and result.bytes == (tmp_path / "a.nvc").stat().st_size


def test_a_size_counts_the_sound(talkie, sound, few_steps, tmp_path):
    heard = sum(map(len, sound(talkie)))
    size = heard + 9000
    result = nvcodec.encode(talkie, tmp_path / "a.nvc", size=size, **SETTINGS)
    assert 0.93 * size <= result.bytes <= size
    assert heard < result.bytes - result.video_bytes < 1.1 * heard
    assert result.video_bytes > 0.9 * (size - heard - 500)
    with pytest.raises(UsageError, match="--no-audio"):
        nvcodec.encode(talkie, tmp_path / "b.nvc", size=heard, **SETTINGS)
    assert not list(tmp_path.glob("b.*"))


def test_bits_per_pixel_do_not_count_the_sound(talkie, few_steps, tmp_path):
    result = nvcodec.encode(talkie, tmp_path / "a.nvc", bpp=1.0, **SETTINGS)
    assert 0.93 <= result.bpp <= 1.0 and result.goal_met
    assert nvcodec.evaluate(talkie, tmp_path / "a.nvc")["bpp"] == pytest.approx(result.bpp)


def test_a_goal_out_of_reach_is_one_line_or_an_honest_result(make_clip, bikes, few_steps, tmp_path):
    clip = make_clip(bikes, 32, 32, 2)
    with pytest.raises(UsageError, match="too small") as caught:
        nvcodec.encode(clip, tmp_path / "a.nvc", size=300, **SETTINGS)
    assert "\n" not in str(caught.value)
    result = nvcodec.encode(clip, tmp_path / "a.nvc", psnr=65.0, **SETTINGS)
    assert not result.goal_met and result.frames == 2
    assert result.goal == f"psnr {result.psnr_yuv:.2f} of 65 dB"
    assert nvcodec.verify(tmp_path / "a.nvc").ok


def test_a_floor_of_quality(clip, tmp_path):
    result = nvcodec.encode(clip, tmp_path / "a.nvc", codec="hnerv", psnr=40.0, preset="faster", threads=1)
    found = nvcodec.evaluate(clip, tmp_path / "a.nvc")["psnr_yuv"]
    assert result.goal_met and 40.0 <= found <= 40.3


def test_a_time_budget_is_spent_on_every_group(clip, tmp_path):
    """No times are asserted: the plan is, and that the file is whole."""
    seen = []
    settings = {"codec": "hnerv", "time_budget": 1, "gof": 8, "threads": 1}
    result = nvcodec.encode(clip, tmp_path / "a.nvc", **settings, on_progress=seen.append)
    assert result.groups == 3 and {p.group for p in seen} >= {1, 2, 3}
    assert nvcodec.verify(tmp_path / "a.nvc").ok


@pytest.fixture
def jumpy(clip, tmp_path):
    """The clip at times that take five bytes a frame and more."""
    with Reader(clip) as reader:
        form, pictures = replace(reader.format, timebase=Fraction(1, 1000)), list(reader)
    with Writer(tmp_path / "jumpy.mkv", form) as writer:
        for i, p in enumerate(pictures):
            writer.write(Picture(*p.planes, i * 3_000_000 + i * i % 7, 40 + i % 3))
    return tmp_path / "jumpy.mkv"


@pytest.mark.parametrize("gof", [8, 23])
def test_a_size_holds_at_any_timestamps(jumpy, gof, few_steps, tmp_path):
    result = nvcodec.encode(jumpy, tmp_path / "a.nvc", size=4000, **{**SETTINGS, "gof": gof})
    assert result.goal_met and 0.93 * 4000 <= (tmp_path / "a.nvc").stat().st_size <= 4000
    assert result.goal == f"size {result.bytes} of 4000 bytes" and not result.warnings


def test_a_group_that_came_out_too_large_is_coded_again(clip, few_steps, monkeypatch, tmp_path):
    """Whatever the plan missed: nothing over its size is passed on silently."""
    from nvcodec.api import budget

    monkeypatch.setattr(budget, "GROUP_OVERHEAD", -60)
    result = nvcodec.encode(clip, tmp_path / "a.nvc", size=5000, **{**SETTINGS, "gof": 24})
    assert result.bytes <= 5000 and result.goal_met
    monkeypatch.setattr("nvcodec.api.encoding.RETRIES", 0)
    result = nvcodec.encode(clip, tmp_path / "b.nvc", size=5000, **{**SETTINGS, "gof": 24})
    assert not result.goal_met and f"{result.bytes - 5000} bytes over its goal" in result.warnings[0]


@pytest.mark.parametrize("goal", [{"size": 6000}, {"bpp": 0.6}])
def test_fewer_frames_than_a_file_says(clip, goal, few_steps, monkeypatch, tmp_path):
    """Packets that show nothing are counted by the probe: the end of the source decides."""
    from nvcodec.api import encoding

    probe, seen = encoding.probe, []
    monkeypatch.setattr(encoding, "probe", lambda path: replace(probe(path), frame_count=33))
    result = nvcodec.encode(clip, tmp_path / "a.nvc", on_progress=seen.append, **goal, **SETTINGS)
    assert result.goal_met and result.frames == 24, result.goal
    assert seen[-1].fraction == 1.0 and seen[-1].frames_total == 24
    assert "bpp" not in goal or 0.93 * 0.6 <= result.bpp <= 0.6


def test_a_rate_needs_no_frame_count(clip, few_steps, monkeypatch, tmp_path):
    def pipe() -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(clip.read_bytes()), isatty=lambda: False))

    pipe()
    result = nvcodec.encode("-", tmp_path / "a.nvc", bpp=1.0, **SETTINGS)
    assert result.goal_met and 0.93 <= result.bpp <= 1.0 and result.groups == 3
    pipe()
    with pytest.raises(UsageError, match="how many frames"):
        nvcodec.encode("-", tmp_path / "b.nvc", size=9000, **SETTINGS)


def test_still_content_far_above_its_floor_is_said(make_clip, bikes, few_steps, tmp_path):
    clip = make_clip(bikes, 32, 32, 2)
    result = nvcodec.encode(clip, tmp_path / "a.nvc", psnr=6.0, **SETTINGS)
    assert result.goal_met and result.psnr_yuv > 6.3
    assert result.warnings == [f"the result is {result.psnr_yuv - 6:.1f} dB above the floor of 6 dB"]


def test_fitting_sees_what_the_file_will_have(clip, monkeypatch, tmp_path):
    """The rate term that is minimised, at its end, against the coded payload without scales: it knows of none."""
    from nvcodec.codecs import sizing

    monkeypatch.setitem(sizing.FEWEST_STEPS, "faster", 120)
    monkeypatch.setitem(sizing.EPOCHS, "faster", 0)
    for codec, most in (("nerv", 0.02), ("hnerv", 0.02)):
        settings = {**SETTINGS, "codec": codec, "gof": 24}
        result = nvcodec.encode(clip, tmp_path / f"{codec}.nvc", quality=46, **settings)
        plain = result.payload_bytes + saved_by_scales(tmp_path / f"{codec}.nvc")
        assert result.modelled_bytes == pytest.approx(plain, rel=most)


def saved_by_scales(path: Path) -> int:
    """Bytes of a file of one group."""
    with path.open("rb") as file:
        reader = NvcReader(file)
        codec, fmt = get_codec(codec_name(reader.header.codec_id)), reader.header.format
        group = reader.read_group(0)
    config = codec.unpack(group.config, fmt.chroma_height, fmt.chroma_width)
    payload = group.units[0].payload
    tensors = codec.decode_tensors(payload, config, group.frame_count, None)
    return len(tensors.encode(scaled=False)[0]) - len(payload)
