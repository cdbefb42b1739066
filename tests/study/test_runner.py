"""Studies that really run, on a clip of a few small frames."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("imageio_ffmpeg")
pytest.importorskip("ffmpeg")

from nvcodec.cli import main
from nvcodec.errors import InputError, OutputError
from nvcodec.study import ffmpeg, runner
from nvcodec.study.estimate import Remaining
from nvcodec.study.points import plan
from nvcodec.study.rows import Row, read_rows
from nvcodec.study.runner import run_study
from nvcodec.study.settings import StudySettings


@pytest.fixture(scope="module")
def clip(carphone, make_clip):
    return make_clip(carphone, 96, 80, 6)


QUICK = StudySettings(
    codecs=("hnerv:faster",), anchors=("x264:ultrafast",), qualities=(24,), crfs=(24, 36), metrics=("psnr",), threads=1
)


@pytest.fixture(scope="module")
def study(clip, tmp_path_factory):
    """(points, file of results, rows, events) of one study that ran to its end."""
    out = tmp_path_factory.mktemp("study") / "r.jsonl"
    points, events = plan([clip], QUICK), []
    return points, out, run_study(points, QUICK, out, events.append), events


def test_every_point_is_a_row_with_all_that_a_reader_needs(study):
    points, out, rows, events = study
    assert [row.key for row in rows] == [point.key for point in points]
    assert [event.done for event in events] == [1, 2, 3]
    for row in rows:
        assert not row.error
        assert row.bpp == pytest.approx(8 * row.video_bytes / (row.width * row.height * row.frames))
        assert row.kbps == pytest.approx(8 * row.video_bytes / row.frames * row.fps / 1000)
        assert 15 < row.psnr_yuv < 60
        assert row.encode_seconds > 0 and row.decode_fps > 0 and row.encode_peak_bytes > 1e6
        assert len(row.per_frame["psnr_yuv"]) == row.frames == 6
        assert abs(sum(row.per_frame["bits"]) - 8 * row.video_bytes) < 8 * 6
        assert sum(group["bits"] for group in row.groups) == 8 * row.video_bytes
        assert row.commit and row.version and row.machine and row.encoder
        assert not any(word.startswith("/") for word in row.command.split())
    assert {row.family for row in rows} == {"classical", "fitted"}
    ours = next(row for row in rows if row.family == "fitted")
    assert ours.command.startswith("nvcodec encode ") and "--quality 24" in ours.command
    assert read_rows([out]) == rows


def test_a_second_call_runs_nothing(study, monkeypatch):
    points, out, rows, _ = study
    monkeypatch.setattr(runner._Study, "point", lambda *_: pytest.fail("ran again"))
    assert run_study(points, QUICK, out) == rows


def test_a_failed_point_is_a_row_and_is_tried_again(clip, tmp_path, monkeypatch):
    out = tmp_path / "r.jsonl"
    settings = StudySettings(codecs=("none",), anchors=("x264:ultrafast",), crfs=(24, 30), metrics=("psnr",))
    points = plan([clip], settings)
    whole = runner._Study.encode

    def broken(self, point, source, folder):
        if point.setting == 24:
            raise OSError("no space left")
        return whole(self, point, source, folder)

    monkeypatch.setattr(runner._Study, "encode", broken)
    rows = run_study(points, settings, out)
    assert [bool(row.error) for row in rows] == [True, False]
    assert "no space left" in rows[0].error
    assert len(read_rows([out])) == 1
    monkeypatch.setattr(runner._Study, "encode", whole)
    assert not any(row.error for row in run_study(points, settings, out))


def test_results_never_go_into_another_file(clip, tmp_path):
    other = tmp_path / "precious.mp4"
    other.write_bytes(b"\0\0\0 ftyp")
    with pytest.raises(OutputError, match="not a file of results"):
        run_study(plan([clip], QUICK), QUICK, other)
    assert other.read_bytes() == b"\0\0\0 ftyp"
    with pytest.raises(OutputError):
        run_study(plan([clip], QUICK), QUICK, tmp_path)


def test_the_command_plans_without_running(clip, study, capfd, tmp_path):
    _, out, _, _ = study
    call = ["rd", str(clip), "--codecs", "hnerv:30s", "--anchors", "x264:ultrafast", "--crfs", "24,36", "--json"]
    assert main([*call, "--points", "2", "--metrics", "psnr", "--dry-run", "--out", str(out)]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["to_run"] for line in lines] == [0, 2, 2]
    assert 60 < lines[-1]["seconds"] < 120
    assert main([*call, "--dry-run", "--out", str(out)]) == 0  # SSIM was not measured, so the point is run again
    assert [json.loads(line)["to_run"] for line in capfd.readouterr().out.splitlines()] == [2, 4, 6]
    assert main([*call, "--dry-run", "--out", str(tmp_path / "none.jsonl")]) == 0
    assert not (tmp_path / "none.jsonl").exists()


def test_what_cannot_run_is_named_and_the_rest_goes_on(clip, tmp_path, capfd, monkeypatch):
    """A clip that is no video, one that is missing, and an encoder that this ffmpeg has not."""
    broken, out = tmp_path / "broken.mp4", tmp_path / "r.jsonl"
    broken.write_bytes(b"this is no video")
    whole = ffmpeg.find_ffmpeg()
    monkeypatch.setitem(whole.__dict__, "encoders", whole.encoders - {"libx265"})
    call = ["rd", str(broken), str(tmp_path / "none.y4m"), str(clip), "--codecs", "none", "--metrics", "psnr"]
    assert main([*call, "--anchors", "x265,x264:ultrafast", "--crfs", "30", "--out", str(out)]) == InputError.exit_code
    said = capfd.readouterr().err
    for text in ("broken.mp4", "none.y4m: no such file", "libx265"):
        assert sum("left out" in line and text in line for line in said.splitlines()) >= 1, said
    assert [row.codec for row in read_rows([out])] == ["x264"]
    assert main(["rd", str(broken), "--out", str(out)]) == InputError.exit_code


def test_one_study_at_a_time_writes_to_a_file(clip, tmp_path):
    out = tmp_path / "r.jsonl"
    with runner._locked(out), pytest.raises(OutputError, match="another study"):
        run_study(plan([clip], QUICK), QUICK, out)
    assert out.read_bytes() == b""


def test_rows_that_are_none_are_made_again(clip, tmp_path):
    points = plan([clip], QUICK)
    rows = [{"key": points[0].key, "clip": "a", "codec": "x", "width": "a"}, {"key": points[1].key, "rate": "q1"}]
    nonsense = {"clip": "a", "codec": "x", "width": 8, "height": 8, "frames": 1, "psnr_yuv": 30.0}
    rows += [{"key": points[2].key, **nonsense, "encode_seconds": seconds} for seconds in (-5.0, float("nan"))]
    out = tmp_path / "r.jsonl"
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = runner.finished(points, runner.open_results(out), QUICK)
    assert [row.key for row in done] == [points[2].key]
    assert Remaining(points, QUICK, done).seconds() > 0


def test_a_killed_study_leaves_no_encoder_behind(clip, tmp_path):
    call = ["rd", str(clip), "--codecs", "hnerv:11m", "--qualities", "24", "--anchors", "none"]
    code = "import sys; from nvcodec.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code, *call, "--out", str(tmp_path / "r.jsonl")])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _commands_with("11m\0--seed"):
        time.sleep(0.1)
    process.kill()  # often before the process that measures has started up
    process.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _commands_with("11m\0--seed"):
        time.sleep(0.1)
    assert not _commands_with("11m\0--seed")


def test_an_interrupt_keeps_whole_rows_and_leaves_no_process(clip, tmp_path):
    out = tmp_path / "r.jsonl"
    call = ["rd", str(clip), "--codecs", "hnerv:10m", "--qualities", "24", "--anchors", "x264:ultrafast"]
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # shells' jobs may ignore it
    code = heard + "import sys; from nvcodec.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *call, "--crfs", "30", "--metrics", "psnr", "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (out.exists() and out.read_text().count("\n") == 1):
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    (row,) = read_rows([out])
    assert isinstance(row, Row) and row.codec == "x264"
    assert not _commands_with(str(out.parent)) and not _commands_with("10m")


def _commands_with(text):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_text()
        except OSError:
            continue
        if text in command and "nvcodec" in command:
            found.append(command)
    return found
