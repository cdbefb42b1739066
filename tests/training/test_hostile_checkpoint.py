"""Checkpoints are input: whatever is wrong with one is said in a line."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.errors import InputError
from nvcodec.training.checkpoint import MANIFEST, load_checkpoint, save_checkpoint
from nvcodec.training.settings import TrainSettings
from nvcodec.training.state import Training


@pytest.fixture
def saved(toy, tmp_path):
    training = Training(toy, TrainSettings(steps=9))
    training.descend(toy.linear.square().sum() + toy.scale.sum(), 1.0)
    return save_checkpoint(tmp_path, training.state())


def _edit(saved, **changes):
    manifest = json.loads((saved / MANIFEST).read_text())
    (saved / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def test_one_flipped_bit_is_found(saved):
    part = saved / "part-000.safetensors"
    data = bytearray(part.read_bytes())
    data[-5] ^= 1
    part.write_bytes(data)
    with pytest.raises(InputError, match="does not have its hash"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"step": -1},
        {"step": "1"},
        {"seconds": 1e300},
        {"settings": {"steps": 1}},
        {"parts": [{"file": "../../secret", "sha256": ""}]},
        {"parts": [None]},
        {"parts": 7},
    ],
)
def test_a_wrong_manifest_is_refused(saved, changes):
    _edit(saved, **changes)
    with pytest.raises(InputError):
        load_checkpoint(saved)


def test_settings_of_wrong_types_are_refused(saved):
    settings_json = json.loads((saved / MANIFEST).read_text())["settings"]
    _edit(saved, settings={**settings_json, "batch": "8"})
    with pytest.raises(InputError, match="batch"):
        load_checkpoint(saved)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    (folder / MANIFEST).write_bytes(data)
    with pytest.raises(InputError):
        load_checkpoint(folder)


def test_a_part_that_is_no_safetensors_is_refused(saved):
    import hashlib

    part = saved / "part-000.safetensors"
    part.write_bytes(b"\x80\x04K\x01.")  # a pickle
    _edit(saved, parts=[{"file": part.name, "sha256": hashlib.sha256(part.read_bytes()).hexdigest()}])
    with pytest.raises(InputError, match="not a checkpoint"):
        load_checkpoint(saved)


def test_a_missing_one_is_named(tmp_path):
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(tmp_path / "none")


@pytest.mark.parametrize("name", ["model/scale", "average/scale", "adam/scale/exp_avg"])
def test_another_models_state_is_refused(saved, toy, name):
    state = load_checkpoint(saved)
    state.tensors[name] = torch.zeros(3)
    with pytest.raises(InputError, match="another model"):
        Training(toy, TrainSettings(steps=9)).resume(state)
    del state.tensors[name]
    state.tensors[name + "x"] = torch.zeros(96)
    with pytest.raises(InputError):
        Training(toy, TrainSettings(steps=9)).resume(state)


def test_no_half_restored_folder(saved, tmp_path):
    shutil.rmtree(saved / "none", ignore_errors=True)
    (saved / "part-000.safetensors").unlink()
    with pytest.raises(InputError):
        load_checkpoint(tmp_path)
