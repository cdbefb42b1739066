"""Training a toy on real pictures: it learns, stops, and goes on bit for bit."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from nvcodec.codecs.base import quality_lambda as dial
from nvcodec.errors import InputError, UsageError
from nvcodec.models.latent import ClipTerms
from nvcodec.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from nvcodec.training.log import LOG_NAME, Log, read_log
from nvcodec.training.loop import Trainer
from nvcodec.training.objective import normaliser, quality_lambda, rate_distortion
from nvcodec.training.settings import TrainSettings, rate_factor
from nvcodec.training.state import Training
from nvcodec.training.stop import Stop, stoppable

BASE = {"batch": 4, "crop": 32, "frames": 2, "validate_every": 100, "log_every": 1, "lr": 0.02, "validation_clips": 2}


def trainer(toy, split, folder, **changes) -> Trainer:
    values = {"steps": 20} if "seconds" not in changes else {}
    return Trainer(Training(toy, TrainSettings(**{**BASE, **values, **changes})), split, folder)


def test_lambda_is_the_codecs_dial():
    levels = torch.arange(64.0)
    assert quality_lambda(levels).tolist() == pytest.approx([dial(float(q)) for q in levels])


def test_the_objective_weighs_planes_and_rates():
    terms = ClipTerms(torch.full((2, 3), 640.0), torch.tensor([1.0, 2.0, 4.0]).expand(2, 3, 3))
    loss = rate_distortion(terms, torch.tensor([32.0, 48.0]), 64)
    assert loss.mse[0, 0] == pytest.approx((6 + 2 + 4) / 8) and loss.bpp[0, 0] == 10
    expected = [(10 + dial(q) * 1.5) / n for q, n in ((32, 1), (48, 2))]
    assert float(loss.value) == pytest.approx(sum(expected) / 2)
    assert float(normaliser(torch.tensor(32.0))) == 1


@pytest.mark.parametrize("stage", ["intra", "inter"])
def test_twenty_steps_lower_the_loss(toy, split, tmp_path, stage):
    assert trainer(toy, split, tmp_path, stage=stage).run() == "finished"
    rows = read_log(tmp_path / LOG_NAME)
    losses = [row["loss"] for row in rows if row["kind"] == "train"]
    assert len(losses) == 20 and sum(losses[-5:]) < 0.9 * sum(losses[:5])
    first, last = (row["rows"] for row in rows if row["kind"] == "validation")
    assert [row["quality"] for row in first] == [8, 24, 40, 56]
    assert last[0]["bpp"][0] < first[0]["bpp"][0]
    assert first[0]["psnr"][0] + 8 < first[3]["psnr"][0]
    assert len(first[0]["bpp"]) == (2 if stage == "inter" else 1)
    assert rows[-1]["kind"] == "end"


def test_a_resumed_training_gives_the_same_bits(make_toy, split, tmp_path):
    from_start = trainer(make_toy(), split, tmp_path / "a")
    from_start.run()
    stopped = trainer(make_toy(), split, tmp_path / "b")
    stop = Stop()
    stopped._report = lambda kind, row: stop(signal.SIGTERM, None) if row["step"] == 8 else None
    with stoppable():  # the Stop touches SIGINT's handler
        assert stopped.run(stop) == "SIGTERM"
    state = load_checkpoint(tmp_path / "b")
    assert 0 < state.step < 20
    again = trainer(make_toy(), split, tmp_path / "b")
    again.training.resume(state)
    again.run()
    a, b = load_checkpoint(tmp_path / "a"), load_checkpoint(tmp_path / "b")
    assert a.step == b.step == 20 and set(a.tensors) == set(b.tensors)
    assert all(a.tensors[name].equal(b.tensors[name]) for name in a.tensors)
    losses = [[r["loss"] for r in read_log(tmp_path / n / LOG_NAME) if r["kind"] == "train"] for n in "ab"]
    assert losses[0] == losses[1]


def test_a_signal_saves(toy, split, tmp_path):
    made = trainer(toy, split, tmp_path, seconds=60.0)
    made._report = lambda kind, row: os.kill(os.getpid(), signal.SIGTERM) if row["step"] == 3 else None
    with stoppable() as stop:
        assert made.run(stop) == "SIGTERM"
    assert load_checkpoint(tmp_path).step == 3
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_the_clock_ends_a_training_and_counts_over_parts(toy, split, tmp_path):
    made = trainer(toy, split, tmp_path, seconds=0.05)
    assert made.run() == "finished" and made.training.seconds >= 0.05
    again = trainer(toy, split, tmp_path, seconds=0.05)
    again.training.resume(load_checkpoint(tmp_path))
    assert again.progress() == 1


def test_a_part_ends_when_its_time_is_up(toy, split, tmp_path):
    assert trainer(toy, split, tmp_path, steps=10**6).run(Stop(0.05)) == "time is up"
    assert 0 < load_checkpoint(tmp_path).step < 10**6


def test_a_prior_that_cannot_be_exported_is_a_row_of_the_log(toy, split, tmp_path, monkeypatch):
    def fail(*arguments):
        raise ValueError("a layer cannot be exported")

    monkeypatch.setattr("nvcodec.training.loop.validate", fail)
    assert trainer(toy, split, tmp_path, steps=2).run() == "finished"
    rows = read_log(tmp_path / LOG_NAME)
    assert [row["step"] for row in rows if row["kind"] == "fault"] == [0, 2]


def test_frozen_parameters_stay_and_slow_ones_are_slow(make_toy, split, tmp_path):
    one, two, three = make_toy(), make_toy(), make_toy()
    trainer(one, split, tmp_path / "a", frozen="linear", steps=3).run()
    assert one.linear.equal(make_toy().linear) and not one.scale.equal(make_toy().scale)
    trainer(two, split, tmp_path / "b", slow="linear", slow_rate=0.01, steps=3).run()
    trainer(three, split, tmp_path / "c", slow="", steps=3).run()
    moved = [(m.linear - make_toy().linear).abs().mean() for m in (two, three)]
    assert moved[0] < 0.02 * moved[1]


def test_a_gradient_that_is_not_finite_changes_nothing(toy):
    training = Training(toy, TrainSettings(steps=5))
    before = toy.scale.detach().clone()
    assert not torch.isfinite(torch.tensor(training.descend((toy.scale * float("nan")).sum(), 1.0)))
    assert toy.scale.equal(before) and training.step == 1


def test_weights_of_another_stage_start_one(make_toy, toy, split, tmp_path):
    trainer(toy, split, tmp_path, steps=3).run()
    state = load_checkpoint(tmp_path)
    training = Training(make_toy(), TrainSettings(stage="inter", steps=3))
    training.start_from(state)
    assert training.model.scale.equal(state.tensors["average/scale"]) and training.step == 0


def test_only_the_last_checkpoints_stay(toy, tmp_path):
    training = Training(toy, TrainSettings(steps=9))
    for training.step in (1, 2, 3):
        save_checkpoint(tmp_path, training.state())
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002", "step-00000003"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


def test_parts_stay_small(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("nvcodec.training.checkpoint.PART_BYTES", 40_000)
    training = Training(toy, TrainSettings(steps=9))
    path = save_checkpoint(tmp_path, training.state())
    assert len(list(path.glob("part-*"))) == 2
    assert load_checkpoint(path).tensors["model/linear"].equal(toy.linear)


def test_a_log_forgets_what_comes_after_the_checkpoint(tmp_path):
    log = Log(tmp_path / "x.jsonl", 0)
    for step in range(4):
        log.write("train", step, loss=1 / 3, norm=float("nan"))
    log.close()
    with (tmp_path / "x.jsonl").open("a") as file:
        file.write('{"kind": "tra')
    Log(tmp_path / "x.jsonl", 2).close()
    assert [row["step"] for row in read_log(tmp_path / "x.jsonl")] == [0, 1, 2]
    assert read_log(tmp_path / "x.jsonl")[0]["loss"] == 0.333333
    assert read_log(tmp_path / "x.jsonl")[0]["norm"] is None
    (tmp_path / "x.jsonl").write_text("[1]\n")
    with pytest.raises(InputError):
        read_log(tmp_path / "x.jsonl")


def test_the_rate_rises_stays_and_falls():
    settings = TrainSettings(steps=1, warm_up=0.1, decay=0.5)
    values = [rate_factor(p, settings) for p in (0.0, 0.05, 0.1, 0.5, 0.875, 1.0)]
    assert values == pytest.approx([0.001, 0.501, 1, 1, 0.5, 0], abs=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{}, {"steps": 1, "seconds": 1.0}, {"steps": 1, "stage": "x"}, {"steps": 1, "batch": 0}, {"steps": 1, "decay": 2}],
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(UsageError):
        TrainSettings(**changes)
