"""Raw planar files: what their names tell, and that no byte of a picture is lost on the way to y4m."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import InputError
from nvcodec.study.rawfiles import RawLayout, parse_name, raw_to_y4m
from nvcodec.study.sources import prepare
from nvcodec.video import Reader

NAMES = {
    "Beauty_1920x1080_120fps_420_8bit_YUV.yuv": RawLayout(1920, 1080, Fraction(120)),
    "Jockey_3840x2160_120fps_420_10bit_YUV.yuv": RawLayout(3840, 2160, Fraction(120), "420", 10),
    "x_320x192_12fps_9f_yuv420p.yuv": RawLayout(320, 192, Fraction(12), frames=9),
    "Kimono1_1920x1080_24_10bit_420.yuv": RawLayout(1920, 1080, Fraction(24), "420", 10),
    "BasketballPass_416x240_50.yuv": RawLayout(416, 240, Fraction(50)),
    "a-640x360-29.97fps-yuv422p10le.YUV": RawLayout(640, 360, Fraction(30000, 1001), "422", 10),
    "clip.352x288.50hz.i444.yuv": RawLayout(352, 288, Fraction(50), "444"),
    "ShakeNDry_1920x1080_120fps_300frames_420_8bit.yuv": RawLayout(1920, 1080, Fraction(120), frames=300),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_tell_the_layout(name: str) -> None:
    assert parse_name(name) == NAMES[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("akiyo.yuv", "no size"),
        ("akiyo_352x288.yuv", "no frame rate"),
        ("akiyo_352x288_0fps.yuv", "no frame rate"),
        ("a_0x288_30fps.yuv", "no size"),
        ("a_99999x288_30fps.yuv", "65535"),
        ("a_352x288_30fps_12bit.yuv", "12-bit 420"),
        ("a_352x288_30fps_411.yuv", "8-bit 411"),
    ],
)
def test_a_name_that_says_too_little_is_one_line(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse_name(name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_name_gives_a_layout_or_an_input_error(name: str) -> None:
    try:
        layout = parse_name(name + ".yuv")
    except InputError:
        return
    assert layout.frame_bytes > 0 and layout.rate > 0


@given(st.integers(1, 9999), st.integers(1, 9999), st.integers(1, 240), st.sampled_from([8, 10]))
def test_names_come_back(width: int, height: int, rate: int, depth: int) -> None:
    found = parse_name(f"Clip7_{width}x{height}_{rate}fps_420_{depth}bit_YUV.yuv")
    assert found == RawLayout(width, height, Fraction(rate), "420", depth)


@pytest.mark.parametrize(("chroma", "depth"), [("420", 8), ("420", 10), ("422", 8), ("444", 10)])
def test_pictures_come_through_byte_for_byte(tmp_path: Path, chroma: str, depth: int) -> None:
    name = f"noise_15x9_30fps_{chroma}_{depth}bit.yuv"
    layout = parse_name(name)
    rng = np.random.default_rng(3)
    data = rng.integers(0, 1 << depth, 4 * layout.samples).astype("u1" if depth == 8 else "<u2").tobytes()
    (tmp_path / name).write_bytes(data)
    raw_to_y4m(tmp_path / name, tmp_path / "out.y4m", 3)
    _, *frames = (tmp_path / "out.y4m").read_bytes().split(b"FRAME\n", 3)
    assert b"".join(frames) == data[: 3 * layout.frame_bytes]
    source = prepare(tmp_path / name, tmp_path / "made", frames=2)
    assert (source.frames, source.format.bit_depth, source.name) == (2, depth, name)
    with Reader(source.pictures) as reader:
        assert len(list(reader)) == 2 and reader.format.frame_rate == 30
    assert prepare(tmp_path / name, tmp_path / "made").frames == 4


def test_sizes_that_do_not_fit_the_name(tmp_path: Path) -> None:
    whole = RawLayout(16, 16, Fraction(25)).frame_bytes
    for name, size, words in (
        ("a_16x16_25fps.yuv", whole + 1, "not whole pictures"),
        ("b_16x16_25fps.yuv", 0, "not whole pictures"),
        ("c_16x16_25fps_3f.yuv", 2 * whole, "says 3 frames, the file has 2"),
    ):
        (tmp_path / name).write_bytes(bytes(size))
        with pytest.raises(InputError, match=words):
            prepare(tmp_path / name, tmp_path / "made")
    deep = tmp_path / "d_16x16_25fps_10bit.yuv"
    deep.write_bytes(b"\xff\xff" * whole)
    with pytest.raises(InputError, match="10 bits"):
        prepare(deep, tmp_path / "made")
    assert not list((tmp_path / "made").iterdir())
