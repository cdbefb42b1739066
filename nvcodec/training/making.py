"""The models that are trained, with the project's constants put in: lambda of the dial, the coder's tables."""

from __future__ import annotations

import torch

from nvcodec.codecs.weights import load_model, named_weights
from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.models.conditional import CONDITIONAL_CONFIGS
from nvcodec.models.latent import LatentModel, latent_config
from nvcodec.models.quality import QUALITY_ANCHORS
from nvcodec.training.chains import ChainModel
from nvcodec.training.objective import quality_lambda

CONDITIONAL = "conditional-"  # before a size's name


def make_model(name: str) -> LatentModel | ChainModel:
    """The model called "s", "m", "conditional-s" or "conditional-m" at its start.

    Random numbers come from torch's generator. Conditional models are trained behind key frames of the intra model of
    size s that ships. Raises UsageError.
    """
    lambdas = quality_lambda(torch.tensor(QUALITY_ANCHORS, dtype=torch.float64)).tolist()
    sigmas = [GGD.sigma(i) for i in LATENT_TABLES]
    if name.startswith(CONDITIONAL) and (size := name.removeprefix(CONDITIONAL)) in CONDITIONAL_CONFIGS:
        intra = load_model(named_weights("s"))
        return ChainModel(CONDITIONAL_CONFIGS[size], lambdas, sigmas, True, intra)
    return LatentModel(latent_config(name), lambdas, sigmas, laplace=True)
