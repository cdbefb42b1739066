"""A file in, a file out: pictures, sound, timing, formats, pipes."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import nvcodec
from nvcodec.errors import FormatError, ResumeError, UsageError
from nvcodec.video import Picture, Reader, Writer, probe

pytestmark = pytest.mark.usefixtures("few_steps")

ENCODE = """
settings = {"codec": "hnerv", "preset": "faster", "gof": 8, "threads": 1}
result = nvcodec.encode(sys.argv[1], sys.argv[2], **{**settings, **json.loads(sys.argv[3])})
"""
DECODE = "nvcodec.decode(sys.argv[1], sys.argv[2], threads=1)"


def pictures_of(path: Path) -> list[Picture]:
    with Reader(path, audio=False) as reader:
        return list(reader)


def test_a_fresh_process_decodes_the_same_pictures_and_the_very_sound(talkie, child, sound, tiny, tmp_path):
    coded = tmp_path / "a.nvc"
    assert child(ENCODE, talkie, coded, "{}").returncode == 0
    child(DECODE, coded, tmp_path / "b.mkv", check=True)
    assert sound(tmp_path / "b.mkv") == sound(talkie) != []
    shown = pictures_of(tmp_path / "b.mkv")
    assert [p.pts for p in shown] == [p.pts for p in pictures_of(talkie)]
    with nvcodec.open(coded) as video:
        for index, picture in enumerate(shown):
            for theirs, ours in zip(picture.planes, video.picture(index).planes, strict=True):
                assert np.array_equal(theirs, ours)


def test_no_audio_at_either_end(talkie, sound, tiny, tmp_path):
    nvcodec.encode(talkie, tmp_path / "silent.nvc", audio=False, **tiny)
    nvcodec.decode(tmp_path / "silent.nvc", tmp_path / "silent.mkv")
    nvcodec.encode(talkie, tmp_path / "loud.nvc", **tiny)
    nvcodec.decode(tmp_path / "loud.nvc", tmp_path / "muted.mkv", audio=False)
    assert nvcodec.info(tmp_path / "silent.nvc")["tracks"] == []
    assert len(nvcodec.info(tmp_path / "loud.nvc")["tracks"]) == 1
    assert sound(tmp_path / "silent.mkv") == sound(tmp_path / "muted.mkv") == []


def test_frames_and_y4m_drop_the_sound(talkie, sound, tiny, tmp_path):
    nvcodec.encode(talkie, tmp_path / "a.nvc", **tiny)
    nvcodec.decode(tmp_path / "a.nvc", tmp_path / "cut.mkv", frames=(3, 11))
    assert sound(tmp_path / "cut.mkv") == []
    assert next(p.pts for p in pictures_of(tmp_path / "cut.mkv")) == 0
    result = nvcodec.decode(tmp_path / "a.nvc", tmp_path / "a.y4m")
    assert any("y4m" in warning and "audio" in warning for warning in result.warnings)


def test_y4m_from_a_pipe_and_nvc_through_pipes(clip, child, tmp_path):
    code = 'nvcodec.encode("-", "-", codec="hnerv", preset="faster", gof=8, threads=1)'
    stream = child(code, input=clip.read_bytes())
    assert stream.returncode == 0 and stream.stderr == b""
    y4m = child('nvcodec.decode("-", "-", threads=1)', input=stream.stdout)
    (tmp_path / "a.nvc").write_bytes(stream.stdout)
    nvcodec.decode(tmp_path / "a.nvc", tmp_path / "a.y4m", threads=1)
    assert y4m.stdout == (tmp_path / "a.y4m").read_bytes()
    assert y4m.stdout.count(b"FRAME\n") == 24
    report = nvcodec.verify(tmp_path / "a.nvc")
    assert report.ok and report.pictures_ok == 3


@pytest.mark.parametrize("goal", [{"size": 9000}, {"time_budget": 60}])
def test_a_pipe_does_not_tell_its_length(clip, goal, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(clip.read_bytes())))
    with pytest.raises(UsageError, match=next(iter(goal)).replace("_", "-")):
        nvcodec.encode("-", tmp_path / "a.nvc", **goal)


def test_no_resume_into_or_from_a_pipe(clip, coded, tmp_path):
    with pytest.raises(ResumeError, match="pipe"):
        nvcodec.encode(clip, "-", resume=True)
    (tmp_path / "a.nvc.part").write_bytes(coded.read_bytes())
    with pytest.raises(ResumeError, match="pipe"):
        nvcodec.encode("-", tmp_path / "a.nvc", resume=True)


def test_a_cut_or_damaged_stream_from_a_pipe(coded, monkeypatch, tmp_path):
    data = coded.read_bytes()
    first = nvcodec.info(coded)["groups"][0]["bytes"]

    def piped(stream: bytes) -> nvcodec.DecodeResult:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stream)))
        return nvcodec.decode("-", tmp_path / "a.y4m", overwrite=True)

    result = piped(data[: len(data) // 2])
    assert result.truncated and result.frames == 8
    hurt = bytearray(data)
    hurt[first // 2 + 400] ^= 4
    result = piped(bytes(hurt))
    assert not result.truncated and result.frames == 16 and len(result.damaged) == 1
    for stream in (b"", data[:20], data[:200]):
        with pytest.raises(FormatError):
            piped(stream)


def test_the_same_call_gives_the_same_bytes(clip, coded, child, tmp_path):
    assert child(ENCODE, clip, tmp_path / "again.nvc", json.dumps({"quality": 10})).returncode == 0
    assert (tmp_path / "again.nvc").read_bytes() == coded.read_bytes()
    assert child(ENCODE, clip, tmp_path / "other.nvc", json.dumps({"quality": 10, "seed": 1})).returncode == 0
    assert (tmp_path / "other.nvc").read_bytes() != coded.read_bytes()


@pytest.mark.parametrize("codec", ["hnerv", "nerv"])
def test_what_the_encoder_says_is_what_the_file_has(clip, codec, tiny, tmp_path):
    seen = []
    result = nvcodec.encode(clip, tmp_path / "a.nvc", quality=30, on_progress=seen.append, **{**tiny, "codec": codec})
    found = nvcodec.evaluate(clip, tmp_path / "a.nvc", threads=1)
    assert result.bytes == (tmp_path / "a.nvc").stat().st_size == found["bytes"]
    assert result.estimated_bytes == pytest.approx(result.payload_bytes, rel=0.02)
    assert result.psnr_yuv == pytest.approx(found["psnr_yuv"], abs=1e-6)
    assert result.bpp == pytest.approx(found["bpp"]) == pytest.approx(8 * result.bytes / (64 * 48 * 24))
    assert (result.frames, result.groups) == (24, 3)
    assert nvcodec.info(tmp_path / "a.nvc")["codec"] == codec
    assert seen[-1].frames_done == seen[-1].frames_total == 24 and seen[-1].fraction == 1.0


def write_video(path: Path, source: Path, **changes: object) -> list[Picture]:
    """``source`` again with other facts, lossless."""
    from dataclasses import replace

    with Reader(source) as reader:
        pictures, fmt = list(reader), replace(reader.format, **changes)
    with Writer(path, fmt) as writer:
        for picture in pictures:
            writer.write(picture)
    return pictures


def test_ten_bits_stay_ten_bits(clip, tiny, tmp_path):
    with Reader(clip) as reader:
        from dataclasses import replace

        fmt, pictures = replace(reader.format, bit_depth=10), list(reader)[:8]
    with Writer(tmp_path / "deep.mkv", fmt) as writer:
        for p in pictures:
            y, u, v = (plane.astype(np.uint16) * 4 + 3 for plane in p.planes)
            writer.write(Picture(y, u, v, p.pts, p.duration))
    nvcodec.encode(tmp_path / "deep.mkv", tmp_path / "deep.nvc", **tiny)
    nvcodec.decode(tmp_path / "deep.nvc", tmp_path / "back.mkv")
    assert probe(tmp_path / "back.mkv").format.bit_depth == 10
    with nvcodec.open(tmp_path / "deep.nvc") as video:
        assert video.picture(0).planes[0].dtype == np.uint16
        assert video[0].dtype == np.uint8


def test_rotation_and_colour_survive(clip, tiny, tmp_path):
    from nvcodec.format import Colour

    colour = Colour(9, 16, 9, False)
    write_video(tmp_path / "in.mkv", clip, rotation=90, colour=colour, sample_aspect=Fraction(4, 3))
    assert probe(tmp_path / "in.mkv").format.rotation == 90
    nvcodec.encode(tmp_path / "in.mkv", tmp_path / "a.nvc", **tiny)
    nvcodec.decode(tmp_path / "a.nvc", tmp_path / "out.mkv")
    fmt = probe(tmp_path / "out.mkv").format
    assert (fmt.rotation, fmt.colour, fmt.sample_aspect) == (90, colour, Fraction(4, 3))


def test_variable_timestamps_survive(clip, tiny, tmp_path):
    times = [0, 40, 120, 133, 300, 340, 341, 900, 940, 980, 1100, 2000]
    with Reader(clip) as reader:
        from dataclasses import replace

        fmt, pictures = replace(reader.format, timebase=Fraction(1, 1000)), list(reader)
    with Writer(tmp_path / "vfr.mkv", fmt) as writer:
        for p, pts in zip(pictures, times, strict=False):
            writer.write(Picture(*p.planes, pts, 40))
    nvcodec.encode(tmp_path / "vfr.mkv", tmp_path / "vfr.nvc", **tiny)
    nvcodec.decode(tmp_path / "vfr.nvc", tmp_path / "back.mkv")
    with Reader(tmp_path / "back.mkv") as reader:
        assert [p.pts * reader.format.timebase for p in reader] == [Fraction(t, 1000) for t in times]


SIZES = [(63, 47, 3), (2, 2, 1), (2, 2, 3), (16, 16, 1), (1, 1, 2), (16, 272, 2), (400, 16, 2), (18, 34, 9)]


@pytest.mark.parametrize(("width", "height", "frames"), SIZES)
@pytest.mark.parametrize("codec", ["hnerv", "nerv"])
def test_any_size(make_clip, bikes, codec, width, height, frames, tiny, tmp_path):
    source = make_clip(bikes, width, height, frames)
    result = nvcodec.encode(source, tmp_path / "a.nvc", **{**tiny, "codec": codec})
    nvcodec.decode(tmp_path / "a.nvc", tmp_path / "a.mkv")
    shown = pictures_of(tmp_path / "a.mkv")
    assert len(shown) == result.frames == frames
    assert shown[0].planes[0].shape == (height, width)
    assert nvcodec.verify(tmp_path / "a.nvc").ok
    assert nvcodec.evaluate(source, tmp_path / "a.nvc")["frames"] == frames


def test_a_named_pipe_at_either_end(clip, tiny, tmp_path):
    import os
    import threading

    pipe = tmp_path / "pipe.y4m"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    feeder.start()
    nvcodec.encode(pipe, tmp_path / "a.nvc", **tiny)
    feeder.join()
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    nvcodec.decode(tmp_path / "a.nvc", pipe)
    reader.join()
    assert pipe.is_fifo() and got[0].count(b"FRAME\n") == 24
    coded = tmp_path / "coded"
    os.mkfifo(coded)
    feeder = threading.Thread(target=lambda: coded.write_bytes((tmp_path / "a.nvc").read_bytes()))
    feeder.start()
    assert nvcodec.decode(coded, tmp_path / "b.y4m").frames == 24
    feeder.join()


def test_mp4_by_default_is_near_lossless(coded, tmp_path):
    nvcodec.decode(coded, tmp_path / "a.mp4")
    nvcodec.decode(coded, tmp_path / "a.y4m")
    pairs = zip(pictures_of(tmp_path / "a.mp4"), pictures_of(tmp_path / "a.y4m"), strict=True)
    error = np.mean([np.square(a.planes[0].astype(float) - b.planes[0]).mean() for a, b in pairs])
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 45
    with av.open(io.BytesIO((tmp_path / "a.mp4").read_bytes())) as container:
        assert container.streams.video[0].codec_context.name == "h264"
