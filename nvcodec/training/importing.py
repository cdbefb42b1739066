"""From weights that ship back to a model that can be trained: integers become floats again, transforms are as they are.

Packing such a model gives the file's integers again, but for tables of z between the anchors of quality.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.codecs.weights import read_weights
from nvcodec.errors import FormatError, InputError, UsageError
from nvcodec.models.exact_prior import ExactPrior
from nvcodec.models.integer import ANCHORS, QUALITIES, IntegerLayer, Integers
from nvcodec.models.prior import Prior
from nvcodec.models.weights import Weights, load_transform, parts_of
from nvcodec.training import making
from nvcodec.training.history import MAX_STAGES, Stage, stages_from_json
from nvcodec.training.state import Training

_INDEX_SCALE = 8.0  # of tables of z: as in `Prior`


def start_from_file(training: Training, path: Path) -> None:
    """Begin a training with a file's weights, of either kind; its stages become the training's earlier ones.

    Raises InputError or FormatError where the file cannot be read, is damaged, or is of another model.
    """
    weights = read_weights(path)
    try:
        start = model_of(weights, training.settings.model)
    except FormatError as error:
        raise InputError(f"{path}: {error}") from None
    own = training.model.state_dict()
    with torch.no_grad():
        for name, tensor in start.state_dict().items():
            own[name].copy_(tensor)
            training.average[name].copy_(tensor)
    training.earlier = stages_of(weights)[-MAX_STAGES:]
    training.began_with(weights.id.hex())


def model_of(weights: Weights, name: str) -> making.Trained:
    """The model called ``name`` with a file's numbers, float32, on the CPU.

    Raises FormatError unless the file holds all of such a model, encoder included.
    """
    with torch.random.fork_rng(devices=[]):  # a training's own start is not to depend on this one
        model = making.make_model(name)
    if model.config != weights.config:
        raise FormatError(f"the weights do not have the sizes of model {name!r}")
    load_parts(model, weights)
    dequantise(model.prior, weights.part("prior."))
    return model


def load_parts(model: making.Trained, weights: Weights) -> None:
    """Put a file's transforms into a model of its sizes. Raises FormatError."""
    for part in parts_of(weights.config):
        arrays = weights.part(f"{part}.")
        if not arrays:
            raise FormatError(f"the weights hold no {part}")
        load_transform(model.get_submodule(part), arrays)


@torch.no_grad()
def dequantise(prior: Prior, arrays: Integers) -> None:
    """Give a prior the float parameters that round to these integers.

    Raises FormatError unless they fit and keep every sum exact.
    """
    ExactPrior(prior.config, arrays)  # checks all of them
    for name, layer in prior.network.layers():
        _real(layer, *(arrays[f"{name}.{key}"] for key in ("weight", "bias", "shift")))
    prior.network.taps.copy_(_floats(arrays["taps"]) / 64)
    anchors = np.linspace(0, QUALITIES - 1, ANCHORS).round().astype(int)
    for scale, index in zip((prior.z_scale, prior.z_scale_inter), arrays["z_index"], strict=True):
        scale.copy_(_floats(index[anchors]) / _INDEX_SCALE)


def _real(layer: IntegerLayer, weight: NDArray[np.int8], bias: NDArray[np.int32], shift: NDArray[np.uint8]) -> None:
    down = torch.exp2(-_floats(shift))
    layer.weight.copy_(_floats(weight) * down[:, None] / (layer.out_scale[:, None] / layer.in_scale))
    layer.bias.copy_(_floats(bias) * down / layer.out_scale)


def _floats(array: NDArray[np.integer]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))


def stages_of(weights: Weights) -> tuple[Stage, ...]:
    """The stages that a file says it was trained in; none where it says nothing that this program understands."""
    try:
        return stages_from_json(json.loads(weights.about.get("stages", "[]")))
    except (ValueError, UsageError, KeyError, TypeError, RecursionError):
        return ()
