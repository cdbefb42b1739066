"""Checkpoints tell where their weights come from; those of before that still load; a run has one writer."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import InputError, NvcodecError, OutputError, UsageError
from nvcodec.training.checkpoint import MANIFEST, load_checkpoint, restore, save_checkpoint
from nvcodec.training.history import MAX_LINES, Circumstances, Stage, stages_from_json
from nvcodec.training.run import locked, run_training
from nvcodec.training.settings import CallSettings, TrainSettings
from nvcodec.training.state import Training

WATCH = {"validate_every": 100, "log_every": 1, "validation_clips": 1, "held_out": 2}
SMALL = {"batch": 1, "crop": 32, "frames": 2, "lr": 0.02, **WATCH}
CALL = CallSettings(threads=1, device="cpu")


@pytest.fixture
def toys(make_toy, monkeypatch):
    monkeypatch.setattr("nvcodec.training.making.make_model", lambda size: make_toy())


def test_a_chain_of_stages_is_told(toys, packed, tmp_path):
    rows = []
    first = TrainSettings(steps=2, **SMALL)
    run_training([packed], tmp_path / "a", first, CALL, lambda kind, row: rows.append((kind, row)))
    then = CallSettings(threads=1, device="cpu", start_from=str(tmp_path / "a"))
    ended = run_training([packed], tmp_path / "b", TrainSettings(stage="inter", steps=3, **SMALL), then)
    assert (ended.reason, ended.step, ended.progress) == ("finished", 3, 1)
    stages = load_checkpoint(tmp_path / "b").stages
    assert [(stage.settings.stage, stage.step) for stage in stages] == [("intra", 2), ("inter", 3)]
    for stage in stages:
        assert stage.where.machines[0].endswith(", 1 thread") and len(stage.where.commits) == 1
        assert [line.split(" of ")[0] for line in stage.where.corpora] == ["2 pictures", "16 clips"]
    assert rows[0] == ("start", {"step": 0, "seconds": 0.0, "progress": 0.0, "grown": []})
    assert {kind for kind, _ in rows} == {"start", "train", "validation"}


def test_going_on_elsewhere_is_told_once(toys, packed, tmp_path, monkeypatch):
    for steps, machine in ((1, "A"), (2, "B"), (3, "B")):
        monkeypatch.setattr("nvcodec.training.run.cpu_model", lambda machine=machine: machine)
        run_training([packed], tmp_path, TrainSettings(steps=steps, **SMALL), CALL)
    state = load_checkpoint(tmp_path)
    assert state.where.machines == ("A, 1 thread", "B, 1 thread") and len(state.where.corpora) == 2
    assert state.earlier == ()


def test_an_earlier_programs_checkpoint_loads(toy, tmp_path):
    saved = save_checkpoint(tmp_path, Training(toy, TrainSettings(steps=9)).state())
    manifest = json.loads((saved / MANIFEST).read_text())
    del manifest["earlier"], manifest["where"]
    (saved / MANIFEST).write_text(json.dumps(manifest))
    state = load_checkpoint(saved)
    assert state.earlier == () and state.where == Circumstances()
    Training(toy, TrainSettings(steps=9)).resume(state)


def test_a_model_may_have_grown(toy, tmp_path):
    training = Training(toy, TrainSettings(steps=9))
    training.descend(toy.linear.square().sum() + toy.scale.sum(), 1.0)
    state = training.state()
    for name in ("model/unused", "average/unused"):
        del state.tensors[name]
    again = Training(type(toy)(), TrainSettings(steps=9))
    again.resume(state)
    assert again.grown == ["unused"] and again.model.scale.equal(toy.scale)
    again.start_from(state)
    assert again.grown == ["unused"]
    with pytest.raises(InputError, match="another model"):
        restore({}, state.tensors, "average/")
    with pytest.raises(InputError, match="another model"):
        restore(toy.state_dict(), {}, "average/")


NOTED = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.text(max_size=3), max_size=2))
STAGES = st.dictionaries(st.sampled_from(("step", "seconds", "settings", "where", "x")), NOTED)


@given(st.one_of(NOTED, st.lists(STAGES, max_size=2)))
def test_odd_histories_are_refused_or_empty(values):
    with contextlib.suppress(ValueError, UsageError):
        assert stages_from_json(values) == ()


@pytest.mark.parametrize(
    "where",
    [7, {}, {"corpora": [], "machines": [], "commits": [7]}, {"corpora": ["x" * 9999], "machines": [], "commits": []},
     {"corpora": [], "machines": ["x"] * 999, "commits": []}, {"corpora": "abc", "machines": [], "commits": []}],
)  # fmt: skip
def test_odd_circumstances_are_refused(toy, tmp_path, where):
    saved = save_checkpoint(tmp_path, Training(toy, TrainSettings(steps=9)).state())
    manifest = json.loads((saved / MANIFEST).read_text())
    (saved / MANIFEST).write_text(json.dumps({**manifest, "where": where}))
    with pytest.raises(InputError, match="impossible circumstances"):
        load_checkpoint(saved)


def test_what_is_written_can_be_read():
    many = Circumstances(machines=tuple(f"machine {i}\x1b" for i in range(3 * MAX_LINES)))
    joined = many.joined(Circumstances(machines=("last",)))
    assert len(joined.machines) == MAX_LINES and joined.machines[-1] == "last"
    stage = Stage(3, 1.5, TrainSettings(steps=9), joined)
    (back,) = stages_from_json(json.loads(json.dumps([stage.to_json()])))
    assert back.where.machines[0].endswith("?") and back.settings == stage.settings


def test_two_trainings_do_not_mix(toys, packed, tmp_path):
    hold = "import sys; from pathlib import Path; from nvcodec.training.run import locked\n"
    hold += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    run = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", hold, str(run)], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another training writes to it"):
            run_training([packed], run, TrainSettings(steps=1, **SMALL), CALL)
        assert list(run.iterdir()) == []
        other.stdin.close()
    run_training([packed], run, TrainSettings(steps=1, **SMALL), CALL)
    with locked(run), pytest.raises(OutputError), locked(run):
        pass


def test_a_forgotten_run_is_no_corpus(packed, tmp_path):
    with pytest.raises(UsageError, match="is a packed corpus; the folder of the run comes last"):
        run_training([packed], packed, TrainSettings(steps=1, **SMALL), CALL)
    (tmp_path / "file").touch()
    with pytest.raises(NvcodecError):
        run_training([packed], tmp_path / "file", TrainSettings(steps=1, **SMALL), CALL)


def test_neither_training_nor_export_needs_av():
    code = "import sys; sys.modules['av'] = None; import nvcodec.training.run, nvcodec.training.export"
    subprocess.run([sys.executable, "-c", code], check=True)
