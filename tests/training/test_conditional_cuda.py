"""On a GPU: a training of predicted frames goes as far as on a CPU, key frames and motion included."""

from __future__ import annotations

import math

import pytest
import torch

from nvcodec.training.__main__ import main
from nvcodec.training.log import LOG_NAME, read_log

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
TRAIN = ["--batch", "2", "--crop", "64", "--frames", "3", "--validation-clips", "1", "--held-out", "2"]


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_training_of_predicted_frames(packed, tmp_path, precision):
    words = ["train", str(packed), str(tmp_path / "run"), "--model", "conditional-s", "--stage", "inter"]
    made = ["--steps", "2", "--log-every", "1", "--device", "cuda", "--precision", precision]
    assert main([*words, *made, *TRAIN]) == 0
    rows = [row for row in read_log(tmp_path / "run" / LOG_NAME) if row["kind"] == "train"]
    assert len(rows) == 2 and all(math.isfinite(row["loss"]) for row in rows)
    out = tmp_path / "weights"
    assert main(["export", str(tmp_path / "run"), str(out), "--corpus", str(packed), "--device", "cuda"]) == 0
    assert len(list(out.glob("conditional-s-*.safetensors"))) == 1
