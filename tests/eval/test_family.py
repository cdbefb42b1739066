"""The side-by-side table of fitted codecs: points are made once, whatever stops a run; and the table shows them all."""

import json
from pathlib import Path

import pytest

from eval import family
from eval.family_table import markdown
from nvcodec.codecs.registry import CODECS
from nvcodec.errors import InputError, UsageError
from nvcodec.format import VideoFormat
from nvcodec.video import Picture, Writer


@pytest.fixture(scope="module")
def clip(crop, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("family") / "tiny.y4m"
    with Writer(path, VideoFormat(64, 48)) as writer:
        for number, planes in enumerate(crop(64, 48, 5)):
            writer.write(Picture(*planes, pts=number))
    return path


def options(clip: Path, out: Path) -> list[str]:
    return ["--clips", str(clip), "--frames", "4", "--bpp", "1.5", "--codecs", "hnerv",
            "--steps", "30", "--seconds", "2", "--out", str(out)]  # fmt: skip


def test_a_run_that_was_stopped_goes_on(clip, tmp_path, capsys):
    out = tmp_path / "deep" / "rows.jsonl"
    assert family.main(options(clip, out)) == 0
    assert "| hnerv |" in capsys.readouterr().out
    first, second = out.read_text().splitlines()
    rows = [json.loads(line) for line in (first, second)]
    assert [row["mode"] for row in rows] == ["steps", "time"]
    for row in rows:
        assert row["codec"] == "hnerv" and row["pixels"] == 4 * 64 * 48
        assert 0 < row["bytes"] <= 1.5 * row["pixels"] / 8 and row["psnr"] > 15 and row["goal_met"]
        assert min(row[name] for name in ("encode_seconds", "decode_fps", "parameters", "macs_per_pixel")) > 0
        assert min(row["encode_peak_bytes"], row["decode_peak_bytes"]) > 2**26
        assert row["commit"] and row["machine"]
    out.write_text(f"{first}\n{second[: len(second) // 2]}")  # killed while it wrote
    assert family.main(options(clip, out)) == 0
    kept, cut, again = out.read_text().splitlines()
    assert kept == first and cut == second[: len(second) // 2]
    assert family.key_of(json.loads(again)) == family.key_of(rows[1])
    before = out.read_bytes()
    assert family.main(options(clip, out)) == 0  # nothing is left to do
    assert out.read_bytes() == before


def test_all_fitted_codecs_are_in_the_plan():
    given = family.parse(["--quick"])
    points = family.plan(given)
    assert {point.codec for point in points} == set(family.fitted_codecs())
    assert {"nerv", "hnerv", "nirvana", "nervpp", "enerv", "pfnr"} < set(family.fitted_codecs()) < set(CODECS)
    assert len({point.key() for point in points}) == len(points) == 8 * len(family.fitted_codecs())
    seconds = sum(point.amount if point.mode == "time" else 60 for point in points)
    assert seconds < 2 * 3600


def row(codec: str, mode: str, **changes) -> dict:
    return {
        "codec": codec, "clip": "a.mp4", "frames": 4, "bpp": 0.1, "mode": mode, "amount": 25.0, "bytes": 900,
        "psnr": 30.126, "pixels": 80_000, "encode_seconds": 12.3, "decode_fps": 99.6, "macs_per_pixel": 1234,
        "encode_peak_bytes": 5e8, "decode_peak_bytes": 3e8, **changes,
    }  # fmt: skip


def test_the_table_has_a_line_a_codec_and_the_latest_row_counts():
    rows = [row("nerv", "time"), row("hnerv", "time", decode_fps=50.2), row("nerv", "time", psnr=31.5)]
    rows.append(row("nerv", "steps"))
    by_time, by_steps = markdown(rows).split("\n\nEqual steps")
    assert by_time.startswith("Equal time (25 s of wall clock an encode)")
    assert by_time.count("\n| nerv | 31.50 |") == 1 and "30.13" in by_steps
    assert "| hnerv | 30.13 | 90% | 12 | 50 | 1.2 | 500 | 300 |" in by_time
    assert "hnerv" not in by_steps
    assert markdown([]) == ""


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["--codecs", "stem"], UsageError, "no fitted codec 'stem'; there are: nerv"),
        (["--clips", "nowhere.mp4"], InputError, "nowhere.mp4"),
        (["--table", "nowhere.jsonl"], InputError, "no such file"),
    ],
)
def test_bad_options_are_one_line(words, error, said, tmp_path, capsys):
    assert family.main([*words, "--out", str(tmp_path / "rows.jsonl")]) == error.exit_code
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1
    assert not (tmp_path / "rows.jsonl").exists()


def test_other_lines_are_no_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"codec": "nerv"}\n[1]\n\n{"codec": "hn')
    assert list(family.rows_of(path)) == [{"codec": "nerv"}]
    assert list(family.rows_of(tmp_path / "none")) == []
