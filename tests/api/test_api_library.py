"""Several videos in one file: a later one leaves the earlier ones as they were, each is found, mistakes have a line."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import nvcodec
from nvcodec.codecs import sizing
from nvcodec.codecs.registry import get_codec
from nvcodec.container import crc32c
from nvcodec.errors import DamagedError, FormatError, InputError, ResumeError, UnsupportedError, UsageError

FRAMES = 6
PFNR = {"codec": "pfnr", "preset": "faster", "threads": 1}
LATER = {"preset": "faster", "threads": 1, "append": True}


@pytest.fixture(scope="module")
def clips(make_clip, carphone, bikes) -> list[Path]:
    return [make_clip(carphone, 48, 32, FRAMES), make_clip(bikes, 48, 32, FRAMES), make_clip(carphone, 32, 32, 4)]


@pytest.fixture(scope="module")
def stages(clips, tmp_path_factory) -> list[bytes]:
    """The file after one, two and three videos; the first in two groups."""
    path, out = tmp_path_factory.mktemp("library") / "l.nvc", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizing.FEWEST_STEPS, "faster", 20)
        patch.setitem(sizing.EPOCHS, "faster", 0)
        nvcodec.encode(clips[0], path, gof=4, **PFNR)
        out.append(path.read_bytes())
        for clip in clips[1:]:
            nvcodec.encode(clip, path, **LATER)
            out.append(path.read_bytes())
    return out


@pytest.fixture
def library(stages, tmp_path) -> Path:
    path = tmp_path / "library.nvc"
    path.write_bytes(stages[-1])
    return path


def frames(path: Path, video: int | None = None) -> list[np.ndarray]:
    with nvcodec.open(path, video=video) as opened:
        return [plane for index in range(len(opened)) for plane in opened.picture(index).planes]


def test_earlier_videos_are_bit_for_bit_as_they_were(stages, tmp_path):
    assert stages[1].startswith(stages[0]) and stages[2].startswith(stages[1])
    before: list[list[np.ndarray]] = []
    for count, data in enumerate(stages, 1):
        path = tmp_path / f"{count}.nvc"
        path.write_bytes(data)
        shown = [frames(path, video) for video in range(count)]
        for old, new in zip(before, shown, strict=False):
            assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))
        before = shown


def test_each_video_is_decoded_in_a_fresh_process(library, clips, tmp_path, child):
    for video, (clip, count) in enumerate(zip(clips, (FRAMES, FRAMES, 4), strict=True)):
        out = tmp_path / f"{video}.y4m"
        code = f"nvcodec.decode(sys.argv[1], sys.argv[2], video={video}, workers=2)"
        assert child(code, library, out).returncode == 0
        with nvcodec.open(library, video=video) as opened:
            assert len(opened) == count
        assert out.stat().st_size > clip.stat().st_size * 0 + count * 32 * 32
    part = tmp_path / "part.y4m"
    assert nvcodec.decode(library, part, video=0, frames=(4, 6)).frames == 2  # of the second group


def test_info_lists_and_verify_reads_all(library, stages, tmp_path):
    facts = nvcodec.info(library)
    assert [video["number"] for video in facts["videos"]] == [0, 1, 2]
    assert [video["frames"] for video in facts["videos"]] == [FRAMES, FRAMES, 4]
    assert [[g["depends_on"] for g in video["groups"]] for video in facts["videos"]] == [[None, 0], [-1], [-1]]
    assert facts["file_size"] == len(stages[-1]) == sum(video["file_size"] for video in facts["videos"])
    report = nvcodec.verify(library)
    assert report.ok and (report.groups, report.symbols_ok, report.pictures_ok) == (4, 4, 4)
    alone = tmp_path / "one.nvc"
    alone.write_bytes(stages[0])
    assert "videos" not in nvcodec.info(alone) and nvcodec.verify(alone).ok
    assert nvcodec.decode(alone, tmp_path / "one.y4m").frames == FRAMES


def test_each_is_measured_against_its_source(library, clips):
    for video, clip in enumerate(clips):
        result = nvcodec.evaluate(clip, library, video=video, threads=1)
        assert result["frames"] == (FRAMES, FRAMES, 4)[video] and result["psnr_yuv"] > 10
        assert result["bytes"] == nvcodec.info(library)["videos"][video]["file_size"]
    with pytest.raises(UsageError, match="holds 3 videos"):
        nvcodec.evaluate(clips[0], library)


@pytest.mark.parametrize("video", [None, 3, 65535])
def test_a_video_that_is_not_there(library, tmp_path, video):
    with pytest.raises(UsageError, match="holds 3 videos"):
        nvcodec.decode(library, tmp_path / "a.y4m", video=video)
    with pytest.raises(UsageError, match="holds 3 videos"):
        nvcodec.open(library, video=video)
    assert not list(tmp_path.glob("*.y4m*"))


def test_a_plain_file_is_video_0(make_clip, carphone, tmp_path, few_steps):
    path = tmp_path / "plain.nvc"
    nvcodec.encode(make_clip(carphone, 32, 32, 2), path, codec="nerv", preset="faster", threads=1)
    assert nvcodec.decode(path, tmp_path / "a.y4m", video=0).frames == 2
    with pytest.raises(UsageError, match="one video"):
        nvcodec.decode(path, tmp_path / "b.y4m", video=1)
    data = path.read_bytes()
    with pytest.raises(UsageError, match="no library but one video of codec nerv"):
        nvcodec.encode(make_clip(carphone, 32, 32, 2), path, **LATER)
    assert path.read_bytes() == data


def test_what_cannot_be_appended(library, clips, make_clip, carphone, tmp_path):
    data = library.read_bytes()
    with pytest.raises(InputError, match="no library"):
        nvcodec.encode(clips[0], tmp_path / "none.nvc", **LATER)
    with pytest.raises(UsageError, match="nothing of hnerv"):
        nvcodec.encode(clips[0], library, codec="hnerv", **LATER)
    with pytest.raises(UsageError, match="does not go with --resume"):
        nvcodec.encode(clips[0], library, resume=True, **LATER)
    with pytest.raises(UsageError, match="at most 48x32"):
        nvcodec.encode(make_clip(carphone, 96, 64, 2), library, **LATER)
    with pytest.raises(UsageError, match="--keyint is not for pfnr"):
        nvcodec.encode(clips[0], library, keyint=8, **LATER)
    (tmp_path / "no.nvc").write_bytes(b"this is no nvc file at all")
    with pytest.raises(FormatError):
        nvcodec.encode(clips[0], tmp_path / "no.nvc", **LATER)
    assert library.read_bytes() == data and not Path(f"{library}.part").exists()


def test_a_library_of_a_newer_version_is_not_touched(library, clips):
    data = bytearray(library.read_bytes())
    head = 8
    (length,) = struct.unpack_from("<I", data, head + 5)
    data[head + 9] = 2  # major
    struct.pack_into("<I", data, head + 9 + length, crc32c(bytes(data[head : head + 9 + length])))
    library.write_bytes(data)
    with pytest.raises(UnsupportedError, match=r"version 2\.0"):
        nvcodec.encode(clips[0], library, **LATER)
    assert library.read_bytes() == data


def test_a_cut_library_is_read_but_takes_nothing_more(library, clips, tmp_path):
    data = library.read_bytes()
    library.write_bytes(data[:-40])
    assert nvcodec.decode(library, tmp_path / "a.y4m", video=1).frames == FRAMES
    with pytest.raises(ResumeError, match="no sound end"):
        nvcodec.encode(clips[0], library, **LATER)
    assert library.read_bytes() == data[:-40]


def test_damage_in_an_earlier_video_is_named(library, stages, tmp_path):
    data = bytearray(library.read_bytes())
    data[len(stages[0]) - 300] ^= 0x55
    library.write_bytes(data)
    with pytest.raises(DamagedError, match="video 2 builds on video 0, which is damaged"):
        nvcodec.decode(library, tmp_path / "a.y4m", video=2)
    assert not nvcodec.verify(library).ok


def test_a_failed_append_leaves_the_library_alone(library, clips, monkeypatch):
    data = library.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise UsageError("on the way")

    monkeypatch.setattr(type(get_codec("pfnr")), "encode_group", fail)
    with pytest.raises(UsageError, match="on the way"):
        nvcodec.encode(clips[0], library, **LATER)
    assert library.read_bytes() == data and not Path(f"{library}.part").exists()


def test_what_an_earlier_append_left_is_named(library, clips):
    """And not by an option that appending does not have."""
    left = library.with_name(library.name + ".part")
    left.write_bytes(b"left")
    with pytest.raises(ResumeError, match=r"is left from an earlier encode: -y drops it$"):
        nvcodec.encode(clips[2], library, **LATER)
    assert left.read_bytes() == b"left"


def test_goals_are_of_what_is_added(library, clips):
    before = library.stat().st_size
    result = nvcodec.encode(clips[1], library, size=2500, **LATER)
    assert library.stat().st_size - before == result.bytes <= 2500
