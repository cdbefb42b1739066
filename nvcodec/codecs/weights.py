"""Weights of trained codecs: where they lie, and models made of them (bitstream/TRAINED.md, section 2).

The package's own are in ``nvcodec/weights``; ``NVCODEC_WEIGHTS`` names more files and folders.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

import torch
from torch import nn

from nvcodec.errors import FormatError, InputError, UnsupportedError, UsageError
from nvcodec.models.exact_prior import ExactPrior
from nvcodec.models.hyper import HyperEncoder
from nvcodec.models.latent import CONFIGS, LatentConfig
from nvcodec.models.latent_coding import EncoderParts
from nvcodec.models.quality import QUALITY_ANCHORS
from nvcodec.models.transform import Analysis, Synthesis
from nvcodec.models.weights import ID_BYTES, MAX_BYTES, Weights, load_transform, parse_weights

VARIABLE = "NVCODEC_WEIGHTS"
SUFFIX = ".safetensors"
FOLDER = Path(__file__).parent.parent / "weights"
_chosen: list[Path] = []  # files that this process was told of by name
KEPT = 4  # models of a process
LAMBDAS = [1.0] * len(QUALITY_ANCHORS)  # decide a start, which the file's numbers replace


@dataclass(frozen=True)
class Model:
    """Networks of one file on one device, frozen. What only encoders need is made when it is asked for."""

    weights: Weights
    device: str
    exact: ExactPrior
    synthesis: Synthesis

    @classmethod
    def of(cls, weights: Weights, device: str = "cpu") -> Model:
        """Raises FormatError unless the tensors are those of their sizes and every sum of the prior stays exact."""
        sizes = latent_sizes(weights)
        exact = ExactPrior(sizes.prior, weights.part("prior."), device)
        synthesis = network(weights, "synthesis", lambda: Synthesis(sizes.transform, LAMBDAS), device)
        return cls(weights, device, exact, synthesis)

    @cached_property
    def parts(self) -> EncoderParts:
        """What an encoder needs. Raises FormatError where the file holds none of it, or other tensors."""
        sizes = self.weights.config
        analysis = network(self.weights, "analysis", lambda: Analysis(sizes.transform, LAMBDAS), self.device)
        hyper_encoder = network(self.weights, "hyper_encoder", lambda: HyperEncoder(sizes.prior), self.device)
        return EncoderParts(analysis, hyper_encoder, self.exact)


Network = TypeVar("Network", bound=nn.Module)


def network(weights: Weights, name: str, made: Callable[[], Network], device: str) -> Network:
    """A part of a file's networks, frozen. Raises FormatError where the file holds none of it, or other tensors."""
    part = weights.part(f"{name}.")
    if not part:
        raise FormatError(f"weights {weights.id.hex()} hold no {name}")
    with torch.device("meta"):
        module = made()
    load_transform(module, part)
    return module.to(device).eval().requires_grad_(False)


def latent_sizes(weights: Weights) -> LatentConfig:
    """Raises FormatError for weights of another kind."""
    if not isinstance(weights.config, LatentConfig):
        raise FormatError(f"weights {weights.id.hex()} are of predicted frames, not of pictures by themselves")
    return weights.config


