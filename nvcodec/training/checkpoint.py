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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from nvcodec.errors import InputError, OutputError, UsageError
from nvcodec.training.history import Circumstances, Stage, checked_progress, stages_from_json
from nvcodec.training.settings import TrainSettings

FORMAT = "nvcodec checkpoint 1"
MANIFEST = "manifest.json"
PART_BYTES = 15 << 20  # of tensors in a part; a part stays below 16 MB with its header
KEPT = 2
_MAX_MANIFEST = 1 << 23
_MAX_PARTS = 1024
_MAX_PART_BYTES = 1 << 30  # read at most: a part may hold one tensor that is larger than PART_BYTES


@dataclass(frozen=True)
class State:
    """A training at a step."""

    step: int
    seconds: float  # spent in training so far
    settings: TrainSettings
    tensors: dict[str, Tensor]  # "model/NAME", "average/NAME", "adam/NAME/KEY"
    earlier: tuple[Stage, ...] = ()  # the stages that it started from
    where: Circumstances = field(default_factory=Circumstances)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The whole way to this state, the earliest stage first."""
        return *self.earlier, Stage(self.step, self.seconds, self.settings, self.where)


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
        way = {"earlier": [stage.to_json() for stage in state.earlier], "where": asdict(state.where)}
        manifest = {**head, "settings": state.settings.to_json(), **way, "parts": parts}
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
        manifest = json.loads(_read(folder / MANIFEST, _MAX_MANIFEST))
        if manifest["format"] != FORMAT:
            raise ValueError(f"not of the form {FORMAT!r}")
        step, seconds = checked_progress(manifest["step"], manifest["seconds"])
        settings = TrainSettings.from_json(manifest["settings"])
        earlier = stages_from_json(manifest.get("earlier", []))  # earlier checkpoints do not tell where they come from
        where = Circumstances.from_json(manifest["where"]) if "where" in manifest else Circumstances()
        tensors = _load_parts(folder, manifest["parts"])
    except OSError as error:
        raise InputError(f"{folder}: no checkpoint ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError, UsageError) as error:
        raise InputError(f"{folder}: not a checkpoint: {error}") from None
    return State(step, seconds, settings, tensors, earlier, where)


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


def restore(target: Mapping[str, Tensor], tensors: Mapping[str, Tensor], prefix: str) -> list[str]:
    """Copy the tensors named ``prefix`` + name into ``target``.

    A model that has grown since keeps what the checkpoint lacks as it is; those names are returned.

    Raises:
        InputError: there are other names, or shapes and types are not those of ``target``.
    """
    there = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    if not there or not set(there) <= set(target):
        odd = sorted(set(there) - set(target) or target)[:3]
        raise InputError(f"the checkpoint is of another model: {', '.join(odd)}")
    with torch.no_grad():
        for name, tensor in there.items():
            if tensor.shape != target[name].shape or tensor.dtype != target[name].dtype:
                raise InputError(f"the checkpoint is of another model: {name} is {tuple(tensor.shape)}")
            target[name].copy_(tensor)
    return sorted(set(target) - set(there))
