"""4:2:0 to RGB and back, against the equations of the standards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nvcodec.errors import UsageError
from nvcodec.format import Colour, VideoFormat
from nvcodec.video import Picture, Reader, rgb_to_yuv420, yuv420_to_rgb
from nvcodec.video.convert import conversion_matrix

KR_KB = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}  # H.273 table 4


def flat(fmt: VideoFormat, y: int, u: int, v: int) -> Picture:
    dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
    chroma = (fmt.chroma_height, fmt.chroma_width)
    return Picture(np.full((fmt.height, fmt.width), y, dtype), np.full(chroma, u, dtype), np.full(chroma, v, dtype))


def expected(matrix: int, full: bool, depth: int, y: float, u: float, v: float) -> np.ndarray:
    """H.273 equations for R'G'B' of 8 bits from integer Y'CbCr."""
    scale, peak = 1 << (depth - 8), (1 << depth) - 1
    luma = y / peak if full else (y / scale - 16) / 219
    cb, cr = ((c - 128 * scale) / peak if full else (c / scale - 128) / 224 for c in (u, v))
    kr, kb = KR_KB[matrix]
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return 255 * np.clip([red, green, blue], 0, 1)


@pytest.mark.parametrize("matrix", sorted(KR_KB))
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("depth", [8, 10])
def test_matrix_range_and_depth_are_the_streams(matrix: int, full: bool, depth: int) -> None:
    fmt = VideoFormat(16, 16, depth, 1, Colour(1, 1, matrix, full))
    for y, u, v in ((120, 128, 128), (120, 100, 160), (90, 150, 110), (180, 120, 140)):
        scale = 1 << (depth - 8)
        rgb = yuv420_to_rgb(flat(fmt, y * scale, u * scale, v * scale), fmt)
        assert rgb.shape == (16, 16, 3) and rgb.dtype == np.uint8
        assert np.abs(rgb[8, 8] - expected(matrix, full, depth, y * scale, u * scale, v * scale)).max() < 1.5
        back = rgb_to_yuv420(rgb, fmt)
        assert [abs(int(p[4, 4]) - c * scale) <= 2 * scale for p, c in zip(back.planes, (y, u, v), strict=True)] == [
            True
        ] * 3


def test_an_unspecified_matrix_follows_the_height() -> None:
    assert conversion_matrix(VideoFormat(1280, 720)) == 1
    assert conversion_matrix(VideoFormat(720, 576)) == 6
    assert conversion_matrix(VideoFormat(1280, 720, colour=Colour(matrix=6))) == 6
    assert conversion_matrix(VideoFormat(1280, 720, colour=Colour(matrix=8))) == 1


def test_a_real_picture_survives_rgb_and_back(carphone: Path) -> None:
    with Reader(carphone, limit=1) as reader:
        fmt = replace(reader.format, width=101, height=75)
        (whole,) = reader
    picture = Picture(whole.y[:75, :101], whole.u[:38, :51], whole.v[:38, :51], 7, 3)
    rgb = yuv420_to_rgb(picture, fmt)
    back = rgb_to_yuv420(rgb, fmt, picture.pts, picture.duration)
    assert (back.pts, back.duration, back.u.shape) == (7, 3, (38, 51))
    error = back.y.astype(float) - picture.y
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 40


def test_wrong_shapes_are_usage_errors() -> None:
    fmt = VideoFormat(16, 8)
    with pytest.raises(UsageError, match="plane y"):
        yuv420_to_rgb(flat(VideoFormat(8, 8), 1, 1, 1), fmt)
    with pytest.raises(UsageError, match="plane y is uint16"):
        yuv420_to_rgb(flat(VideoFormat(16, 8, 10), 1, 1, 1), fmt)
    with pytest.raises(UsageError, match="RGB"):
        rgb_to_yuv420(np.zeros((16, 8, 3), np.uint8), fmt)
