"""The conditional codec through the public calls: files, structures, goals, resuming, seeking, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nvcodec
from nvcodec.cli import main
from nvcodec.codecs.base import STRUCTURES
from nvcodec.container import Reader as NvcReader
from nvcodec.errors import DamagedError, FormatError, ResumeError, UnsupportedError, UsageError
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.video import Reader

FRAMES = 13


@pytest.fixture(scope="module")
def source(make_clip, carphone) -> Path:
    return make_clip(carphone, 80, 64, FRAMES)


@pytest.fixture(scope="module")
def how(tiny_conditional) -> dict[str, Any]:
    return {"codec": "conditional", "gof": 5, "model": str(tiny_conditional), "threads": 1, "preset": "faster"}


@pytest.fixture(scope="module")
def coded(source, how, tmp_path_factory) -> dict[str, Path]:
    """structure -> a file of three groups."""
    folder = tmp_path_factory.mktemp("conditional")
    for name in STRUCTURES:
        result = nvcodec.encode(source, folder / f"{name}.nvc", quality=30, structure=name, **how)
        assert (result.groups, result.frames, result.goal_met, result.warnings) == (3, FRAMES, True, [])
    return {name: folder / f"{name}.nvc" for name in STRUCTURES}


def pictures(path: Path) -> list[bytes]:
    """The frames of a y4m file."""
    return path.read_bytes().split(b"FRAME\n")[1:]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_file_is_whole(source, coded, structure):
    report = nvcodec.verify(coded[structure])
    assert report.ok and report.symbols_ok == report.pictures_ok == report.groups == 3
    with Reader(source, audio=False) as reader, nvcodec.open(coded[structure]) as video:
        levels = [psnr_yuv(picture.planes, video.picture(i).planes) for i, picture in enumerate(reader)]
    assert len(levels) == FRAMES and min(levels) > 28


def test_a_fresh_process_decodes_the_same(coded, child, tmp_path):
    path = coded["random-access"]
    nvcodec.decode(path, tmp_path / "here.y4m", threads=1)
    code = "nvcodec.decode(sys.argv[1], sys.argv[2], threads=1); print(nvcodec.verify(sys.argv[1]).symbols_ok)"
    ran = child(code, path, tmp_path / "there.y4m", check=True)
    assert ran.stdout.split() == [b"3"]
    assert (tmp_path / "here.y4m").read_bytes() == (tmp_path / "there.y4m").read_bytes()


def test_the_measured_psnr_is_the_decoded_one(source, how, tmp_path):
    result = nvcodec.encode(source, tmp_path / "a.nvc", **how)
    with Reader(source, audio=False) as reader, nvcodec.open(tmp_path / "a.nvc") as video:
        levels = [psnr_yuv(picture.planes, video.picture(i).planes) for i, picture in enumerate(reader)]
    assert result.psnr_yuv == pytest.approx(np.mean(levels))
    assert result.bytes == (tmp_path / "a.nvc").stat().st_size


# what a file says


def test_info_is_json(coded, capfd):
    for structure, path in coded.items():
        found = json.loads(json.dumps(nvcodec.info(path)))
        assert (found["codec"], found["frames"], found["damage"]) == ("conditional", FRAMES, [])
        chosen = json.loads(found["metadata"]["settings"])
        assert (chosen["structure"], chosen["codec"], chosen["preset"]) == (structure, "conditional", "faster")
        assert len(chosen["weights"].split()) == 4  # two files, each an id and a hash
        for group in found["groups"]:
            network = group["network"]
            assert (network["model"], network["quality"]) == ("tiny", 30)
            assert chosen["weights"].split()[::2] == [network["key_weights"], network["weights"]]
            assert group["macs_per_pixel"] > 0 and group["depends_on"] is None
        assert main(["info", "--json", str(path)]) == 0
        assert json.loads(capfd.readouterr().out)["groups"] == found["groups"]
        assert main(["info", str(path)]) == 0
        assert "conditional" in capfd.readouterr().out


def test_units_say_the_structure(coded):
    for structure, first in (("low-delay", [0, 1, 2, 3, 4]), ("random-access", [0, 4, 2, 1, 3])):
        with coded[structure].open("rb") as file:
            head = NvcReader(file).read_head(0)
        assert [unit.first for unit in head.units] == first
        assert head.depends_on is None and head.units[0].references == ()


def test_no_structure_is_the_encoders_choice(source, how, tmp_path):
    nvcodec.encode(source, tmp_path / "a.nvc", **{**how, "preset": "fast"})
    assert "structure" not in json.loads(nvcodec.info(tmp_path / "a.nvc")["metadata"]["settings"])
    assert nvcodec.verify(tmp_path / "a.nvc").ok


# goals


@pytest.mark.parametrize(
    ("structure", "goal"),
    [("low-delay", {"size": 6000}), ("random-access", {"size": 6000}), (None, {"bpp": 0.8}), (None, {"psnr": 34.0})],
)
def test_goals(source, how, tmp_path, structure, goal):
    result = nvcodec.encode(source, tmp_path / "a.nvc", structure=structure, **how, **goal)
    assert result.goal_met and result.warnings == [], result.goal
    size = (tmp_path / "a.nvc").stat().st_size
    if "size" in goal:
        assert 0.93 * 6000 <= size <= 6000
    if "bpp" in goal:
        assert 0.93 * 0.8 <= result.bpp <= 0.8
    assert nvcodec.verify(tmp_path / "a.nvc").ok


@pytest.mark.parametrize("size", [1100, 2600])
def test_a_size_is_never_passed(source, how, tmp_path, size):
    result = nvcodec.encode(source, tmp_path / "a.nvc", size=size, **how)
    assert result.goal_met and result.bytes <= size


def test_a_size_takes_few_trials(source, how, tmp_path, monkeypatch):
    """The rows of the unit table are counted as they are: no group comes out too large and is coded again."""
    from nvcodec.codecs.conditional_encoder import ConditionalEncoder

    runs, original = [], ConditionalEncoder.run
    monkeypatch.setattr(ConditionalEncoder, "run", lambda self: runs.append(1) or original(self))
    for structure in STRUCTURES:
        nvcodec.encode(source, tmp_path / f"{structure}.nvc", size=5200, structure=structure, **{**how, "gof": 13})
    assert len(runs) == 2


# resuming


@pytest.mark.parametrize("goal", [{"quality": 30}, {"size": 6000}])
def test_resuming_gives_the_same_bytes(source, how, tmp_path, goal):
    target, first = tmp_path / "a.nvc", tmp_path / "first.nvc"
    nvcodec.encode(source, first, structure="random-access", **how, **goal)
    whole = first.read_bytes()
    with first.open("rb") as file:
        entry = NvcReader(file).groups[1]
    (tmp_path / "a.nvc.part").write_bytes(whole[: entry.offset + entry.length + 5])
    nvcodec.encode(source, target, resume=True, structure="random-access", **how, **goal)
    assert target.read_bytes() == whole


def part_of(path: Path, folder: Path) -> Path:
    """A part of two groups of ``path``."""
    with path.open("rb") as file:
        entry = NvcReader(file).groups[1]
    part = folder / "a.nvc.part"
    part.write_bytes(path.read_bytes()[: entry.offset + entry.length])
    return part


def test_a_part_knows_its_own_structure(source, coded, how, tmp_path):
    path = coded["low-delay"]
    part_of(path, tmp_path)
    nvcodec.encode(source, tmp_path / "a.nvc", resume=True, model=how["model"])
    assert (tmp_path / "a.nvc").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"structure": "random-access"}, "structure was low-delay, is random-access"),
        ({"preset": "slow"}, "preset was faster, is slow"),
        ({"quality": 31}, "quality was 30, is 31"),
        ({"codec": "stem", "structure": None, "preset": None, "model": None}, "codec was conditional, is stem"),
    ],
)
def test_a_part_of_other_settings_is_refused(source, coded, how, tmp_path, change, why):
    part = part_of(coded["low-delay"], tmp_path)
    before = part.read_bytes()
    given = {**how, "quality": 30, "structure": "low-delay", **change}
    with pytest.raises(ResumeError, match=why):
        nvcodec.encode(source, tmp_path / "a.nvc", resume=True, **given)
    assert part.read_bytes() == before


# single frames


@pytest.mark.parametrize("structure", STRUCTURES)
def test_frames_by_index_are_the_whole_decodes(coded, structure):
    with nvcodec.open(coded[structure]) as video:
        whole = [video[i] for i in range(FRAMES)]
    assert len({frame.tobytes() for frame in whole}) == FRAMES
    for index in (11, 3, 7, -1):
        with nvcodec.open(coded[structure]) as video:
            assert np.array_equal(video[index], whole[index])
    with nvcodec.open(coded[structure]) as video:
        for index in (12, 0, 4, 1, 6, 5, 9, 2, 12):
            assert np.array_equal(video[index], whole[index])
        assert np.array_equal(video[9:2:-3], np.stack([whole[9], whole[6], whole[3]]))


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("frames", [(3, 4), (4, 11), (-2, None)])
def test_a_cut_out_has_the_frames_of_the_whole(coded, structure, frames, tmp_path):
    nvcodec.decode(coded[structure], tmp_path / "whole.y4m", threads=1)
    result = nvcodec.decode(coded[structure], tmp_path / "cut.y4m", frames=frames, threads=1)
    wanted = pictures(tmp_path / "whole.y4m")[slice(*frames)]
    assert result.frames == len(wanted) and pictures(tmp_path / "cut.y4m") == wanted


def test_a_frame_reads_its_own_group_only(coded):
    path = coded["random-access"]
    groups = nvcodec.info(path)["groups"]
    with nvcodec.open(path) as video:
        before = video.bytes_read
        video[7]
        assert groups[1]["bytes"] <= video.bytes_read - before <= groups[1]["bytes"] + 64


# damage, weights, settings


def test_a_damaged_group_is_lost_alone(coded, tmp_path):
    path = coded["random-access"]
    with path.open("rb") as file:
        entry = NvcReader(file).groups[1]
    data = bytearray(path.read_bytes())
    data[entry.offset + entry.length // 2] ^= 0x55
    bad = tmp_path / "bad.nvc"
    bad.write_bytes(data)
    result = nvcodec.decode(bad, tmp_path / "a.y4m", threads=1)
    assert result.frames == FRAMES - entry.frame_count and len(result.damaged) == 1
    with nvcodec.open(bad) as video, pytest.raises(DamagedError):
        video.picture(entry.first_frame)


def test_missing_weights_are_one_line(coded, tiny_weights, monkeypatch, tmp_path, capfd):
    path = str(coded["low-delay"])
    monkeypatch.setattr("nvcodec.codecs.weights._chosen", [])
    monkeypatch.setenv("NVCODEC_WEIGHTS", str(tiny_weights))  # of the other kind alone
    for command in (["decode", path, str(tmp_path / "a.y4m")], ["verify", path]):
        assert main(command) == UnsupportedError.exit_code
        said = capfd.readouterr()
        assert "needs the weights" in said.out + said.err and "Traceback" not in said.err
    assert main(["info", path]) == 0
    assert "needs the weights" in nvcodec.info(path)["groups"][0]["error"]
    assert not list(tmp_path.iterdir())


def test_weights_of_the_other_kind(source, how, tiny_weights, tiny_conditional, tmp_path, capfd):
    for codec, model, words in (
        ("conditional", tiny_weights, "of pictures by themselves"),
        ("stem", tiny_conditional, "of predicted frames"),
    ):
        with pytest.raises(FormatError, match=words) as caught:
            nvcodec.encode(source, tmp_path / "a.nvc", codec=codec, model=str(model))
        assert "\n" not in str(caught.value)
        arguments = ["encode", str(source), str(tmp_path / "a.nvc"), "--codec", codec, "--model", str(model)]
        assert main(arguments) == FormatError.exit_code
        assert words in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"structure": "pyramid"}, "no structure 'pyramid'; there are: low-delay, random-access"),
        ({"codec": "stem", "structure": "low-delay"}, "--structure is for codec conditional"),
        ({"codec": "hnerv", "model": None, "structure": "low-delay"}, "--structure is for codec conditional"),
        ({"objective": "consistent"}, "--objective is for fitted codecs but pfnr, not for conditional"),
        ({"codec": "pfnr", "model": None, "objective": "joint"}, "--objective is for fitted codecs"),
        ({"objective": "entropy"}, "no objective 'entropy'; there are: joint, consistent"),
        ({"quality": 24.5}, "whole number"),
        ({"preset": "fastest"}, "no preset"),
        ({"time_budget": 60.0}, "exclude one another"),
        ({"model": "xl"}, "no weights for model 'xl'"),
        ({"gof": 4000}, "--gof of conditional is at most"),
    ],
)
def test_settings_that_mean_nothing(make_clip, carphone, how, tmp_path, settings, why):
    source = make_clip(carphone, 176, 144, 2)
    with pytest.raises(UsageError, match=why) as caught:
        nvcodec.encode(source, tmp_path / "a.nvc", **{**how, **settings})
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_a_wrong_structure_on_the_command_line(source, how, tmp_path, capfd):
    command = ["encode", str(source), str(tmp_path / "a.nvc"), "--codec", "conditional", "--structure"]
    try:
        code = main([*command, "pyramid"])
    except SystemExit as stopped:
        code = stopped.code
    assert code == UsageError.exit_code
    said = capfd.readouterr().err
    assert "pyramid" in said and "random-access" in said and "Traceback" not in said
    assert main([*command, "low-delay", "--model", how["model"], "--preset", "faster"]) == 0
    assert nvcodec.verify(tmp_path / "a.nvc").ok


def test_a_time_budget_is_kept_without_trying_more(source, how, tmp_path):
    chosen = {**how, "preset": None, "gof": 13}
    result = nvcodec.encode(source, tmp_path / "a.nvc", time_budget=60.0, **chosen)
    assert result.goal_met and nvcodec.verify(tmp_path / "a.nvc").ok


# other sources


def test_one_frame_and_odd_sizes(make_clip, carphone, how, tmp_path):
    for size, count in (((63, 65), 3), ((16, 16), 1), ((17, 9), 2)):
        clip = make_clip(carphone, *size, count)
        target = tmp_path / f"{size[0]}.nvc"
        assert nvcodec.encode(clip, target, **how).frames == count
        with nvcodec.open(target) as video:
            assert video[:].shape == (count, size[1], size[0], 3)
        assert nvcodec.verify(target).ok


def test_ten_bits(how, crop, tmp_path):
    frames = crop(48, 32, 5, 10)
    data = b"YUV4MPEG2 W48 H32 F25:1 Ip A1:1 C420p10 XYSCSS=420P10\n"
    data += b"".join(b"FRAME\n" + b"".join(p.astype("<u2").tobytes() for p in planes) for planes in frames)
    (tmp_path / "a.y4m").write_bytes(data)
    nvcodec.encode(tmp_path / "a.y4m", tmp_path / "a.nvc", quality=50, **how)
    with nvcodec.open(tmp_path / "a.nvc") as video:
        for i, planes in enumerate(frames):
            shown = video.picture(i).planes
            assert shown[0].dtype == np.uint16 and psnr_yuv(planes, shown, 10) > 34
    nvcodec.decode(tmp_path / "a.nvc", tmp_path / "b.y4m", threads=1)
    assert len(pictures(tmp_path / "b.y4m")) == 5
