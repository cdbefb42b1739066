"""UVG's sequences are found by name, and held against what they must be."""

import hashlib
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.uvg_check import Expected, examine, read_md5
from eval.uvg_data import FRAMES, SEQUENCES, expected, find_sequences, require, sequence_of, survey
from nvcodec.errors import InputError

NAMES = {
    "Beauty": "Beauty_64x48_120fps_420_8bit_YUV.yuv",
    "Bosphorus": "Bosphorus_1080p.y4m",
    "HoneyBee": "Honey_Bee.mp4",
    "Jockey": "uvg-jockey.mkv",
    "ReadySteadyGo": "ReadySetGo_64x48.y4m",
    "ShakeNDry": "Shake-n-dry.y4m",
    "YachtRide": "YACHTRIDE.y4m",
}
SMALL = {name: Expected((64, 48), 8) for name in SEQUENCES}


@pytest.fixture(scope="module")
def seven(tmp_path_factory, make_clip, bikes, planes_of):
    """A folder of seven small clips under UVG's names, in every container."""
    folder = tmp_path_factory.mktemp("uvg")
    for place, name in enumerate(NAMES.values()):
        suffix = name[name.rindex(".") :]
        clip = make_clip(bikes, 64, 48, 8, ".y4m" if suffix == ".yuv" else suffix, x=80 * place, y=100)
        if suffix == ".yuv":
            planes = [plane.tobytes() for frame in planes_of(clip) for plane in frame]
            (folder / name).write_bytes(b"".join(planes))
        else:
            shutil.copyfile(clip, folder / name)
    (folder / "notes.txt").write_text("not a video")
    return folder


@pytest.fixture
def folder(seven, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(seven, tmp_path / "uvg")


def test_finds_all_seven_in_the_benchmarks_order(seven):
    found = find_sequences(seven, SMALL)
    assert list(found) == list(SEQUENCES)
    assert {name: path.name for name, path in found.items()} == NAMES


def test_archives_unpacked_to_a_folder_each_are_found(folder):
    (folder / "Jockey").mkdir()
    (folder / NAMES["Jockey"]).rename(folder / "Jockey" / NAMES["Jockey"])
    assert find_sequences(folder, SMALL)["Jockey"] == folder / "Jockey" / NAMES["Jockey"]


def test_what_is_not_lossless_is_said(seven):
    assert [note.split()[0] for note in survey(seven, SMALL).notes] == ["Honey_Bee.mp4"]


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("Beauty_1920x1080_120fps_420_8bit_YUV.yuv", "Beauty"),
        ("ReadySteadyGo_1080p.y4m", "ReadySteadyGo"),
        ("readysetgo.mkv", "ReadySteadyGo"),
        ("ShakeNDry_1920x1080.yuv", "ShakeNDry"),
        ("shake and dry.mp4", "ShakeNDry"),
        ("YachtRide_3840x2160_120fps_420_10bit_YUV.yuv", "YachtRide"),
        ("CityAlley_1920x1080.yuv", None),
        ("Beauty-and-Jockey.y4m", None),
    ],
)
def test_names_as_they_are_published(name, sequence):
    assert sequence_of(name) == sequence


def test_a_missing_sequence_is_one_line_and_the_rest_may_run(folder):
    (folder / NAMES["ShakeNDry"]).unlink()
    with pytest.raises(InputError, match="ShakeNDry: missing") as caught:
        find_sequences(folder, SMALL, strict=True)
    assert "\n" not in str(caught.value)
    assert len(find_sequences(folder, SMALL)) == 6


def test_nothing_there_says_where_it_is_had(tmp_path):
    with pytest.raises(InputError, match=r"none of UVG's 7 sequences is here.*ultravideo\.fi"):
        find_sequences(tmp_path, SMALL)
    with pytest.raises(InputError, match="no such folder"):
        find_sequences(tmp_path / "none")


def test_two_files_that_fit_are_ambiguous(folder):
    shutil.copyfile(folder / NAMES["Bosphorus"], folder / "bosphorus-copy.y4m")
    with pytest.raises(InputError, match=r"Bosphorus: 2 files fit \(Bosphorus_1080p.y4m, bosphorus-copy.y4m\)"):
        find_sequences(folder, SMALL, strict=True)


