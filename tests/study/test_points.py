"""What a study will run, before anything runs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import InputError, UsageError
from nvcodec.study.durations import duration_text, read_duration
from nvcodec.study.points import find_clips, plan, spread
from nvcodec.study.settings import StudySettings
from nvcodec.study.specs import NeuralSpec


@pytest.fixture
def clips(tmp_path):
    for name in ("a.mp4", "b.y4m", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_folder_stands_for_its_videos(clips):
    assert [path.name for path in find_clips([clips])] == ["a.mp4", "b.y4m"]
    assert [path.name for path in find_clips([clips / "notes.txt", clips / "notes.txt"])] == ["notes.txt"]


def test_clips_that_are_missing_or_alike_are_named(clips, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.mp4").write_bytes(b"other")
    for named, text in (
        ([clips / "c.mp4"], "no such file"),
        ([tmp_path / "empty"], "no video file"),
        ([clips / "a.mp4", tmp_path / "other" / "a.mp4"], "one name"),
    ):
        with pytest.raises(InputError, match=text):
            find_clips(named)


def test_every_clip_meets_every_codec_at_every_rate(clips):
    settings = StudySettings(codecs=("hnerv:fast", "nerv:2m"), anchors=("x265", "svtav1"), points=3, anchor_points=5)
    points = plan(find_clips([clips]), settings)
    assert len(points) == 2 * (2 * 3 + 2 * 5)
    assert len({point.key for point in points}) == len(points)
    labels = list(dict.fromkeys(point.label for point in points))
    assert labels[0].startswith("x265 ") and labels[2:] == ["hnerv fast", "nerv 2m"]
    assert [point.rate for point in points if point.label == "nerv 2m"][:3] == ["q12", "q32", "q52"]


def test_a_key_names_all_that_changes_a_result(clips):
    clip = find_clips([clips / "a.mp4"])

    def keys(**settings):
        chosen = StudySettings(codecs=("hnerv",), points=1, anchor_points=1, **settings)
        return {point.key for point in plan(clip, chosen)}

    plain = keys()
    for change in ({"frames": 8}, {"crop": (64, 48)}, {"preset": "fast"}, {"time_budget": 60.0}):
        assert plain - keys(**change), change
    assert keys(keyint=12) ^ plain  # of the anchor alone
    assert keys(seed=1) ^ plain
    assert keys(jobs=2, threads=1, metrics=("psnr",)) == plain
    (clips / "a.mp4").write_bytes(b"other bytes")
    assert not keys() & plain


def test_named_points_and_repeated_names(clips):
    settings = StudySettings(codecs=("hnerv", "hnerv"), anchors=("x264", "x264"), qualities=(7.5, 40), crfs=(30,))
    assert [point.rate for point in plan([clips / "a.mp4"], settings)] == ["crf30", "q7.5", "q40"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"codecs": ("divx",)},
        {"codecs": ("hnerv:quick",)},
        {"codecs": ("hnerv:0s",)},
        {"codecs": ("hnerv:",)},
        {"anchors": ("mpeg2",)},
        {"codecs": ("none",), "anchors": ("none",)},
        {"points": 0},
        {"qualities": (64.0,)},
        {"qualities": (math.nan,)},
        {"metrics": ("lpips",)},
        {"preset": "fast", "time_budget": 3.0},
        {"crop": (0, 5)},
        {"jobs": 0},
    ],
)
def test_what_cannot_be_run_is_refused(clips, wrong):
    with pytest.raises(UsageError):
        plan([clips / "a.mp4"], StudySettings(**wrong))


def test_the_studys_effort_is_for_codecs_that_name_none():
    settings = StudySettings(time_budget=90.0)
    assert NeuralSpec.parse("hnerv", settings).configuration == "90s"
    assert NeuralSpec.parse("nerv:slow", settings).configuration == "slow"
    assert NeuralSpec.parse("nerv:1h30m", settings) == NeuralSpec("nerv", None, 5400.0)
    assert NeuralSpec.parse("nerv", StudySettings()).configuration == "medium"


@given(st.integers(1, 10_000_000))
def test_durations_come_back(seconds):
    assert read_duration(duration_text(seconds)) == seconds


@given(st.text(alphabet="0123456789hms. :-", max_size=8))
def test_any_text_is_a_duration_or_none(text):
    value = read_duration(text)
    assert value is None or value >= 0


@pytest.mark.parametrize("count", range(2, 12))
def test_points_are_spread_evenly(count):
    values = spread(count)
    assert len(set(values)) == count
    assert (values[0], values[-1]) == (12, 52)
    assert spread(1) == (32.0,)
