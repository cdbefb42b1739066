"""Clips made ready: cuts lose nothing, classical encoders get what nvcodec codes, nothing is made twice."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from nvcodec.errors import InputError
from nvcodec.format import VideoFormat
from nvcodec.study.sources import clip_digest, prepare
from nvcodec.video import Picture, Reader


def pictures(path: Path, rgb: bool = False) -> tuple[VideoFormat, list[Picture]]:
    with Reader(path, audio=False, rgb=rgb) as reader:
        return reader.format, list(reader)


def made(path: Path, pixels: str, frames: int = 3, width: int = 34, height: int = 22, **facts: int) -> Path:
    """A lossless clip of noise in any pixel format, with colour facts, at 30000/1001 frames a second."""
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", Fraction(30000, 1001), width=width, height=height, pix_fmt=pixels)
        for name, value in facts.items():
            setattr(stream.codec_context, name, value)
        for _ in range(frames):
            frame = av.VideoFrame(width, height, pixels)
            deep = any(part.bits > 8 for part in frame.format.components)
            for plane in frame.planes:
                count = plane.buffer_size
                noise = (
                    rng.integers(0, 1 << 10, count // 2, np.uint16) if deep else rng.integers(0, 256, count, np.uint8)
                )
                plane.update(noise.tobytes())
            for name, value in facts.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_whole_420_clip_is_used_where_it_lies(carphone: Path, tmp_path: Path) -> None:
    source = prepare(carphone, tmp_path / "made")
    assert source.clip == source.pictures == carphone and source.name == carphone.name
    assert (source.frames, source.frame_rate) == (120, Fraction(30000, 1001))
    assert source.pixel_format == "yuv420p" and not (tmp_path / "made").exists()
    assert prepare(carphone, tmp_path / "made", 120, (176, 144)).clip == carphone


def test_a_cut_has_the_samples_of_the_clip(carphone: Path, tmp_path: Path) -> None:
    source = prepare(carphone, tmp_path, frames=4, crop=(101, 60))
    assert source.clip == source.pictures and source.clip.parent == tmp_path
    assert (source.frames, source.frame_rate) == (4, Fraction(30000, 1001))
    (before, whole), (after, cut) = pictures(carphone), pictures(source.clip)
    assert (after.width, after.height, after.colour) == (101, 60, before.colour)
    assert (after.sample_aspect, after.chroma_siting) == (before.sample_aspect, before.chroma_siting)
    x, y = 36, 42  # the middle, at even offsets
    for a, b in zip(whole[:4], cut, strict=True):
        assert np.array_equal(a.y[y : y + 60, x : x + 101], b.y)
        for one, other in ((a.u, b.u), (a.v, b.v)):
            assert np.array_equal(one[y // 2 : y // 2 + 30, x // 2 : x // 2 + 51], other)
    assert len({b.pts - a.pts for a, b in pairwise(cut)}) == 1  # uneven times would cost bytes


def test_full_range_and_ten_bits_stay(tmp_path: Path) -> None:
    clip = made(tmp_path / "a.mkv", "yuv420p10le", color_range=2, colorspace=9, color_primaries=9, color_trc=16)
    source = prepare(clip, tmp_path / "made", frames=2)
    (before, whole), (after, cut) = pictures(clip), pictures(source.clip)
    assert after.bit_depth == 10 and after.colour == before.colour and after.colour.full_range
    assert after.colour.matrix == 9 and source.pixel_format == "yuv420p10le"
    assert all(np.array_equal(a.y, b.y) and np.array_equal(a.v, b.v) for a, b in zip(whole, cut, strict=False))


@pytest.mark.parametrize("pixels", ["bgr0", "yuv444p", "yuv422p10le", "gray", "yuv411p", "gbrp10le"])
def test_other_clips_are_cut_as_they_are_and_coded_as_420(tmp_path: Path, pixels: str) -> None:
    clip = made(tmp_path / "a.mkv", pixels, color_primaries=1, color_trc=1)
    source = prepare(clip, tmp_path / "made", frames=2, crop=(20, 12))
    assert source.clip != source.pictures and source.frames == 2
    (_, whole), (of_clip, cut), (of_pictures, coded) = (
        pictures(clip, rgb=True),
        pictures(source.clip, rgb=True),
        pictures(source.pictures),
    )
    assert source.format == of_clip and of_pictures.colour == of_clip.colour
    assert of_pictures.bit_depth == of_clip.bit_depth and of_clip.frame_rate == Fraction(30000, 1001)
    with Reader(clip) as before, Reader(source.clip) as after:
        assert before.pixel_format == after.pixel_format
    x, y = (4, 4) if pixels == "yuv411p" else (6, 4)
    for a, b, c in zip(whole, cut, coded, strict=False):
        assert all(np.array_equal(p, q) for p, q in zip(b.planes, c.planes, strict=True))
        if pixels in ("bgr0", "gbrp10le"):
            assert a.rgb is not None and b.rgb is not None
            assert np.array_equal(a.rgb[y : y + 12, x : x + 20], b.rgb)
        else:
            assert np.array_equal(a.y[y : y + 12, x : x + 20], b.y)


def test_a_full_range_jpeg_clip_keeps_its_range(bikes: Path, make_clip: Callable[..., Path], tmp_path: Path) -> None:
    clip = tmp_path / "j.mkv"
    _, originals = pictures(make_clip(bikes, 64, 48, 3))
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("mjpeg", 10, width=64, height=48, pix_fmt="yuvj420p")
        for picture in originals:
            samples = np.concatenate([plane.ravel() for plane in picture.planes]).reshape(72, 64)
            frame = av.VideoFrame.from_ndarray(samples, format="yuv420p")
            container.mux(stream.encode(frame.reformat(format="yuvj420p")))
        container.mux(stream.encode(None))
    source = prepare(clip, tmp_path / "made", frames=2)
    (before, whole), (after, cut) = pictures(clip), pictures(source.pictures)
    assert before.colour.full_range and after.colour == before.colour
    pairs = [pair for a, b in zip(whole, cut, strict=False) for pair in zip(a.planes, b.planes, strict=True)]
    assert len(pairs) == 6 and all(np.array_equal(p, q) for p, q in pairs)


def test_what_is_there_is_not_made_again(carphone: Path, tmp_path: Path) -> None:
    first = prepare(carphone, tmp_path, frames=3)
    stamp = first.clip.stat().st_mtime_ns
    assert prepare(carphone, tmp_path, frames=3) == first and first.clip.stat().st_mtime_ns == stamp
    assert prepare(carphone, tmp_path, frames=2).clip != first.clip
    assert prepare(carphone, tmp_path, frames=3, crop=(64, 64)).clip != first.clip
    assert not list(tmp_path.glob("*.part"))


def test_what_cannot_be_made_leaves_nothing(carphone: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="crop of 200x100 does not fit"):
        prepare(carphone, tmp_path, crop=(200, 100))
    with pytest.raises(InputError, match="no such file"):
        prepare(tmp_path / "none.mkv", tmp_path)
    (tmp_path / "empty.y4m").write_bytes(b"")
    with pytest.raises(InputError):
        prepare(tmp_path / "empty.y4m", tmp_path / "made", frames=2)
    assert not (tmp_path / "made").exists() or not list((tmp_path / "made").iterdir())


def test_a_digest_covers_size_start_and_end(tmp_path: Path) -> None:
    path, digests = tmp_path / "a", set()
    for data in (b"", b"a", b"b", bytes(3 << 20), bytes((3 << 20) - 1) + b"x", b"x" + bytes((3 << 20) - 1)):
        path.write_bytes(data)
        digests.add(clip_digest(path))
    assert len(digests) == 6 and all(len(digest) == 12 for digest in digests)
    path.rename(tmp_path / "b")
    assert clip_digest(tmp_path / "b") in digests
