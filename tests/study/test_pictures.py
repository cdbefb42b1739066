"""Frames of a study kept as pictures: which, how, and under what names."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("PIL")

from PIL import Image

from nvcodec.errors import UsageError
from nvcodec.study import pictures
from nvcodec.study.measure import measure, measure_command
from nvcodec.study.pictures import Keeper, PictureJob, chosen_frames, picture_folder
from nvcodec.study.processes import run_measured
from nvcodec.study.settings import StudySettings
from nvcodec.study.sources import prepare
from nvcodec.video import Reader, yuv420_to_rgb


@given(st.integers(1, 50), st.integers(1, 500))
def test_frames_are_spread_inside_of_the_clip(count, frames):
    found = chosen_frames(count, frames)
    assert len(set(found)) == len(found) == min(count, frames) and list(found) == sorted(found)
    assert min(found) >= 0 and found[-1] < frames
    gaps = np.diff([*found])
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
    assert found[0] + found[-1] in (frames - 1, frames)


def test_one_is_the_middle():
    assert chosen_frames(1, 5) == (2,) and chosen_frames(1, 21) == (10,) and chosen_frames(3, 3) == (0, 1, 2)


@pytest.fixture(scope="module")
def source(carphone, make_clip, tmp_path_factory):
    return prepare(make_clip(carphone, 64, 48, 5), tmp_path_factory.mktemp("made"))


def job(folder, point="x265 medium crf28", count=2):
    return PictureJob(folder / "r.pictures", count, "a clip/../x", point)


def test_small_pictures_are_what_was_measured(source, tmp_path):
    result = measure(source, source.pictures, (), pictures=job(tmp_path))
    assert list(result["pictures"]) == list(result["source_pictures"]) == ["1", "3"]
    assert len(list((tmp_path / "r.pictures").iterdir())) == 4
    with Reader(source.clip) as reader:
        frames = [yuv420_to_rgb(picture, source.format) for picture in reader]
    for kind in ("pictures", "source_pictures"):
        for index, name in result[kind].items():
            folder, _, file = name.partition("/")
            assert folder == "r.pictures" and "/" not in file and file.endswith(".webp") and f"_f{index}-" in file
            with Image.open(tmp_path / name) as image:
                assert image.format == "WEBP" and (np.asarray(image) == frames[int(index)]).all()


def test_the_original_is_written_once_a_clip(source, tmp_path):
    first, second = (measure(source, source.pictures, (), pictures=job(tmp_path, name)) for name in ("a", "b"))
    assert first["source_pictures"] == second["source_pictures"] and first["pictures"] != second["pictures"]
    assert len(list((tmp_path / "r.pictures").iterdir())) == 2 + 2 * 2


def test_a_process_keeps_the_same(source, tmp_path):
    command = measure_command(source, source.pictures, (), 1, job(tmp_path))
    assert json.loads(command[-1])["kept"]["count"] == 2
    assert run_measured(command).last_object() == measure(source, source.pictures, (), 1, job(tmp_path))


def test_large_pictures_are_small_files_without_visible_loss(tmp_path):
    y, x = np.mgrid[:600, :800]
    rgb = np.stack([x % 256, y % 256, (x + y) // 6], -1).astype(np.uint8)
    keeper = Keeper(job(tmp_path, count=1), 3)
    keeper.keep(0, rgb, rgb)
    assert keeper.as_dict() == {}
    keeper.keep(1, rgb, rgb)
    (name,) = keeper.as_dict()["pictures"].values()
    with Image.open(tmp_path / name) as image:
        error = np.asarray(image).astype(float) - rgb
    assert 0 < (error**2).mean() < 65025 / 10**3.5


def test_what_cannot_be_written_is_left_out_with_a_note(tmp_path, capsys):
    (tmp_path / "r.pictures").write_text("a file, where the folder should be")
    rgb = np.zeros((4, 4, 3), np.uint8)
    keeper = Keeper(job(tmp_path, count=1), 1)
    keeper.keep(0, rgb, rgb)
    assert keeper.as_dict() == {} and "left out" in capsys.readouterr().err


def test_without_pillow_it_is_said_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "need Pillow" in (pictures.why_no_pictures() or "")


def test_the_folder_and_the_range_of_the_option(tmp_path):
    assert picture_folder(tmp_path / "r.jsonl") == tmp_path / "r.pictures"
    assert pictures.why_no_pictures() is None and StudySettings().pictures == 1
    with pytest.raises(UsageError, match="--pictures is 0 to 100"):
        StudySettings(pictures=101)


def test_a_study_names_its_pictures_in_its_rows(carphone, make_clip, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    pytest.importorskip("ffmpeg")
    from nvcodec.study.points import plan
    from nvcodec.study.runner import run_study

    clip = make_clip(carphone, 96, 80, 4)
    settings = StudySettings(
        codecs=("none",), anchors=("x264:ultrafast",), crfs=(24, 40), metrics=("psnr",), threads=1, pictures=2
    )
    points = plan([clip], settings)
    rows = run_study(points, settings, tmp_path / "r.jsonl")
    assert [list(row.pictures) for row in rows] == [["1", "3"], ["1", "3"]]
    assert rows[0].source_pictures == rows[1].source_pictures
    assert len(list((tmp_path / "r.pictures").iterdir())) == 2 + 2 * 2
    for row in rows:
        for name in (*row.pictures.values(), *row.source_pictures.values()):
            with Image.open(tmp_path / name) as image:
                assert image.size == (96, 80)
    none = StudySettings(**{**settings.__dict__, "pictures": 0})
    assert run_study(plan([clip], none), none, tmp_path / "r.jsonl") == rows  # nothing ran again
