"""The models that are trained, with the project's constants put in: lambda of the dial, the coder's tables."""

from __future__ import annotations

import torch

from nvcodec.codecs.weights import Model, load_model, named_weights
from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.errors import UsageError
from nvcodec.models.conditional import CONDITIONAL_CONFIGS
from nvcodec.models.latent import CONFIGS, LatentModel, latent_config
from nvcodec.models.quality import QUALITY_ANCHORS
from nvcodec.training.chains import ChainModel
from nvcodec.training.objective import quality_lambda
from nvcodec.training.settings import CONDITIONAL

Trained = LatentModel | ChainModel


def make_model(name: str) -> Trained:
    """The model called "s", "m", "conditional-s" or "conditional-m" at its start.

    Random numbers come from torch's generator. Conditional models are trained behind key frames of the intra model of
    size s that ships. Raises UsageError.
    """
    lambdas = quality_lambda(torch.tensor(QUALITY_ANCHORS, dtype=torch.float64)).tolist()
    sigmas = [GGD.sigma(i) for i in LATENT_TABLES]
    size = name.removeprefix(CONDITIONAL)
    if size not in (CONFIGS if size == name else CONDITIONAL_CONFIGS):
        known = (*CONFIGS, *(f"{CONDITIONAL}{each}" for each in CONDITIONAL_CONFIGS))
        raise UsageError(f"models are {', '.join(known)}, not {name!r}")
    if size == name:
        return LatentModel(latent_config(name), lambdas, sigmas, laplace=True)
    return ChainModel(CONDITIONAL_CONFIGS[size], lambdas, sigmas, True, key_model())


def key_model(device: str = "cpu") -> Model:
    """The intra model that codes key frames in training: of size s, as it ships."""
    return load_model(named_weights("s"), device)


def key_weights(name: str) -> tuple[str, ...]:
    """Ids in hex of the weights that code the key frames of the model called ``name`` now; none where it has none."""
    return (key_model().weights.id.hex(),) if name.startswith(CONDITIONAL) else ()
