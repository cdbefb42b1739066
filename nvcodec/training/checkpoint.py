"""The state of a training on disk: safetensors in parts, a manifest with their hashes, never a pickle.

A checkpoint is a folder ``step-N``. It is written under another name and renamed when it is whole, so one that is
there is complete; the last two are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from nvcodec.errors import InputError, OutputError, UsageError
from nvcodec.training.settings import TrainSettings

FORMAT = "nvcodec checkpoint 1"
MANIFEST = "manifest.json"
PART_BYTES = 15 << 20  # of tensors in a part; a part stays below 16 MB with its header
KEPT = 2
_MAX_PARTS = 1024
_MAX_PART_BYTES = 1 << 30  # read at most: a part may hold one tensor that is larger than PART_BYTES


@dataclass(frozen=True)
class State:
    """A training at a step."""

    step: int
    seconds: float  # spent in training so far
    settings: TrainSettings
    tensors: dict[str, Tensor]  # "model/NAME", "average/NAME", "adam/NAME/KEY"


def save_checkpoint(folder: Path, state: State) -> Path:
    """Write ``folder/step-N`` and drop older ones. Raises OutputError."""
    target = folder / f"step-{state.step:08d}"
    work = folder / f".{target.name}.{os.getpid()}"
    try:
        work.mkdir(parents=True, exist_ok=True)
        parts = []
        for number, tensors in enumerate(_parts(state.tensors)):
            data = save(tensors)
            name = f"part-{number:03d}.safetensors"
            _write(work / name, data)
            parts.append({"file": name, "sha256": hashlib.sha256(data).hexdigest()})
        head = {"format": FORMAT, "step": state.step, "seconds": state.seconds}
        manifest = {**head, "settings": state.settings.to_json(), "parts": parts}
        _write(work / MANIFEST, json.dumps(manifest, indent=1).encode())
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
        for old in checkpoints(folder)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise OutputError(f"{target}: {error.strerror or error}") from None
    return target


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _parts(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    part: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        size += tensor.nbytes
        if part and size > PART_BYTES:
            yield part
            part, size = {}, tensor.nbytes
        part[name] = tensor.detach().cpu().contiguous()
    yield part


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the latest last."""
    found = [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8,12}", path.name)]
    return sorted(found, key=lambda path: int(path.name[5:]))


def load_checkpoint(path: Path) -> State:
    """Read a checkpoint: ``step-N``, or a folder of which the latest is taken.

    Raises:
        InputError: it is missing, damaged or of another form.
    """
    inside = checkpoints(path)
    folder = inside[-1] if inside else path
    try:
        manifest = json.loads(_read(folder / MANIFEST, 1 << 20))
        if manifest["format"] != FORMAT:
            raise ValueError(f"not of the form {FORMAT!r}")
        step, seconds = manifest["step"], manifest["seconds"]
        if type(step) is not int or step < 0 or not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e10:
            raise ValueError("impossible step or seconds")
        settings = TrainSettings.from_json(manifest["settings"])
        tensors = _load_parts(folder, manifest["parts"])
    except OSError as error:
        raise InputError(f"{folder}: no checkpoint ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError, UsageError) as error:
        raise InputError(f"{folder}: not a checkpoint: {error}") from None
    return State(step, float(seconds), settings, tensors)


def _load_parts(folder: Path, parts: Any) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for number, part in enumerate(parts[:_MAX_PARTS]):
        if part["file"] != f"part-{number:03d}.safetensors":
            raise ValueError("a part of another name")
        data = _read(folder / part["file"], _MAX_PART_BYTES)
        if hashlib.sha256(data).hexdigest() != part["sha256"]:
            raise ValueError(f"{part['file']} does not have its hash")
        tensors |= load(data)
    return tensors


def _read(path: Path, limit: int) -> bytes:
    if path.stat().st_size > limit:
        raise ValueError(f"{path.name} is too large")
    return path.read_bytes()


def restore(target: Mapping[str, Tensor], tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Copy the tensors named ``prefix`` + name into ``target``.

    Raises:
        InputError: names, shapes or types are not those of ``target``.
    """
    there = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    if set(there) != set(target):
        odd = sorted(set(there) ^ set(target))[:3]
        raise InputError(f"the checkpoint is of another model: {', '.join(odd)}")
    with torch.no_grad():
        for name, tensor in target.items():
            if there[name].shape != tensor.shape or there[name].dtype != tensor.dtype:
                raise InputError(f"the checkpoint is of another model: {name} is {tuple(there[name].shape)}")
            tensor.copy_(there[name])
