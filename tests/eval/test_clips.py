"""The README's benchmark over a folder of clips: which clips, what is run, what is written."""

import json

import pytest

pytest.importorskip("imageio_ffmpeg")
pytest.importorskip("matplotlib")

import eval.clips as clips
from nvcodec.errors import InputError


@pytest.fixture
def folder(carphone, make_clip, tmp_path):
    """Six small clips under the names that `--quick` looks for, one of them deeper down."""
    (tmp_path / "raw").mkdir()
    for index, name in enumerate(clips.QUICK_CLIPS):
        piece = make_clip(carphone, 48, 32, 3, x=8 * index, y=8 * index)
        (tmp_path / ("raw" if name == "bus_qcif" else "") / f"{name}_and_more.y4m").write_bytes(piece.read_bytes())
    return tmp_path


def test_the_six_clips_are_found_and_missing_ones_named(folder):
    said = []
    assert [path.name.split("_and")[0] for path in clips.quick_clips(folder, said.append)] == list(clips.QUICK_CLIPS)
    assert not said
    next(folder.glob("akiyo*")).unlink()
    assert len(clips.quick_clips(folder, said.append)) == 5
    assert len(said) == 1 and "akiyo_cif" in said[0]
    with pytest.raises(InputError):
        clips.quick_clips(folder / "nowhere", said.append)


def test_quick_is_six_clips_three_points_two_presets():
    settings = clips.settings_of(clips.parse(["folder", "--quick"]))
    assert len(clips.QUICK_CLIPS) == 6 and len(settings.qualities) == 3 and len(settings.codecs) == 4
    assert {"x264", "x265", "svtav1"} <= set(settings.anchors)


def test_the_command_plans_what_it_is_told(folder, capsys):
    given = ["--codecs", "nerv:2m", "--anchors", "x264:fast", "--frames", "2", "--threads", "1", "--json", "--dry-run"]
    assert clips.main([str(folder), "--quick", *given]) == 0
    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
    assert planned["points"] == 6 * (3 + 6)


def test_a_run_ends_in_a_page_a_table_and_a_plot(folder, tmp_path, capsys, monkeypatch):
    """Also where a clip is no video: the rest is reported, and the exit code tells."""
    monkeypatch.setattr(clips, "QUICK_CLIPS", {"bus_qcif": "a pan", "akiyo_cif": "a still scene"})
    next(folder.glob("akiyo*")).write_bytes(b"no video")
    out = tmp_path / "out"
    given = ["--quick", "--codecs", "none", "--anchors", "x264:ultrafast", "--anchor-points", "3", "--metrics", "psnr"]
    assert clips.main([str(folder), *given, "--out", str(out)]) == InputError.exit_code
    assert {path.name for path in out.iterdir()} >= {"results.jsonl", "report.html", "report.md", "plot.svg"}
    assert "x264 ultrafast" in (out / "report.md").read_text()
    assert "left out" in capsys.readouterr().err
