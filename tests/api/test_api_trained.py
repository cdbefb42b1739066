"""Trained codecs through the public calls: files, goals, resuming, seeking, pictures, and what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

import nvcodec
from nvcodec.cli import main
from nvcodec.container import Reader as NvcReader
from nvcodec.errors import DamagedError, InputError, ResumeError, UnsupportedError, UsageError
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.video import Reader


@pytest.fixture(scope="module")
def source(make_clip, carphone) -> Path:
    return make_clip(carphone, 80, 64, 11)


@pytest.fixture(scope="module")
def coded(source, tiny_weights, tmp_path_factory) -> Path:
    """Three groups of up to four frames."""
    path = tmp_path_factory.mktemp("trained") / "a.nvc"
    result = nvcodec.encode(source, path, codec="stem", quality=30, gof=4, model=str(tiny_weights), threads=1)
    assert (result.groups, result.frames, result.goal_met, result.warnings) == (3, 11, True, [])
    return path


def test_a_fresh_process_decodes_the_same(coded, child, tmp_path):
    nvcodec.decode(coded, tmp_path / "here.y4m", threads=1)
    ran = child("nvcodec.decode(sys.argv[1], sys.argv[2], threads=2)", coded, tmp_path / "there.y4m", check=True)
    assert ran.returncode == 0
    assert (tmp_path / "here.y4m").read_bytes() == (tmp_path / "there.y4m").read_bytes()
    report = nvcodec.verify(coded)
    assert report.ok and report.symbols_ok == report.pictures_ok == report.groups == 3


def test_the_measured_psnr_is_the_decoded_one(source, coded, tiny_weights, tmp_path):
    result = nvcodec.encode(source, tmp_path / "b.nvc", codec="intra", model=str(tiny_weights), threads=1)
    with Reader(source, audio=False) as reader, nvcodec.open(tmp_path / "b.nvc") as video:
        levels = [psnr_yuv(picture.planes, video.picture(i).planes) for i, picture in enumerate(reader)]
    assert result.psnr_yuv == pytest.approx(np.mean(levels))


@pytest.mark.parametrize("goal", [{"size": 12_000}, {"bpp": 1.0}, {"psnr": 34.0}])
def test_goals(source, tiny_weights, tmp_path, goal):
    result = nvcodec.encode(source, tmp_path / "a.nvc", codec="stem", gof=4, model=str(tiny_weights), threads=1, **goal)
    assert result.goal_met and result.warnings == [], result.goal
    if "size" in goal:
        assert 0.93 * 12_000 <= (tmp_path / "a.nvc").stat().st_size <= 12_000
    if "bpp" in goal:
        assert 0.93 <= result.bpp <= 1.0


def test_a_goal_that_no_quality_fills_is_met(source, tiny_weights, tmp_path):
    result = nvcodec.encode(source, tmp_path / "a.nvc", codec="stem", size=5_000_000, model=str(tiny_weights))
    assert result.goal_met and "comes nearer" in result.warnings[0]


def test_a_tiny_goal_is_never_passed(source, tiny_weights, tmp_path):
    result = nvcodec.encode(source, tmp_path / "a.nvc", codec="stem", size=900, model=str(tiny_weights), threads=1)
    assert result.goal_met and result.bytes <= 900


def test_resuming_with_other_weights_is_refused(source, coded, tiny_weights, tmp_path):
    (tmp_path / "a.nvc.part").write_bytes(coded.read_bytes())
    other = tmp_path / tiny_weights.name
    other.write_bytes(tiny_weights.read_bytes().replace(b'"model":"tiny"', b'"model":"tin2"'))
    with pytest.raises(ResumeError, match="weights was"):
        nvcodec.encode(source, tmp_path / "a.nvc", codec="stem", quality=30, gof=4, model=str(other), resume=True)


def test_frames_by_index_are_the_whole_decodes(coded):
    with nvcodec.open(coded) as video:
        whole = [video.picture(i).planes for i in range(11)]
    for index in (9, 2, 4):
        with nvcodec.open(coded) as video:
            assert all(np.array_equal(a, b) for a, b in zip(video.picture(index).planes, whole[index], strict=True))


def test_a_damaged_group_is_lost_alone(coded, tmp_path):
    with coded.open("rb") as file:
        entry = NvcReader(file).groups[1]
    data = bytearray(coded.read_bytes())
    data[entry.offset + entry.length // 2] ^= 0x55
    bad = tmp_path / "bad.nvc"
    bad.write_bytes(data)
    result = nvcodec.decode(bad, tmp_path / "a.y4m", threads=1)
    assert result.frames == 11 - entry.frame_count and len(result.damaged) == 1
    with nvcodec.open(bad) as video, pytest.raises(DamagedError):
        video.picture(entry.first_frame)


@pytest.mark.parametrize("goal", [{"quality": 30}, {"size": 12_000}, {"psnr": 33.0}])
def test_resuming_gives_the_same_bytes(source, tiny_weights, tmp_path, goal):
    target, first = tmp_path / "a.nvc", tmp_path / "first.nvc"
    nvcodec.encode(source, first, codec="stem", gof=4, model=str(tiny_weights), threads=1, **goal)
    whole = first.read_bytes()
    with first.open("rb") as file:
        entry = NvcReader(file).groups[1]
    (tmp_path / "a.nvc.part").write_bytes(whole[: entry.offset + entry.length + 5])
    nvcodec.encode(source, target, codec="stem", gof=4, model=str(tiny_weights), threads=1, resume=True, **goal)
    assert target.read_bytes() == whole


def test_a_picture_is_a_video_of_one_frame(tiny_weights, bikes, tmp_path):
    with av.open(str(bikes)) as container:
        next(container.decode(video=0)).to_image().save(tmp_path / "a.png")
    result = nvcodec.encode(tmp_path / "a.png", tmp_path / "a.nvc", codec="intra", model=str(tiny_weights), threads=1)
    assert result.frames == 1
    nvcodec.decode(tmp_path / "a.nvc", tmp_path / "b.png", threads=1)
    ours, theirs = (_rgb(tmp_path / name) for name in ("a.png", "b.png"))
    assert 10 * np.log10(255**2 / np.mean((ours.astype(float) - theirs) ** 2)) > 28


def _rgb(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"preset": "fast"}, "--preset is not for stem"),
        ({"time_budget": 60.0}, "--time-budget is not for stem"),
        ({"quality": 24.5}, "whole number"),
        ({"model": "xl"}, "no weights for model 'xl'"),
        ({"gof": 4000}, "--gof of stem is at most"),
    ],
)
def test_settings_that_mean_nothing(make_clip, carphone, tiny_weights, tmp_path, settings, why):
    source = make_clip(carphone, 176, 144, 2)
    with pytest.raises(UsageError, match=why):
        nvcodec.encode(source, tmp_path / "a.nvc", **{"codec": "stem", "model": str(tiny_weights), **settings})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="fitted codecs have no --model"):
        nvcodec.encode(source, tmp_path / "a.nvc", codec="hnerv", model="s")


def test_missing_and_damaged_weights_are_one_line(coded, tiny_weights, monkeypatch, tmp_path, capfd, source):
    monkeypatch.setattr("nvcodec.codecs.weights._chosen", [])
    monkeypatch.setenv("NVCODEC_WEIGHTS", str(tmp_path))
    assert main(["decode", str(coded), str(tmp_path / "a.y4m")]) == UnsupportedError.exit_code
    assert "needs the weights" in capfd.readouterr().err and not (tmp_path / "a.y4m").exists()
    assert main(["verify", str(coded)]) == UnsupportedError.exit_code
    assert main(["info", str(coded)]) == 0
    capfd.readouterr()
    (tmp_path / "cut.safetensors").write_bytes(tiny_weights.read_bytes()[:-9])
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert main(["decode", str(coded), str(tmp_path / "a.y4m")]) == UnsupportedError.exit_code
    assert "cut.safetensors" in capfd.readouterr().err
    monkeypatch.setenv("NVCODEC_WEIGHTS", os.pathsep.join(["/dev/zero", "x" * 300]))
    assert main(["decode", str(coded), str(tmp_path / "a.y4m")]) == UnsupportedError.exit_code
    assert "no file" in capfd.readouterr().err
    bent = tmp_path / "bent.safetensors"
    shutil.copy(tiny_weights, bent)
    data = bytearray(bent.read_bytes())
    data[-1000] ^= 1
    bent.write_bytes(data)
    assert main(["encode", str(source), str(tmp_path / "b.nvc"), "--codec", "stem", "--model", str(bent)]) == 4
    said = capfd.readouterr().err
    assert "damaged" in said and "Traceback" not in said
    with pytest.raises(InputError, match="no such file"):
        nvcodec.encode(source, tmp_path / "c.nvc", codec="stem", model=str(tmp_path / "none.safetensors"))


def test_where_weights_lie_is_not_told(coded, tiny_weights):
    assert str(tiny_weights.parent).encode() not in coded.read_bytes()


def test_settings_below_the_dial_count_as_such():
    """What a group that skips more at quality 0 took must not pass for the bytes of quality 0."""
    from nvcodec.api.families import setting_of
    from nvcodec.codecs.latent_group import LatentGroup
    from nvcodec.codecs.registry import get_codec
    from nvcodec.codecs.weights import default_ids
    from nvcodec.format import VideoFormat

    codec, fmt = get_codec("stem"), VideoFormat(64, 48)
    for quality, skip, setting in ((12, 1, 12), (0, 1, 0), (0, 16, -15)):
        config = LatentGroup(bytes.fromhex(default_ids()["s"]), quality, skip).pack()
        assert setting_of(codec, config, fmt) == setting
    assert setting_of(get_codec("nerv"), b"", fmt) is None
