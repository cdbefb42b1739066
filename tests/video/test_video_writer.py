"""Writing, and what survives a round trip through each container."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from nvcodec.errors import OutputError, UsageError
from nvcodec.format import Colour, ContentLight, MasteringDisplay, VideoFormat
from nvcodec.video import Picture, Reader, Writer, probe, yuv420_to_rgb
from nvcodec.video.encoders import CONTAINERS


def read(path: Path, **options: Any) -> tuple[VideoFormat, list[Picture]]:
    with Reader(path, **options) as reader:
        return reader.format, list(reader)


def write(path: Path, fmt: VideoFormat, pictures: Sequence[Picture], **options: Any) -> list[str]:
    with Writer(path, fmt, **options) as writer:
        for picture in pictures:
            writer.write(picture)
    return writer.warnings


def crop(picture: Picture, width: int, height: int) -> Picture:
    half = (slice((height + 1) // 2), slice((width + 1) // 2))
    return replace(picture, y=picture.y[:height, :width], u=picture.u[half], v=picture.v[half])


def deepen(picture: Picture) -> Picture:
    """A 10-bit picture of real content: the 8-bit one, shifted, with low bits that vary."""
    y, u, v = ((plane.astype(np.uint16) << 2) | (plane & 3) for plane in picture.planes)
    return replace(picture, y=y, u=u, v=v)


def equal(ours: Sequence[Picture], theirs: Sequence[Picture]) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(np.array_equal(a, b) for p, q in pairs for a, b in zip(p.planes, q.planes, strict=True))


def psnr(a: np.ndarray, b: np.ndarray, peak: int) -> float:
    return float(10 * np.log10(peak**2 / max(1e-9, np.mean((a.astype(float) - b) ** 2))))


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("size", [(176, 144), (101, 75)])
def test_matroska_is_bit_exact(depth: int, size: tuple[int, int], carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=6)
    pictures = [crop(p, *size) for p in pictures]
    pictures = [deepen(p) for p in pictures] if depth == 10 else pictures
    fmt = replace(fmt, width=size[0], height=size[1], bit_depth=depth)
    assert write(tmp_path / "a.mkv", fmt, pictures) == []
    again, theirs = read(tmp_path / "a.mkv")
    assert equal(pictures, theirs)
    assert replace(again, timebase=fmt.timebase) == fmt  # Matroska counts in milliseconds


@pytest.mark.parametrize(("suffix", "depth"), [(".mp4", 8), (".mp4", 10), (".mov", 8), (".webm", 8)])
def test_lossy_defaults_are_near_lossless(suffix: str, depth: int, bunny: Path, tmp_path: Path) -> None:
    fmt, pictures = read(bunny, start=40, limit=3)
    pictures = [crop(p, 320, 240) for p in pictures]
    pictures = [deepen(p) for p in pictures] if depth == 10 else pictures
    fmt = replace(fmt, width=320, height=240, bit_depth=depth)
    write(tmp_path / f"a{suffix}", fmt, pictures)
    again, theirs = read(tmp_path / f"a{suffix}")
    assert again.bit_depth == depth and len(theirs) == len(pictures)
    peak = (1 << depth) - 1
    assert min(psnr(p.y, q.y, peak) for p, q in zip(pictures, theirs, strict=True)) > 48
    assert min(psnr(p.u, q.u, peak) for p, q in zip(pictures, theirs, strict=True)) > 48


@pytest.mark.parametrize("suffix", [suffix for suffix in CONTAINERS if suffix != ".png"])
def test_every_extension_can_be_written(suffix: str, carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=3)
    write(tmp_path / f"a{suffix.upper()}", fmt, pictures)
    again, theirs = read(tmp_path / f"a{suffix.upper()}")
    assert (again.width, again.height, len(theirs)) == (176, 144, 3)
    assert min(psnr(p.y, q.y, 255) for p, q in zip(pictures, theirs, strict=True)) > 45


@pytest.mark.parametrize("depth", [8, 10])
def test_a_png_holds_one_picture(depth: int, carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=2)
    fmt = replace(fmt, bit_depth=depth)
    if depth == 10:
        pictures = [deepen(picture) for picture in pictures]
    write(tmp_path / "a.png", fmt, pictures[:1])
    with av.open(str(tmp_path / "a.png")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(shown, yuv420_to_rgb(pictures[0], fmt))
    with pytest.raises(UsageError, match="--frames"):
        write(tmp_path / "b.png", fmt, pictures)
    with pytest.raises(UsageError, match="--crf"):
        Writer(tmp_path / "c.png", fmt, crf=3)


def test_crf_and_codec_can_be_chosen(bikes: Path, tmp_path: Path) -> None:
    fmt, pictures = read(bikes, limit=3)
    sizes = []
    for crf in (10, 35):
        write(tmp_path / "a.mp4", fmt, pictures, vcodec="hevc", crf=crf, threads=1)
        assert probe(tmp_path / "a.mp4").codec == "hevc"
        sizes.append((tmp_path / "a.mp4").stat().st_size)
    assert sizes[0] > 3 * sizes[1]


def test_odd_sizes_are_padded_where_the_codec_wants_even_ones(carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=2)
    pictures = [crop(p, 101, 75) for p in pictures]
    warnings = write(tmp_path / "a.mp4", replace(fmt, width=101, height=75), pictures)
    assert any("101x75 is padded to 102x76" in warning for warning in warnings)
    again, theirs = read(tmp_path / "a.mp4")
    assert (again.width, again.height) == (102, 76)
    assert psnr(theirs[0].y[:75, :101], pictures[0].y, 255) > 45


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_survives(name: str, rotation: int, carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=1)
    write(tmp_path / name, replace(fmt, rotation=rotation), pictures)
    assert probe(tmp_path / name).format.rotation == rotation


HDR = {
    "colour": Colour(9, 16, 9, False),
    "mastering": MasteringDisplay(((35400, 14600), (8500, 39850), (6550, 2300)), (15635, 16450), 40000000, 50),
    "content_light": ContentLight(1000, 400),
    "chroma_siting": 3,
}


@pytest.mark.parametrize(("name", "vcodec"), [("a.mp4", None), ("a.mp4", "hevc"), ("a.mkv", "hevc"), ("a.mov", None)])
def test_hdr10_facts_survive(name: str, vcodec: str | None, carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=2)
    fmt = replace(fmt, bit_depth=10, **HDR)
    assert write(tmp_path / name, fmt, [deepen(p) for p in pictures], vcodec=vcodec, threads=1) == []
    again = probe(tmp_path / name).format
    assert replace(again, timebase=fmt.timebase) == fmt


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("colour", [Colour(1, 1, 1, False), Colour(1, 13, 6, True), Colour(2, 2, 2, True)])
@pytest.mark.parametrize("siting", [1, 2])
def test_colour_survives(name: str, colour: Colour, siting: int, carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=1)
    fmt = replace(fmt, colour=colour, chroma_siting=siting)
    write(tmp_path / name, fmt, pictures)
    again = probe(tmp_path / name).format
    assert (again.colour, again.chroma_siting) == (colour, siting)


def test_what_a_codec_cannot_hold_is_said(carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=1)
    warnings = write(tmp_path / "a.mkv", replace(fmt, **HDR), pictures)
    assert warnings == ["ffv1 cannot hold mastering display and light level: dropped"]


def test_what_y4m_cannot_hold_is_said(carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=1)
    turned = ["y4m cannot say that pictures are turned by 90 degrees: they are shown unturned"]
    hdr = ["y4m cannot hold HDR or wide-gamut colour facts: dropped"]
    for changes, wanted in (
        ({}, []),
        ({"colour": Colour(1, 1, 1, False)}, []),
        ({"rotation": 90}, turned),
        ({"colour": Colour(9, 18, 9, False)}, hdr),
        ({"content_light": ContentLight(1000, 400)}, hdr),
        ({"rotation": 90, **HDR}, turned + hdr),
    ):
        assert write(tmp_path / "a.y4m", replace(fmt, **changes), pictures) == wanted


@pytest.mark.parametrize("timebase", [Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 1000)])
def test_variable_timestamps_are_exact_in_mp4(timebase: Fraction, carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=5)
    ticks = [700, 703, 709, 750, 751, 760]
    pictures = [replace(p, pts=t, duration=n - t) for p, t, n in zip(pictures, ticks[:-1], ticks[1:], strict=True)]
    write(tmp_path / "a.mp4", replace(fmt, timebase=timebase), pictures)
    again, theirs = read(tmp_path / "a.mp4")
    assert [p.pts * again.timebase for p in theirs] == [t * timebase for t in ticks[:-1]]
    assert [p.duration * again.timebase for p in theirs] == [(b - a) * timebase for a, b in itertools.pairwise(ticks)]


def test_wrong_choices_are_usage_errors(carphone: Path, tmp_path: Path) -> None:
    fmt, _ = read(carphone, limit=0)
    for name, options, words in (
        ("a.xyz", {}, "extension"),
        ("a.mp4", {"vcodec": "nonsense"}, "no encoder"),
        ("a.mp4", {"vcodec": "aac"}, "no video codec"),
        ("a.mkv", {"crf": 20.0}, "no such setting"),
        ("a.webm", {"vcodec": "h264"}, "cannot hold"),
        ("a.y4m", {"crf": 20.0}, "raw video"),
    ):
        with pytest.raises(UsageError, match=words):
            Writer(tmp_path / name, fmt, **options)
    with pytest.raises(UsageError, match="cannot write yuv420p10le"):
        Writer(tmp_path / "a.webm", replace(fmt, bit_depth=10), vcodec="vp9")
    with Writer(tmp_path / "a.mkv", replace(fmt, width=8)) as writer, pytest.raises(UsageError, match="plane y"):
        writer.write(Picture(*(np.zeros((4, 4), np.uint8) for _ in range(3))))


class FullDisk(io.BytesIO):
    """A file on a disk with room for a few kilobytes."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 20000:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("container", ["mp4", "matroska", "y4m"])
