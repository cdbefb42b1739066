import argparse

import pytest

import eval.table as table
from nvcodec.errors import UsageError
from nvcodec.study.processes import Finished

MEASURED = {
    "bytes": 2100,
    "video_bytes": 2000,
    "bpp": 0.1,
    "psnr_yuv": 30.0,
    "psnr_rgb": 29.0,
    "ms_ssim": None,
    "frames": 20,
    "decode_fps": 12.5,
}


def test_cases():
    assert table.parse_case("a.mp4:150kB, q24") == [table.Case("a.mp4", "150kB"), table.Case("a.mp4", "q24")]
    assert table.parse_case("c:/a.mp4:1MB") == [table.Case("c:/a.mp4", "1MB")]
    assert table.Case("a", "150kB").option == ("--size", "150kB")
    assert table.Case("a", "q24").option == ("--quality", "24")
    for bad in ("a.mp4", "a.mp4:", ":1MB", "a.mp4:,"):
        with pytest.raises(UsageError):
            table.parse_case(bad)


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Stands in for the encoder: every command ends well, eval prints its object."""
    made = []

    def run(*arguments: str) -> Finished:
        made.append(arguments)
        stdout = '{"bytes": 2100, "video_bytes": 2000, "bpp": 0.1, "psnr_yuv": 30.0, "psnr_rgb": 29.0, '
        stdout += '"ms_ssim": null, "frames": 20, "decode_fps": 12.5}\n'
        return Finished(arguments, 0, 4.0, 50_000_000, stdout if arguments[0] == "eval" else "")

    monkeypatch.setattr(table, "run_nvcodec", run)
    (tmp_path / "a.mp4").write_bytes(b"")
    return made


def given(tmp_path, **changes) -> argparse.Namespace:
    settings = {"out": tmp_path, "codec": ["hnerv"], "anchors": [], "time_budget": "15m", "encode_args": []}
    return argparse.Namespace(**{**settings, **changes})


def test_a_row_comes_from_three_fresh_processes_and_only_once(calls, tmp_path):
    cases = table.parse_case(f"{tmp_path / 'a.mp4'}:150kB,q24")
    rows = table.collect(cases, given(tmp_path))
    assert [c[0] for c in calls] == ["encode", "decode", "eval"] * 2
    assert calls[0][3:] == ("--size", "150kB", "--codec", "hnerv", "--time-budget", "15m", "--no-audio", "-y")
    assert {k: rows[0][k] for k in MEASURED if k != "decode_fps"} == {
        k: v for k, v in MEASURED.items() if k != "decode_fps"
    }
    assert (rows[0]["decode_fps"], rows[0]["decode_fps_warm"]) == (5.0, 12.5)
    assert table.collect(cases, given(tmp_path)) == rows
    assert len(calls) == 6
    table.collect(cases, given(tmp_path, time_budget="5m"))
    assert len(calls) == 12


def test_the_printed_table(calls, tmp_path):
    rows = table.collect(table.parse_case(f"{tmp_path / 'a.mp4'}:150kB"), given(tmp_path))
    lines = table.markdown(rows).splitlines()
    assert lines[2] == "| a.mp4 | hnerv | 2000 | 0.1000 | 29.00 | 30.00 | - | 4.0 | 5.0 | 50 |"
    assert all(line.count("|") == len(table.HEADER) + 1 for line in lines[:3])
    assert lines[-2].startswith("Commit: ") and lines[-1].startswith("Machine: ")
    assert str(tmp_path) not in "\n".join(lines)


def test_an_unknown_clip_is_one_line(capsys, tmp_path):
    assert table.main(["--case", "nowhere.mp4:1MB", "--out", str(tmp_path), "--anchors"]) == 3
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: no clip 'nowhere.mp4'")