def read_weights(path: Path) -> Weights:
    """The contents of a file. Raises InputError for one that cannot be read, FormatError, UnsupportedError."""
    try:
        stat = path.stat()
        if not S_ISREG(stat.st_mode) or stat.st_size > MAX_BYTES:
            raise FormatError(f"{path}: not a file of weights: it is {'no file' if stat.st_size == 0 else 'too large'}")
        return _read(path.resolve(), stat.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except FormatError as error:
        raise type(error)(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None


@lru_cache(maxsize=8)
def _read(path: Path, stamp: int) -> Weights:
    with path.open("rb") as file:
        return parse_weights(file.read(MAX_BYTES + 1))


def weight_files() -> Iterator[Path]:
    """Every file that an id is looked for in: the package's, then those of NVCODEC_WEIGHTS."""
    named = [Path(place) for place in os.environ.get(VARIABLE, "").split(os.pathsep) if place]
    for path in (FOLDER, *named, *_chosen):
        try:
            inside = path.is_dir()
        except OSError:  # a name that no file can have
            continue
        yield from sorted(path.glob(f"*{SUFFIX}")) if inside else [path]


def find_weights(model_id: bytes, who: str = "the stream") -> Path:
    """The file of the model that a stream (or ``who``) names: its id is its name's end, or its name has none.

    Raises UnsupportedError that says which weights are missing; where nothing but damaged files of that name are found,
    FormatError or InputError of the first.
    """
    name = model_id.hex()
    problems: list[FormatError | InputError] = []
    damaged: list[FormatError | InputError] = []
    for path in sorted(weight_files(), key=lambda path: _named_id(path) != name):
        named = _named_id(path)
        if named not in (name, None):
            continue
        try:
            found = read_weights(path).id
            if found == model_id:
                return path
            if named is not None:
                raise FormatError(f"{path}: weights {found.hex()} under the name of {name}")
        except (FormatError, InputError) as error:
            (problems if named is None else damaged).append(error)
    if damaged:
        raise damaged[0]
    missing = f"{who} needs the weights {name}, which are not here"
    unread = f"; {problems[0]}" if problems else ""
    raise UnsupportedError(f"{missing}: put their file into a folder that {VARIABLE} names{unread}")


def _named_id(path: Path) -> str | None:
    """The id at the end of a file's name, in hex, if there is one."""
    word = path.stem.rpartition("-")[2]
    return word if len(word) == 2 * ID_BYTES and set(word) <= set("0123456789abcdef") else None


def default_ids(kind: str = "") -> dict[str, str]:
    """Size -> id in hex of the weights that an encoder takes; ``kind`` stands before sizes of another kind."""
    try:
        said: dict[str, str] = json.loads((FOLDER / "default.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {
        name.removeprefix(kind): said[name] for name in said if name.startswith(kind) and "-" not in name[len(kind) :]
    }


def weights_digest(paths: Iterable[Path]) -> str:
    """What tells files of weights from any others: their ids and the start of each file's hash."""
    each = [f"{read_weights(path).id.hex()} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}" for path in paths]
    return " ".join(each)


def named_weights(model: str | None, kind: str = "") -> Path:
    """The file that ``--model`` means: a size, or a file of one's own; the smallest size if it is None.

    Raises UsageError for a size without weights, InputError for a missing file.
    """
    sizes = default_ids(kind)
    if model is None:
        model = next(iter(sizes), "s")
    if model in sizes:
        return find_weights(bytes.fromhex(sizes[model]), f"model {model!r}")
    if model.endswith(SUFFIX) or os.sep in model:
        if not Path(model).is_file():
            raise InputError(f"{model}: no such file of weights")
        if Path(model) not in _chosen:
            _chosen.append(Path(model))
        return Path(model)
    known = f"there are: {', '.join(sizes) or 'none'}" if model not in CONFIGS else "none are shipped for it yet"
    raise UsageError(f"no weights for model {model!r}; {known}, or a file *{SUFFIX}")


def load_model(path: Path, device: str = "cpu") -> Model:
    """The networks of a file, made once a process. Raises what :func:`read_weights` and :meth:`Model.of` do."""
    weights = read_weights(path)
    key = id(weights), device
    if key not in _models or _models[key].weights is not weights:
        while len(_models) >= KEPT:
            del _models[next(iter(_models))]
        try:
            _models[key] = Model.of(weights, device)
        except FormatError as error:
            raise type(error)(f"{path}: {error}") from None
    return _models[key]


_models: dict[tuple[int, str], Model] = {}  # of weights that are held by what they made


def stored_model(model_id: bytes, device: str = "cpu") -> Model:
    """The model that a stream names. Raises what :func:`find_weights` and :meth:`Model.of` do."""
    return load_model(find_weights(model_id), device)