def test_a_full_disk_is_one_clear_line(container: str, carphone: Path) -> None:
    fmt, pictures = read(carphone, limit=30)
    with (
        pytest.raises(OutputError, match="the disk is full") as caught,
        Writer(FullDisk(), fmt, container=container) as writer,
    ):
        for picture in pictures:
            writer.write(picture)
    assert "\n" not in str(caught.value)


def test_a_target_that_cannot_be_opened(carphone: Path, tmp_path: Path) -> None:
    fmt, _ = read(carphone, limit=0)
    with pytest.raises(OutputError, match="No such file"):
        Writer(tmp_path / "none" / "a.mp4", fmt)
    with pytest.raises(OutputError, match="directory"):
        (tmp_path / "b.mkv").mkdir()
        Writer(tmp_path / "b.mkv", fmt)


def test_the_same_pictures_give_the_same_bytes(carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=3)
    for name in ("a.mkv", "a.mp4"):
        write(tmp_path / name, fmt, pictures, threads=1)
        first = (tmp_path / name).read_bytes()
        write(tmp_path / name, fmt, pictures, threads=1)
        assert (tmp_path / name).read_bytes() == first


def test_av_reads_the_sample_aspect_of_ffv1(carphone: Path, tmp_path: Path) -> None:
    fmt, pictures = read(carphone, limit=1)
    write(tmp_path / "a.mkv", fmt, pictures)
    with av.open(str(tmp_path / "a.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"
    assert probe(tmp_path / "a.mkv").format.sample_aspect == Fraction(128, 117)
