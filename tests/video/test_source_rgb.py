"""The source's own RGB beside the 4:2:0 pictures: what metrics in RGB compare with."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from nvcodec.video import Picture, Reader, yuv420_to_rgb
from nvcodec.video.pixels import frame_planes

KR_KB = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}  # H.273 table 4


def encode(path: Path, frames: list[av.VideoFrame], codec: str = "ffv1", **settings: int) -> Path:
    first = frames[0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, width=first.width, height=first.height, pix_fmt=first.format.name)
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def colours(path: Path, count: int = 2, width: int = 63, height: int = 47) -> list[np.ndarray]:
    """RGB of a real clip, red and blue moved by a pixel: colour detail that 4:2:0 cannot hold. Odd sizes."""
    with av.open(str(path)) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(count), strict=False)]
    shown = [frame.to_ndarray(format="rgb24")[100 : 100 + height, 200 : 200 + width] for frame in frames]
    return [np.stack([np.roll(a[..., 0], 1, 1), a[..., 1], np.roll(a[..., 2], -1, 0)], -1) for a in shown]


def read(path: Path) -> tuple[Reader, list[Picture]]:
    with Reader(path, rgb=True) as reader:
        return reader, list(reader)


@pytest.mark.parametrize("pixel_format", ["bgr0", "bgra", "gbrp", "rgb24"])
def test_rgb_is_an_exact_copy(pixel_format: str, bikes: Path, tmp_path: Path) -> None:
    wanted = colours(bikes)
    frames = [av.VideoFrame.from_ndarray(a, format="rgb24") for a in wanted]
    codec = {"gbrp": "utvideo", "rgb24": "png"}.get(pixel_format, "ffv1")
    name = "a.mkv" if codec == "ffv1" else "a.avi"
    path = encode(tmp_path / name, [frame.reformat(format=pixel_format) for frame in frames], codec)
    reader, pictures = read(path)
    assert reader.pixel_format == pixel_format
    for picture, rgb in zip(pictures, wanted, strict=True):
        assert picture.rgb is not None and picture.rgb.dtype == np.uint8 and picture.rgb.flags.c_contiguous
        assert np.array_equal(picture.rgb, rgb)
        assert np.abs(yuv420_to_rgb(picture, reader.format).astype(int) - rgb).max() > 8


def test_deep_rgb_is_rounded_to_eight_bits(bikes: Path, tmp_path: Path) -> None:
    plain = av.VideoFrame.from_ndarray(colours(bikes, 1)[0], format="rgb24").reformat(format="gbrp10le")
    _, (picture,) = read(encode(tmp_path / "a.mkv", [plain]))
    green, blue, red = frame_planes(plain, 3, "<u2")
    assert picture.rgb is not None
    assert np.abs(picture.rgb - np.stack([red, green, blue], -1) * (255 / 1023)).max() < 1.1


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", sorted(KR_KB))
@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv444p10le"])
def test_full_chroma_follows_the_equations(
    pixel_format: str, matrix: int, full: bool, bikes: Path, tmp_path: Path
) -> None:
    depth = 10 if "10" in pixel_format else 8
    plain = av.VideoFrame.from_ndarray(colours(bikes, 1)[0], format="rgb24").reformat(format=pixel_format)
    path = encode(tmp_path / "a.mkv", [plain], colorspace=matrix, color_range=2 if full else 1)
    reader, (picture,) = read(path)
    assert (reader.format.colour.matrix, reader.format.colour.full_range) == (matrix, full), "kept as it is"
    y, u, v = frame_planes(plain, 3, "u1" if depth == 8 else "<u2")
    scale, peak = 1 << (depth - 8), (1 << depth) - 1
    luma = y / peak if full else (y / scale - 16) / 219
    cb, cr = ((c - 128.0 * scale) / peak if full else (c / scale - 128) / 224 for c in (u, v))
    kr, kb = KR_KB[matrix]
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    wanted = 255 * np.clip(np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], -1), 0, 1)
    assert picture.rgb is not None and np.abs(picture.rgb - wanted).max() < 1.6


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv422p10le", "yuv420p12le", "yuv411p"])
def test_other_yuv_is_nearer_to_its_source_than_420_is(pixel_format: str, bikes: Path, tmp_path: Path) -> None:
    rgb = colours(bikes, 1)[0]
    reader, (picture,) = read(
        encode(tmp_path / "a.mkv", [av.VideoFrame.from_ndarray(rgb).reformat(format=pixel_format)])
    )
    assert picture.rgb is not None and picture.rgb.shape == (47, 63, 3)
    ours, coded = (np.mean((a - rgb.astype(float)) ** 2) for a in (picture.rgb, yuv420_to_rgb(picture, reader.format)))
    assert ours < coded if pixel_format.startswith("yuv422") else ours < 1.3 * coded


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "gray"])
def test_what_420_holds_whole_carries_no_second_picture(pixel_format: str, bikes: Path, tmp_path: Path) -> None:
    frames = [av.VideoFrame.from_ndarray(a).reformat(format=pixel_format) for a in colours(bikes)]
    assert all(picture.rgb is None for picture in read(encode(tmp_path / "a.mkv", frames))[1])


def test_nothing_is_converted_unasked(bikes: Path, tmp_path: Path) -> None:
    frames = [av.VideoFrame.from_ndarray(a).reformat(format="bgr0") for a in colours(bikes)]
    with Reader(encode(tmp_path / "a.mkv", frames)) as reader:
        assert all(picture.rgb is None for picture in reader)


def test_y4m_with_full_chroma_has_it_too(bikes: Path, tmp_path: Path) -> None:
    frame = av.VideoFrame.from_ndarray(colours(bikes, 1)[0]).reformat(format="yuv444p")
    data = frame.to_ndarray()
    (tmp_path / "a.y4m").write_bytes(b"YUV4MPEG2 W63 H47 F25:1 C444\nFRAME\n" + data.tobytes())
    from_y4m = read(tmp_path / "a.y4m")[1][0]
    from_av = read(encode(tmp_path / "a.mkv", [frame]))[1][0]
    assert from_y4m.rgb is not None and from_av.rgb is not None
    assert np.array_equal(from_y4m.rgb, from_av.rgb)


def test_facts_of_an_rgb_source_reach_the_output(bikes: Path, tmp_path: Path, write_again: Callable) -> None:
    """The pictures are BT.709 limited range, and every container says so to an independent reader."""
    frames = [av.VideoFrame.from_ndarray(a[:46, :62]).reformat(format="bgr0") for a in colours(bikes)]
    path = encode(tmp_path / "a.mkv", frames)
    for name in ("b.mkv", "b.mp4", "b.mov", "b.webm"):
        write_again(path, tmp_path / name)
        with av.open(str(tmp_path / name)) as container:
            context = container.streams.video[0].codec_context
            shown = next(container.decode(video=0))
            assert (int(context.colorspace), int(context.color_range)) == (1, 1), name
        assert (int(shown.colorspace), int(shown.color_range)) == (1, 1), name
        seen = shown.to_ndarray(format="rgb24", src_colorspace=1).astype(int)
        wanted = frames[0].to_ndarray(format="rgb24")
        assert np.abs(seen.mean(axis=(0, 1)) - wanted.mean(axis=(0, 1))).max() < 1.5, name


@pytest.fixture
def write_again() -> Callable[[Path, Path], None]:
    from nvcodec.video import Writer

    def write(source: Path, target: Path) -> None:
        with Reader(source) as reader, Writer(target, reader.format, threads=1) as writer:
            for picture in reader:
                writer.write(picture)

    return write