def test_a_file_of_another_size_beside_the_right_one_is_no_harm(folder, make_clip, bikes):
    shutil.copyfile(make_clip(bikes, 96, 48, 8), folder / "Jockey_3840x2160.y4m")
    assert find_sequences(folder, SMALL)["Jockey"].name == NAMES["Jockey"]


def test_another_frame_count(folder, make_clip, bikes):
    shutil.copyfile(make_clip(bikes, 64, 48, 7), folder / NAMES["YachtRide"])
    with pytest.raises(InputError, match=r"YACHTRIDE.y4m has 7 frames, not 8"):
        find_sequences(folder, SMALL, strict=True)


def test_md5_sums_are_held_against_the_files(folder, tmp_path):
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    listed = tmp_path / "sums"
    listed.write_text("".join(f"{digest}  somewhere/{name}\n" for name, digest in sums.items()))
    assert len(find_sequences(folder, SMALL, read_md5(listed))) == 7
    listed.write_text(f"{'0' * 32} *{NAMES['Beauty']}\n")
    with pytest.raises(InputError, match=r"Beauty_.* has MD5 [0-9a-f]{32}, not 0{32}; .*is not in the list"):
        find_sequences(folder, SMALL, read_md5(listed), strict=True)


@pytest.mark.parametrize("text", ["zz  a.yuv", "0" * 32 + " a.yuv", "0" * 31 + "  a.yuv"])
def test_a_list_of_md5_sums_that_is_none(tmp_path, text):
    (tmp_path / "sums").write_text(text)
    with pytest.raises(InputError, match="sums:1: not a line of md5sum"):
        read_md5(tmp_path / "sums")


@given(st.binary(max_size=200))
def test_any_list_of_md5_sums_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("md5") / "sums"
    path.write_bytes(data)
    try:
        assert all(len(digest) == 32 for digest in read_md5(path).values())
    except InputError as error:
        assert "\n" not in str(error)


def raw(path, size):
    """A raw file of so many bytes that takes no place."""
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)
    return path


def test_the_benchmarks_own_sizes(tmp_path):
    frame = 1920 * 1080 * 3 // 2
    for name, frames in FRAMES.items():
        raw(tmp_path / f"{name}_1920x1080_120fps_420_8bit_YUV.yuv", frame * frames)
    assert list(find_sequences(tmp_path)) == list(SEQUENCES)
    raw(tmp_path / "ShakeNDry_1920x1080_120fps_420_8bit_YUV.yuv", frame * 600)
    with pytest.raises(InputError, match=r"ShakeNDry_.* has 600 frames, not 300"):
        find_sequences(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("Beauty_3840x2160_120fps_420_10bit_YUV.yuv", 3840 * 2160 * 3, "3840x2160, 10 bits, not 1920x1080, 8 bits"),
        ("Beauty_1920x1080_120fps_422_8bit_YUV.yuv", 1920 * 1080 * 2, "-pix_fmt yuv422p -s 1920x1080 -r 120 -i"),
        ("Beauty_3840x2160_120fps_420_8bit_YUV.yuv", 3840 * 2160 * 3 // 2, "get the archive of that size and depth"),
        (
            "Beauty_1920x1080_120fps_420_8bit_YUV.yuv",
            1000,
            "1000 bytes are no whole number of 1920x1080 420 8-bit frames",
        ),
        ("Beauty.yuv", 1000, "no size in the name"),
        ("Beauty.y4m", 0, "cannot be used"),
        ("Beauty.mp4", 1000, "cannot be used"),
    ],
)
def test_what_is_refused_says_why_in_one_line(tmp_path, name, size, said):
    problem = examine(raw(tmp_path / name, size), expected()["Beauty"]).problem
    assert said in problem
    assert "\n" not in problem


def test_any_shape_takes_what_is_there(seven):
    assert len(find_sequences(seven, expected(any_shape=True))) == 7


def test_problems_are_listed_where_some_may_lack(folder):
    (folder / NAMES["Jockey"]).unlink()
    looked = survey(folder, SMALL)
    require(looked, folder)
    assert looked.problems == ["Jockey: missing"]
