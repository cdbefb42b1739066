"""Where weights are looked for: what is damaged in one place hides nothing in another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nvcodec.codecs import weights as store
from nvcodec.codecs.weights import VARIABLE, find_weights
from nvcodec.errors import FormatError, InputError
from nvcodec.models.weights import parse_weights


@pytest.fixture
def wanted(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(store, "_chosen", [])
    return parse_weights(tiny_weights.read_bytes()).id


def damage(path: Path, kind: str, good: Path) -> None:
    data = bytearray(good.read_bytes())
    if kind == "cut":
        path.write_bytes(data[:-9])
    elif kind == "bent":
        data[len(data) // 2] ^= 255
        path.write_bytes(data)
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize("kind", ["cut", "bent", "empty", "gone"])
@pytest.mark.parametrize("named", [True, False])
def test_a_damaged_file_does_not_hide_a_good_one(
    wanted: bytes, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, named: bool
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    bad = first / f"latent-x-{wanted.hex()}.safetensors"
    good = second / (bad.name if named else "any.safetensors")
    damage(bad, kind, tiny_weights)
    monkeypatch.setenv(VARIABLE, os.pathsep.join(map(str, (first, second))))
    with pytest.raises((FormatError, InputError), match=bad.name):
        find_weights(wanted)
    shutil.copy(tiny_weights, good)
    assert find_weights(wanted) == good


def test_other_weights_under_a_name_do_not_hide_the_right_ones(
    wanted: bytes, tiny_weights: Path, tiny_conditional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, right = (tmp_path / f"{n}-{wanted.hex()}.safetensors" for n in "ab")
    shutil.copy(tiny_conditional, wrong)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(FormatError, match="under the name of"):
        find_weights(wanted)
    shutil.copy(tiny_weights, right)
    assert find_weights(wanted) == right
