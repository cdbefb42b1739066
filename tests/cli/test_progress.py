import io
import json
import re
from types import SimpleNamespace

import pytest

from nvcodec.api.settings import Progress
from nvcodec.cli import progress
from nvcodec.cli.messages import Messages, plain


class Screen(io.StringIO):
    """A terminal of 80 columns."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def streams(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")

    def make(terminal, **options):
        messages = Messages(**options)
        messages.stdout, messages.stderr = io.StringIO(), Screen() if terminal else io.StringIO()
        return messages

    return make


def reports(messages, resumed=False, total=10):
    with progress.shown(messages, "encode", resumed) as callback:
        for done in range(0, 11, 2):
            callback(Progress(done, total, done // 5, psnr=30.5, predicted_bytes=12345, seconds=float(done)))


def test_plain_lines_where_stderr_is_no_terminal(streams, monkeypatch):
    clock = iter(range(0, 10_000, 7))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    messages = streams(False)
    reports(messages)
    lines = messages.stderr.getvalue().splitlines()
    assert lines[-1] == "encode: 100%, 10/10 frames, 1.00 fps, 30.50 dB, about 12.3 kB"
    assert "encode: 60%, 6/10 frames, 1.00 fps, 30.50 dB, about 12.3 kB, 4.0 s left" in lines
    assert messages.stdout.getvalue() == "" and "\x1b" not in messages.stderr.getvalue()


def test_a_quick_call_says_the_end_alone(streams):
    messages = streams(False)
    reports(messages)
    assert len(messages.stderr.getvalue().splitlines()) == 1


def test_a_bar_on_a_terminal_and_nothing_on_stdout(streams):
    messages = streams(True)
    reports(messages)
    shown = messages.stderr.getvalue()
    assert "━" in shown and "30.50 dB" in shown and "~12.3 kB" in shown
    assert messages.stdout.getvalue() == ""


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_no_colour_and_no_bar_on_request(streams, monkeypatch, variable):
    monkeypatch.setenv(variable, "dumb")
    messages = streams(True)
    reports(messages)
    shown = messages.stderr.getvalue()
    assert "\x1b[3" not in shown and "\x1b[9" not in shown
    assert ("━" in shown) == (variable == "NO_COLOR")


def test_objects(streams):
    messages = streams(True, json=True)
    reports(messages)
    objects = [json.loads(line) for line in messages.stdout.getvalue().splitlines()]
    assert objects and {item["type"] for item in objects} == {"progress"}
    assert objects[-1]["frames_done"] == 10 and objects[-1]["seconds_left"] == 0
    assert messages.stderr.getvalue() == ""


def test_quiet_takes_no_reports(streams):
    with progress.shown(streams(True, quiet=True), "encode") as callback:
        assert callback is None


def test_a_resumed_call_counts_from_where_it_was():
    meter = progress.Meter(resumed=True)
    assert meter.measure(Progress(80, 100, seconds=5.0)) == (None, None)
    assert meter.measure(Progress(90, 100, seconds=10.0)) == (2.0, 5.0)
    assert progress.Meter().measure(Progress(4, None, seconds=2.0)) == (2.0, None)


def test_unknown_numbers_are_left_out():
    assert progress.line("decode", Progress(3, None), None, None) == "decode: 3 frames"
    assert progress.facts(Progress(3, 9, psnr=float("inf"), bytes_written=50), None, None) == ["50 B"]


def test_what_json_cannot_hold():
    assert plain({"a": float("nan"), 3: (1, float("inf")), "b": Progress(1, 2)})["3"] == [1, None]


def test_the_bar_gives_way_to_the_numbers(streams):
    messages = streams(True)
    with progress.shown(messages, "encode") as callback:
        callback(Progress(1234, 5000, 3, psnr=33.123, predicted_bytes=123_456_789, seconds=4000.0))
    whole = "  24%  1234/5000 3.2 s/frame  33.12 dB  ~123 MB  3:23:27 left"
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]", messages.stderr.getvalue())]
    assert any(line.startswith("encode ━") and line.endswith(whole) for line in lines)
    assert max(map(len, lines)) <= 80
