"""``python -m nvcodec.training`` as a user types it."""

from __future__ import annotations

import importlib.util

import pytest

from nvcodec.training.__main__ import main
from nvcodec.training.checkpoint import load_checkpoint
from nvcodec.training.log import LOG_NAME, read_log

OPTIONS = ["--batch", "1", "--crop", "32", "--validation-clips", "1", "--held-out", "2", "--threads", "1"]


def test_training_goes_on_where_it_was(packed, tmp_path, capsys, make_toy, monkeypatch):
    monkeypatch.setattr("nvcodec.training.making.make_model", lambda size: make_toy())
    assert main(["train", str(packed), str(tmp_path), "--steps", "1", *OPTIONS]) == 0
    said = capsys.readouterr()
    assert "step 0 q 8: bpp" in said.out and "finished at step 1" in said.err
    assert main(["train", str(packed), str(tmp_path), "--steps", "2", *OPTIONS]) == 0
    assert "going on from step 1" in capsys.readouterr().err
    assert load_checkpoint(tmp_path).step == 2
    assert [row["kind"] for row in read_log(tmp_path / LOG_NAME)].count("end") == 2
    assert main(["train", str(packed), str(tmp_path), "--steps", "3", "--lr", "1", *OPTIONS]) == 2
    assert "other settings: lr" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "code", "words"),
    [
        (["--steps", "1", "--model", "xl"], 2, "'xl'"),
        ([], 2, "either steps or seconds"),
        (["--steps", "1", "--device", "cuda:99"], 2, "not available"),
        (["--steps", "1", "--start-from", "/nowhere"], 3, "no checkpoint"),
    ],
)
def test_mistakes_are_a_line(packed, tmp_path, capsys, extra, code, words):
    assert main(["train", str(packed), str(tmp_path), *OPTIONS, *extra]) == code
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.skipif(importlib.util.find_spec("cv2") is not None, reason="OpenCV is installed")
def test_packing_without_opencv_says_what_is_missing(packed, tmp_path, capsys):
    assert main(["pack", str(packed), str(tmp_path / "out")]) == 2
    assert "opencv-python-headless" in capsys.readouterr().err
