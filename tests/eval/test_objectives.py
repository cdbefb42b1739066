"""Objectives side by side: both of a point, kept, and shown with their difference."""

import json

import pytest

from eval import objectives
from nvcodec.format import VideoFormat
from nvcodec.video import Picture, Writer


def test_both_objectives_of_a_point(crop, tmp_path, capsys):
    clip, out = tmp_path / "tiny.y4m", tmp_path / "deep" / "rows.jsonl"
    with Writer(clip, VideoFormat(64, 48)) as writer:
        for number, planes in enumerate(crop(64, 48, 4)):
            writer.write(Picture(*planes, pts=number))
    options = ["--clips", str(clip), "--codecs", "hnerv", "--frames", "4", "--bpp", "1.5", "--seconds", "1.5"]
    assert objectives.main([*options, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["objective"] for row in rows] == ["joint", "consistent"]
    assert all(0 < row["bytes"] <= row["goal_bytes"] and row["psnr"] > 15 and row["steps"] > 0 for row in rows)
    assert printed.count("`hnerv`") == 1 and f"{rows[1]['psnr'] - rows[0]['psnr']:+.2f} |" in printed
    before = out.read_bytes()
    assert objectives.main([*options, "--out", str(out)]) == 0 and out.read_bytes() == before
    capsys.readouterr()
    assert objectives.main(["--table", str(out)]) == 0 and capsys.readouterr().out == printed
    assert objectives.markdown(rows[:1]).count("\n") == 1  # half a point is none


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--codecs", "pfnr"], "pfnr shares"),
        (["--seconds", "0"], "above 0"),
        (["--clips", "nowhere.mp4"], "nowhere.mp4"),
        (["--table", "nowhere.jsonl"], "no such file"),
    ],
)
def test_bad_options_are_one_line(words, said, tmp_path, capsys):
    assert objectives.main([*words, "--out", str(tmp_path / "rows.jsonl")]) != 0
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1
