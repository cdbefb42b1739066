"""The README's benchmark over a folder of clips: which clips, what is run, what is written."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("imageio_ffmpeg")
pytest.importorskip("matplotlib")

import eval.clips as clips
from nvcodec.errors import InputError
from nvcodec.study.points import plan


@pytest.fixture
def folder(carphone, make_clip, tmp_path):
    """Six small clips under the names that `--quick` looks for, one of them deeper down."""
    (tmp_path / "raw").mkdir()
    for index, name in enumerate(clips.QUICK_CLIPS):
        piece = make_clip(carphone, 48, 32, 3, x=8 * index, y=8 * index)
        (tmp_path / ("raw" if name == "bus_qcif" else "") / f"{name}_and_more.y4m").write_bytes(piece.read_bytes())
    return tmp_path


def test_the_six_clips_are_found_and_missing_ones_named(folder):
    assert [path.name.split("_and")[0] for path in clips.quick_clips(folder)] == list(clips.QUICK_CLIPS)
    next(folder.glob("akiyo*")).unlink()
    with pytest.raises(InputError, match="akiyo_cif"):
        clips.quick_clips(folder)


def test_quick_is_six_clips_three_points_two_presets():
    settings = clips.settings_of(clips.parse(["folder", "--quick"]))
    assert len(clips.QUICK_CLIPS) == 6 and len(settings.qualities) == 3 and len(settings.codecs) == 2
    assert {"x264", "x265", "svtav1"} <= set(settings.anchors)


def test_the_command_runs_what_the_report_shows(folder, monkeypatch, capsys):
    """The study's own settings and the arguments given to the command name the same points."""
    given = [str(folder), "--quick", "--codecs", "nerv:2m", "--anchors", "x264:fast", "--frames", "2", "--threads", "1"]
    settings = clips.settings_of(clips.parse(given))
    found = clips.quick_clips(folder)
    arguments = clips.rd_arguments(found, settings, folder / "r.jsonl", dry_run=True)
    assert clips.nvcodec_main([*arguments, "--json"]) == 0
    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
    assert planned["points"] == len(plan(found, settings)) == 6 * (3 + 6)


def test_a_run_ends_in_a_page_a_table_and_a_plot(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(clips, "QUICK", replace(clips.QUICK, anchor_points=3))
    monkeypatch.setattr(clips, "QUICK_CLIPS", {"bus_qcif": "a pan"})
    out = tmp_path / "out"
    given = ["--quick", "--codecs", "none", "--anchors", "x264:ultrafast", "--jobs", "2"]
    assert clips.main([str(folder), *given, "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} >= {"results.jsonl", "report.html", "report.md", "plot.svg"}
    assert "x264 ultrafast" in (out / "report.md").read_text()
    capsys.readouterr()
    next((folder / "raw").iterdir()).unlink()
    assert clips.main([str(folder), "--quick"]) == InputError.exit_code
    assert "error:" in capsys.readouterr().err
