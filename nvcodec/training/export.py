"""From a checkpoint to weights that ship: the packed file, what it reaches, its model card, and who takes it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nvcodec._version import __version__
from nvcodec.codecs.conditional_pictures import Networks
from nvcodec.codecs.predicted_model import PredictedModel
from nvcodec.errors import FormatError, InputError, OutputError
from nvcodec.hardware import pick_device
from nvcodec.models.exact_prior import ExactPrior
from nvcodec.models.latent import LatentModel
from nvcodec.models.weights import Weights, pack_weights, parse_weights
from nvcodec.provenance import commit
from nvcodec.training import making
from nvcodec.training.card import Facts, Figures, write_card
from nvcodec.training.checkpoint import State, load_checkpoint, restore
from nvcodec.training.corpus import Frames, Items, open_corpus, split_corpus
from nvcodec.training.importing import load_parts
from nvcodec.training.log import LOG_NAME, read_log
from nvcodec.training.settings import ExportSettings
from nvcodec.training.validation import validate, validate_chains, validation_clips

DEFAULTS = "default.json"
_MAX_DEFAULTS = 1 << 16  # bytes


@dataclass(frozen=True)
class Exported:
    """Files that were made, and what the weights reach."""

    path: Path
    card: Path
    size: str
    id: str  # in hex
    bytes: int
    rows: list[dict[str, Any]]  # of `validate`; none without a corpus


def export(source: Path, out: Path, corpora: Sequence[Path] = (), settings: ExportSettings | None = None) -> Exported:
    """Write the mean weights of a run's last checkpoint as ``latent-SIZE-ID.safetensors``, or those of predicted frames
    as ``conditional-SIZE-ID.safetensors``, with a card into ``out``.

    What is validated is the packed file, read back: integers and float16 as a decoder has them.

    Raises:
        InputError: a checkpoint or corpus is missing or damaged, or the weights cannot be packed.
        OutputError: ``out`` cannot be written.
        UsageError: the corpus has no clips for the validation.
    """
    settings = settings or ExportSettings()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device, state = pick_device(settings.device), load_checkpoint(source)
    data = packed(state, about(state, settings), source)
    weights = parse_weights(data)
    items = [items for corpus in corpora for items in open_corpus(corpus)]
    figures = _validated(weights, state, items, settings.clips, device) if items else _logged(source)
    size, name = state.settings.model, weights.id.hex()
    stem = f"{size if state.settings.predicted else f'latent-{size}'}-{name}"
    known = state.where.corpora or tuple(each.summary for each in items)
    text = write_card(Facts(stem, data, weights, state.stages, known, figures, settings.note, settings.terms))
    _write(out / f"{stem}.safetensors", data)
    _write(out / f"{stem}.md", text.encode())
    rows = figures.rows if figures is not None and figures.packed else []
    return Exported(out / f"{stem}.safetensors", out / f"{stem}.md", size, name, len(data), rows)


def about(state: State, settings: ExportSettings) -> dict[str, str]:
    """What the file says of itself, for people: its training and its terms."""
    said = {
        "model": state.settings.model,
        "stages": json.dumps([stage.to_json() for stage in state.stages]),
        "made by": f"nvcodec {__version__}, {commit()}",
        "terms of the corpus": settings.terms,
    }
    if state.settings.predicted:
        said["key weights"] = ", ".join(state.where.key_weights or making.key_weights(state.settings.model))
    return said | ({"note": settings.note} if settings.note else {})


def packed(state: State, said: dict[str, str], source: Path) -> bytes:
    """The bytes of a file with a state's mean weights. Raises InputError."""
    model = making.make_model(state.settings.model)
    restore(model.state_dict(), state.tensors, "average/")
    try:
        return pack_weights(model, said)
    except ValueError as error:
        raise InputError(f"{source}: the weights cannot be packed: {error}") from None


def validate_packed(weights: Weights, size: str, clips: Frames, device: str = "cpu") -> list[dict[str, Any]]:
    """What a file's contents reach: rows of `validate`, or of `validate_chains` behind the key frames that ship.

    Raises FormatError if they are not of the model called ``size``.
    """
    model = making.make_model(size)
    if model.config != weights.config:
        raise FormatError(f"the weights do not have the sizes of model {size!r}")
    if not isinstance(model, LatentModel):
        return validate_chains(Networks(making.key_model(device), PredictedModel.of(weights, device)), clips)
    load_parts(model, weights)
    exact = ExactPrior(weights.config.prior, weights.part("prior."), device)
    return validate(model.to(device).eval(), clips, device, exact)


def _validated(weights: Weights, state: State, items: Sequence[Items], clips: int, device: str) -> Figures:
    """On held-out clips, as long as there are: the training's own split if the corpora are those it had."""
    training = state.settings
    split = split_corpus(items, training.held_out)
    longest = max(each.frames for each in items)
    frames = longest if any(stage.settings.stage == "inter" for stage in state.stages) else 1
    chosen = validation_clips(split, clips or training.validation_clips, frames)
    count, side = len(chosen[0]), chosen[0].shape[-1]
    what = f"{count} clips of {frames} pictures" if frames > 1 else f"{count} pictures"
    rows = validate_packed(weights, training.model, chosen, device)
    title = f"This file on {what} of {side}x{side} from held-out sources"
    if training.predicted:
        title += f", in low delay behind key frames of weights {making.key_weights(training.model)[0]}"
    return Figures(rows, title, packed=True)


def _logged(source: Path) -> Figures | None:
    """The last validation in the training's log."""
    log = (source if (source / LOG_NAME).exists() else source.parent) / LOG_NAME
    rows = [row for row in read_log(log) if row.get("kind") == "validation" and isinstance(row.get("rows"), list)]
    if not rows:
        return None
    return Figures(rows[-1]["rows"], f"By the training's log, step {rows[-1]['step']}, before packing", packed=False)


def set_default(folder: Path, size: str, model_id: str) -> None:
    """Name the weights that encoders take for a size in ``default.json``; other sizes keep theirs.

    Raises:
        InputError: the file that is there is none of ours.
        OutputError: it cannot be written.
    """
    path = folder / DEFAULTS
    named: dict[str, str] = {}
    try:
        if path.exists():
            if path.stat().st_size > _MAX_DEFAULTS:
                raise ValueError("too large")
            named = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(named, dict) or not all(isinstance(value, str) for value in named.values()):
            raise ValueError("no object of names")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None
    _write(path, (json.dumps(named | {size: model_id}, sort_keys=True, indent=1) + "\n").encode())


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise OutputError(f"{path}: {error.strerror or error}") from None
