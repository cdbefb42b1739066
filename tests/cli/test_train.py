"""``nvcodec train``: what it hands over, what it shows, and how it ends."""

from __future__ import annotations

import io
import signal
import subprocess
import sys

import pytest
import torch
from torch import nn

from nvcodec.cli import train_progress
from nvcodec.cli.messages import Messages
from nvcodec.errors import OutputError
from nvcodec.models.latent import ClipTerms
from nvcodec.training.packing import Packing, pack
from nvcodec.training.run import Ended
from nvcodec.training.settings import CallSettings, TrainSettings

ROWS = [{"quality": 8, "bpp": [0.1, 0.05], "psnr": [30.0, 29.5]}]
STEP = {"loss": 0.5, "bpp": 0.3, "mse": 20.0, "norm": 1.0, "lr": 0.004}


class Screen(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Mean(nn.Module):
    """Every sample of a clip is one number."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(()))

    def loss_terms(self, frames, quality):
        errors = [(plane.float() / 255 - self.level).square().mean((2, 3)) for plane in frames]
        return ClipTerms(self.level.abs().expand(errors[0].shape), torch.stack(errors, -1))


@pytest.fixture
def told(monkeypatch):
    """What the stand-in for a training was called with; ``reason`` and ``fails`` say how it ends."""
    calls = {"reason": "finished", "fails": None}

    def stand_in(corpora, folder, settings, call, report):
        calls.update(corpora=corpora, folder=folder, settings=settings, call=call)
        report("start", {"step": 100, "seconds": 50.0, "progress": 0.5, "grown": ["prior.new"]})
        report("validation", {"step": 100, "rows": ROWS})
        report("train", {"step": 120, "seconds": 60.0, "progress": 0.6, **STEP})
        if calls["fails"] is not None:
            raise calls["fails"]
        return Ended(calls["reason"], 200, 100.0, 1.0)

    monkeypatch.setattr("nvcodec.training.run.run_training", stand_in)
    return calls


@pytest.fixture
def corpus(make_clip, bikes, planes_of, tmp_path):
    """Eight pictures of 64x64."""
    pictures = [tuple(planes) for planes in planes_of(make_clip(bikes, 64, 64, 8, ".mkv"))]
    folder = tmp_path / "corpus"
    pack([folder], folder, lambda path: iter(pictures), Packing(size=64, frames=1))
    return folder


def test_it_hands_over_what_was_given(cli, told, tmp_path):
    ran = cli("train", "a", "b", str(tmp_path), "--seconds", "8h", "--stage", "inter", "--lr", "1e-3", "--threads", "2")
    assert ran.code == 0 and ran.out == ""
    assert told["settings"] == TrainSettings(seconds=28800, stage="inter", lr=1e-3)
    assert told["call"] == CallSettings(threads=2)
    assert [str(place) for place in told["corpora"]] == ["a", "b"] and told["folder"] == tmp_path
    lines = ran.err.splitlines()
    assert lines[0] == "going on from step 100, 50.0% of the plan"
    assert lines[1] == "the model has grown since the checkpoint: prior.new"
    assert lines[2] == "step 100, q 8: bpp 0.1000 0.0500 | dB 30.00 29.50"
    assert lines[3] == "train: 60.0%, step 120, loss 0.5000, 0.300 bpp, mse 20.0, 40 s left"
    assert lines[4] == f"{tmp_path}: finished at step 200 after 1:40" and "training export" in lines[5]


def test_as_json_lines(cli, told, tmp_path):
    ran = cli("train", "a", str(tmp_path), "--steps", "200", "--json")
    assert [item["type"] for item in ran.objects] == ["start", "validation", "progress", "result"]
    assert ran.objects[2]["fraction"] == 0.6 and ran.objects[2]["seconds_left"] == pytest.approx(40)
    assert ran.objects[3] == {
        "type": "result", "run": str(tmp_path), "reason": "finished", "step": 200, "seconds": 100.0, "progress": 1.0,
    }  # fmt: skip
    assert ran.err == ""


def test_a_part_of_a_plan_is_no_failure(cli, told, tmp_path):
    told["reason"] = "time is up"
    assert "the same call goes on" in cli("train", "a", str(tmp_path), "--steps", "9", "--stop-after", "1m").err
    assert told["call"].stop_after == 60


@pytest.mark.parametrize(("reason", "code", "said"), [("SIGINT", 130, "by Ctrl-C"), ("SIGTERM", 143, "by SIGTERM")])
def test_signals_save_and_say_how_to_go_on(cli, told, tmp_path, reason, code, said):
    (tmp_path / "step-00000200").mkdir()
    told["reason"] = reason
    ran = cli("train", "a", str(tmp_path), "--steps", "9", "-q")
    kept = f"step 200 is saved in {tmp_path}; the same call goes on"
    assert (ran.code, ran.err) == (code, f"nvcodec: error: stopped {said}; {kept}\n")
    told["fails"] = KeyboardInterrupt()  # a second Ctrl-C
    assert kept in cli("train", "a", str(tmp_path), "--steps", "9", "-q").err
    told["fails"] = OutputError("another training writes to it")
    ran = cli("train", "a", str(tmp_path), "--steps", "9", "-q")
    assert (ran.code, ran.err) == (9, "nvcodec: error: another training writes to it\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train a", "missing: RUN"),
        ("train a b", "either steps or seconds"),
        ("train a b --steps 1 --stage intre", "there is no 'intre'; did you mean intra?"),
        ("train a b --seconds soon", "is not a duration"),
        ("train a b --step 1", "there is no option --step; did you mean --steps?"),
    ],
)
def test_wrong_calls_are_one_line_and_2(cli, told, arguments, said):
    ran = cli(*arguments.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1) and said in ran.err
    assert "folder" not in told


def test_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    messages = Messages()
    messages.stdout, messages.stderr = io.StringIO(), Screen()
    with train_progress.shown(messages) as report:
        report("start", {"step": 0, "seconds": 0.0, "progress": 0.0, "grown": []})
        report("validation", {"step": 0, "rows": ROWS})
        report("train", {"step": 20, "seconds": 10.0, "progress": 0.1, **STEP})
    shown = messages.stderr.getvalue()
    assert "step 0, q 8: bpp 0.1000 0.0500" in shown and "10.0%" in shown and "1:30 left" in shown
    assert messages.stdout.getvalue() == ""


def test_no_torch_for_the_options():
    code = "import sys; from nvcodec.cli import main; main(['train', '--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse\n")


def test_a_real_one_stops_and_goes_on(cli, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("nvcodec.training.making.make_model", lambda size: Mean())
    shown = train_progress.facts

    def stop(row, left):
        if row["step"] == 3:
            signal.raise_signal(signal.SIGINT)
        return shown(row, left)

    monkeypatch.setattr("nvcodec.cli.train_progress.facts", stop)
    monkeypatch.setattr("nvcodec.cli.train_progress.LINE_EVERY", 0)
    small = ("--crop", "32", "--batch", "1", "--log-every", "1", "--validation-clips", "1", "--threads", "1")
    call = ("train", str(corpus), str(tmp_path / "run"), "--steps", "6", "--device", "cpu", *small)
    ran = cli(*call)
    assert ran.code == 130 and "step 3 is saved in" in ran.err.splitlines()[-1]
    ran = cli(*call)
    assert ran.code == 0 and "going on from step 3, 50.0%" in ran.err and "finished at step 6" in ran.err
    ran = cli(*call, "--lr", "1", "-q")
    assert (ran.code, ran.err.count("\n")) == (2, 1) and "other settings: lr" in ran.err
