"""Sizes and qualities that are met, and lines that say so when they cannot be."""

from __future__ import annotations

import pytest

import nvcodec
from nvcodec.errors import UsageError

SETTINGS = {"preset": "faster", "gof": 8, "threads": 1, "codec": "nerv"}


@pytest.mark.parametrize("size", [5000, 12000])
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
    assert nvcodec.verify(tmp_path / "a.nvc").ok


def test_a_floor_of_quality(clip, tmp_path):
    result = nvcodec.encode(clip, tmp_path / "a.nvc", psnr=40.0, preset="faster", threads=1)
    found = nvcodec.evaluate(clip, tmp_path / "a.nvc")["psnr_yuv"]
    assert result.goal_met and 40.0 <= found <= 40.3


def test_a_time_budget_is_spent_on_every_group(clip, tmp_path):
    """No times are asserted: the plan is, and that the file is whole."""
    seen = []
    result = nvcodec.encode(clip, tmp_path / "a.nvc", time_budget=3, gof=8, threads=1, on_progress=seen.append)
    assert result.groups == 3 and {p.group for p in seen} >= {1, 2, 3}
    assert nvcodec.verify(tmp_path / "a.nvc").ok
