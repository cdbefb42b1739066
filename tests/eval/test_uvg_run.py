"""The UVG benchmark as a whole, on a folder of small clips shaped like it: real encodes, tables, reports, resuming."""

import json
from dataclasses import replace

import pytest

import eval.uvg as uvg
from eval.uvg_options import parse
from nvcodec.errors import NvcodecError, UsageError
from nvcodec.study import estimate, ffmpeg, runner
from nvcodec.study.estimate import Remaining
from nvcodec.study.points import plan
from nvcodec.study.rows import Row, read_rows
from nvcodec.study.runner import Event

SMALL = ("--any-shape", "--metrics", "psnr", "--threads", "1")
OURS = ("--codecs", "hnerv", "--preset", "faster", "--qualities", "20", "--anchors", "none")
X264 = ("--codecs", "none", "--anchors", "x264:ultrafast", "--crfs", "30")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_clip, bikes, planes_of):
    """Two sequences of 8 frames, one of them raw."""
    made = tmp_path_factory.mktemp("uvg-run")
    for place, name in enumerate(("Beauty_64x48_120fps_420_8bit_YUV.yuv", "Jockey_64x48_120fps_420_8bit_YUV.yuv")):
        frames = planes_of(make_clip(bikes, 64, 48, 8, x=160 * place, y=100))
        (made / name).write_bytes(b"".join(plane.tobytes() for frame in frames for plane in frame))
    return made


@pytest.fixture
def has_x264():
    try:
        ffmpeg.find_ffmpeg()
    except UsageError as error:
        pytest.skip(str(error))


def run(folder, out, *more: str) -> int:
    return uvg.main([str(folder), "--out", str(out), *SMALL, *more])


def test_a_whole_run_of_a_codec_of_ours(folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    assert run(folder, tmp_path, *OURS, "--sequences", "Beauty") == 0
    printed = capsys.readouterr()
    assert "| Beauty | hnerv faster | q20 |" in printed.out
    assert "| hnerv faster | q20 | 1 of 7 |" in printed.out
    assert "hnerv faster every 8 frames at most" in printed.out
    base = tmp_path / "uvg-1080p-all-any-shape"
    row = read_rows([base.with_suffix(".jsonl")])[0]
    assert (row.frames, row.width, row.height, row.fps) == (8, 64, 48, 120.0)
    assert base.with_suffix(".md").read_text() == printed.out
    assert r"\toprule" in base.with_suffix(".tex").read_text()
    assert "Beauty" in base.with_suffix(".html").read_text()
    assert (tmp_path / f"{base.name}-average.html").is_file()


@pytest.mark.usefixtures("has_x264")
def test_rows_instead_of_tables(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(uvg, "write", lambda outcome: [])
    assert run(folder, tmp_path, *X264, "--sequences", "Beauty", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    (row,) = read_rows([tmp_path / "uvg-1080p-all-any-shape.jsonl"])
    assert row.per_frame and Row.from_dict(json.loads(line)) == replace(row, per_frame={})


@pytest.mark.usefixtures("has_x264")
def test_a_second_call_goes_on_from_the_first(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(uvg, "write", lambda outcome: [])
    results = tmp_path / "uvg-1080p-all-any-shape.jsonl"
    assert run(folder, tmp_path, *X264, "--sequences", "Beauty") == 0
    before = results.read_bytes()
    capsys.readouterr()
    both = (*X264, "--sequences", "Beauty,Jockey")
    assert run(folder, tmp_path, *both, "--dry-run") == 0
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["Jockey_64x48_120fps_420_8bit_YUV.yuv"]
    assert "2 points, 1 to run" in printed.err
    assert results.read_bytes() == before
    assert run(folder, tmp_path, *both) == 0
    assert results.read_bytes().startswith(before)
    assert "| x264 ultrafast | crf30 | 2 of 7 |" in capsys.readouterr().out


def test_frames_and_crop_reach_the_encoders(folder, tmp_path, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(
        uvg, "run_study", lambda points, settings, out, take: seen.append((points, settings, out)) or []
    )
    monkeypatch.setattr(uvg, "write", lambda outcome: [])
    monkeypatch.setattr(estimate, "look", lambda path, settings: estimate.Clip(64 * 48, 4))
    assert run(folder, tmp_path, *OURS, "--frames", "4", "--setting", "960x1920", "--sequences", "Jockey") == 0
    ((points, settings, out),) = seen
    assert (settings.frames, settings.crop, out.name) == (4, (1920, 960), "uvg-960x1920-4-any-shape.jsonl")
    assert [point.clip.name for point in points] == ["Jockey_64x48_120fps_420_8bit_YUV.yuv"]
    assert "0 of 7 sequences" in capsys.readouterr().out


def test_a_point_that_fails_is_told_and_the_rest_goes_on(folder, tmp_path, capsys, monkeypatch):
    def encode(*_):
        raise NvcodecError("no such luck")

    monkeypatch.setattr(runner.neural, "encode", encode)
    monkeypatch.setattr(uvg, "write", lambda outcome: [])
    assert run(folder, tmp_path, *OURS) == 1
    printed = capsys.readouterr()
    assert printed.out.count("no such luck") == 2
    assert "- Bosphorus: missing" in printed.out
    assert "error: 2 of 2 points failed" in printed.err
    lines = (tmp_path / "uvg-1080p-all-any-shape.jsonl").read_text().splitlines()
    assert ["no such luck" in json.loads(line)["error"] for line in lines] == [True, True]


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--strict",), 3, "Bosphorus: missing; HoneyBee: missing"),
        (("--sequences", "Beauty", "--anchor", "x265 medium"), 2, "--anchor 'x265 medium' is not of this study"),
        (("--sequences", "Beauty", "--md5", "none.md5"), 3, "none.md5"),
        (("--sequences", "Beauty", "--metric", "lpips"), 2, "there is no metric"),
    ],
)
def test_what_is_wrong_is_one_line_and_its_exit_code(folder, tmp_path, capsys, more, code, said):
    assert run(folder, tmp_path, *OURS, *more) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_what_is_left_follows_what_points_took(folder, tmp_path):
    options = parse([str(folder), *SMALL, *X264], "")
    points = plan(sorted(folder.iterdir()), options.study)
    left = Remaining(points, options.study, [])
    assert (len(left.points), len(uvg.listing(left))) == (2, 2)
    row = Row("Beauty", "x264", "ultrafast", "crf30", 0.1, key=points[0].key)
    uvg.tell(Event(row, 1, 2, 500.0), left)
    assert left.seconds() == pytest.approx(500.0, rel=0.01)
    uvg.tell(Event(replace(row, key=points[1].key, error="no"), 1, 2, 0.0), left)
    assert left.seconds() == 0.0


def test_sizes_are_checked_without_any_shape(folder, tmp_path, capsys):
    assert uvg.main([str(folder), "--out", str(tmp_path), "--sequences", "Beauty"]) == 3
    assert "is 64x48, 8 bits, not 1920x1080, 8 bits" in capsys.readouterr().err
