"""The models that are trained, with the project's constants put in: lambda of the dial, the coder's tables."""

from __future__ import annotations

import torch

from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.models.latent import LatentModel, latent_config
from nvcodec.models.quality import QUALITY_ANCHORS
from nvcodec.training.objective import quality_lambda


def make_model(size: str) -> LatentModel:
    """A model of size "s" or "m" at its start; random numbers come from torch's generator. Raises UsageError."""
    lambdas = quality_lambda(torch.tensor(QUALITY_ANCHORS, dtype=torch.float64)).tolist()
    return LatentModel(latent_config(size), lambdas, [GGD.sigma(i) for i in LATENT_TABLES], laplace=True)
