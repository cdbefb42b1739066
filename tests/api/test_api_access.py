"""Frames by index, parts of files, files put together."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import nvcodec
from nvcodec.errors import DamagedError, FormatError, InputError, NvcodecError, UsageError
from nvcodec.video import Reader

pytestmark = pytest.mark.usefixtures("few_steps")


def test_a_video_behaves_like_a_sequence(coded):
    with nvcodec.open(coded) as video:
        assert len(video) == 24 and video.frame_rate == Fraction(25)
        assert video[0].shape == (48, 64, 3) and video[0].dtype == np.uint8
        assert np.array_equal(video[-1], video[23])
        assert np.array_equal(video[5:20:7], np.stack([video[5], video[12], video[19]]))
        assert np.array_equal(video[::-8], np.stack([video[23], video[15], video[7]]))
        assert video[9:9].shape == (0, 48, 64, 3)
        assert np.array_equal(np.stack(list(video)), video[:])
        assert video.tensor(3).shape == (3, 48, 64) and video.tensor(slice(2, 4)).shape == (2, 3, 48, 64)
        assert float(video.tensor(3).max()) == video[3].max() / np.float32(255)
        for index in (24, -25, 10**30):
            with pytest.raises(IndexError):
                video[index]
        with pytest.raises(TypeError):
            video[1.5]  # type: ignore[call-overload]


def test_after_closing_it_says_so(coded):
    video = nvcodec.open(coded)
    video.close()
    with pytest.raises((NvcodecError, ValueError)):
        video[0]


def test_a_frame_reads_its_own_group_only(coded):
    groups = nvcodec.info(coded)["groups"]
    with nvcodec.open(coded) as video:
        before = video.bytes_read
        video[17]
        assert groups[2]["bytes"] <= video.bytes_read - before <= groups[2]["bytes"] + 64
        video[23]
        assert video.bytes_read - before <= groups[2]["bytes"] + 64
        assert before < coded.stat().st_size - sum(group["bytes"] for group in groups) + 200


def counted(monkeypatch) -> list[tuple[int, int]]:
    """What the container reads from now on: (offset, count)."""
    from nvcodec.container.source import Source

    reads: list[tuple[int, int]] = []
    original = Source.read

    def read(self: Source, offset: int, count: int) -> bytes:
        reads.append((offset, count))
        return original(self, offset, count)

    monkeypatch.setattr(Source, "read", read)
    return reads


@pytest.mark.parametrize(("start", "stop"), [(8, 16), (9, 10), (5, 20), (0, 24), (23, 24)])
def test_a_cut_has_the_frames_of_the_whole(coded, start, stop, monkeypatch, tmp_path):
    nvcodec.decode(coded, tmp_path / "whole.y4m")
    reads = counted(monkeypatch)
    result = nvcodec.decode(coded, tmp_path / "cut.y4m", frames=(start, stop))
    header, *whole = (tmp_path / "whole.y4m").read_bytes().split(b"FRAME\n")
    assert (tmp_path / "cut.y4m").read_bytes().split(b"FRAME\n") == [header, *whole[start:stop]]
    assert result.frames == stop - start and not result.truncated
    monkeypatch.undo()
    entries = nvcodec.info(coded)["groups"]
    outside = [g for g in entries if g["first_frame"] >= stop or g["first_frame"] + g["frame_count"] <= start]
    if (start, stop) != (0, 24):
        assert sum(count for _, count in reads) <= coded.stat().st_size - sum(g["bytes"] for g in outside) + 400


@pytest.mark.parametrize("frames", [(0, 25), (5, 5), (7, 3), (-1, 4), (24, 25), (-25, None), (24, None), (None, -24)])
def test_a_range_outside_the_video(coded, frames, tmp_path):
    with pytest.raises(UsageError, match="--frames"):
        nvcodec.decode(coded, tmp_path / "a.y4m", frames=frames)
    assert not list(tmp_path.iterdir())


def test_one_file_after_another_is_one_video(coded, tmp_path):
    both = tmp_path / "both.nvc"
    both.write_bytes(coded.read_bytes() * 2)
    with nvcodec.open(both) as video, nvcodec.open(coded) as alone:
        assert len(video) == 48
        assert np.array_equal(video[24:], alone[:])
        assert video.picture(24).pts == alone.picture(23).pts + 1
    result = nvcodec.decode(both, tmp_path / "both.mkv")
    assert result.frames == 48
    with Reader(tmp_path / "both.mkv") as reader:
        times = [float(p.pts * reader.format.timebase) for p in reader]
    assert times == pytest.approx([n / 25 for n in range(48)], abs=1e-3)
    assert nvcodec.verify(both).ok and nvcodec.info(both)["frames"] == 48


def test_unlike_files_are_not_joined_in_silence(coded, make_clip, bikes, tiny, tmp_path):
    nvcodec.encode(make_clip(bikes, 32, 32, 2), tmp_path / "small.nvc", **tiny)
    (tmp_path / "both.nvc").write_bytes(coded.read_bytes() + (tmp_path / "small.nvc").read_bytes())
    with pytest.raises(NvcodecError) as caught:
        nvcodec.decode(tmp_path / "both.nvc", tmp_path / "a.mkv")
    assert "\n" not in str(caught.value) and "width 64 / 32" in str(caught.value)


def test_a_cut_file_gives_every_whole_group(coded, tmp_path):
    entries = nvcodec.info(coded)["groups"]
    cut = tmp_path / "cut.nvc"
    cut.write_bytes(coded.read_bytes()[: coded.stat().st_size - entries[2]["bytes"]])
    result = nvcodec.decode(cut, tmp_path / "a.y4m")
    assert result.truncated and result.frames == 16
    nvcodec.decode(coded, tmp_path / "whole.y4m")
    assert (tmp_path / "whole.y4m").read_bytes().startswith((tmp_path / "a.y4m").read_bytes())
    assert nvcodec.info(cut)["truncated"] and nvcodec.verify(cut).truncated


def test_a_damaged_group_costs_only_itself(clip, coded, tmp_path):
    entries = nvcodec.info(coded)["groups"]
    data = bytearray(coded.read_bytes())
    at = len(data) - entries[2]["bytes"] - 200  # inside the second group
    data[at] ^= 0xFF
    hurt = tmp_path / "hurt.nvc"
    hurt.write_bytes(data)
    result = nvcodec.decode(hurt, tmp_path / "a.y4m")
    assert result.frames == 16 and len(result.damaged) == 1 and not result.truncated
    whole = nvcodec.decode(coded, tmp_path / "whole.y4m")
    header, *frames = (tmp_path / "whole.y4m").read_bytes().split(b"FRAME\n")
    assert (tmp_path / "a.y4m").read_bytes().split(b"FRAME\n") == [header, *frames[:8], *frames[16:]]
    assert whole.damaged == []
    cut = nvcodec.decode(hurt, tmp_path / "cut.y4m", frames=(4, 20))
    assert cut.frames == 8 and len(cut.damaged) == 1
    report = nvcodec.verify(hurt)
    assert not report.ok and len(report.damage) == 1 and report.symbols_ok == 2
    with nvcodec.open(hurt) as video:
        video[0], video[23]
        with pytest.raises(DamagedError):
            video[9]
    found = nvcodec.evaluate(clip, hurt)
    assert found["frames"] == 16 and len(found["damaged"]) == 1
    with nvcodec.open(coded) as video:
        assert found["psnr_yuv"] == pytest.approx(np.mean(psnrs(clip, video, [*range(8), *range(16, 24)])), abs=1e-6)


def psnrs(clip, video, frames) -> list[float]:
    from nvcodec.metrics.psnr import psnr_yuv

    with Reader(clip) as reader:
        pictures = list(reader)
    return [psnr_yuv(pictures[i].planes, video.picture(i).planes, 8) for i in frames]


def test_evaluate_tells_what_the_readme_promises(clip, coded):
    found = nvcodec.evaluate(clip, coded, threads=1)
    wanted = {"bytes", "video_bytes", "bpp", "psnr_yuv", "psnr_rgb", "ms_ssim", "frames", "decode_fps"}
    assert wanted <= found.keys()
    with nvcodec.open(coded) as video:
        assert found["psnr_yuv"] == pytest.approx(np.mean(psnrs(clip, video, range(24))), abs=1e-6)


def test_evaluate_refuses_another_source(coded, make_clip, bikes):
    with pytest.raises(InputError, match="width"):
        nvcodec.evaluate(make_clip(bikes, 32, 32, 2), coded)
    with pytest.raises(InputError, match="fewer frames"):
        nvcodec.evaluate(make_clip(bikes, 64, 48, 20), coded)
    with pytest.raises(InputError, match="more frames"):
        nvcodec.evaluate(make_clip(bikes, 64, 48, 25), coded)
    with pytest.raises(NvcodecError):
        nvcodec.evaluate(coded, coded)
    with pytest.raises(NvcodecError):
        nvcodec.evaluate(make_clip(bikes, 64, 48, 20), make_clip(bikes, 64, 48, 20))


@pytest.mark.parametrize("frames", [(20, None), (None, 3), (-3, None), (-3, -1), (2, -20), (None, None)])
def test_open_and_negative_ends_are_those_of_slices(coded, frames, tmp_path):
    result = nvcodec.decode(coded, tmp_path / "a.y4m", frames=frames)
    assert result.frames == len(range(24)[slice(*frames)])


def test_what_is_wrong_with_a_file_names_it_once(clip, tmp_path):
    for call in (nvcodec.info, nvcodec.verify, nvcodec.open, lambda path: nvcodec.decode(path, tmp_path / "a.mkv")):
        with pytest.raises(FormatError) as caught:
            call(clip)
        assert str(caught.value).startswith(f"{clip}: ") and str(caught.value).count(clip.name) == 1


def test_an_absent_picture_hash_does_not_differ(coded, monkeypatch):
    from dataclasses import replace

    from nvcodec.api import inspect

    opened = inspect.GroupOpener.open

    def without(*arguments, **options):
        found = opened(*arguments, **options)
        return replace(found, group=replace(found.group, picture_hash=bytes(8)))

    monkeypatch.setattr(inspect.GroupOpener, "open", without)
    report = nvcodec.verify(coded)
    assert report.ok and report.symbols_ok == 3 and report.pictures_ok == 0 and report.pictures_differ == []


def test_info_tells_what_a_codec_says_of_its_network(coded, monkeypatch):
    from nvcodec.api import inspect

    real = inspect.get_codec("hnerv")
    told = SimpleNamespace(cost=real.cost, describe=lambda config, form, frames: {"width": 8, "frames": frames})
    monkeypatch.setattr(inspect, "get_codec", lambda name: told)
    assert [g["network"] for g in nvcodec.info(coded)["groups"]] == [{"width": 8, "frames": 8}] * 3
    monkeypatch.setattr(inspect, "get_codec", lambda name: SimpleNamespace(cost=real.cost))
    assert [g["network"] for g in nvcodec.info(coded)["groups"]] == [{}] * 3
