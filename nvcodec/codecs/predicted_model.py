"""Networks of predicted frames, made from a file of weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from nvcodec.codecs.weights import KEPT, LAMBDAS, find_weights, network, read_weights
from nvcodec.errors import FormatError
from nvcodec.hardware import exact_fp32
from nvcodec.models.conditional import ConditionalConfig
from nvcodec.models.conditional_transform import ConditionalAnalysis, ConditionalSynthesis, Context, Seen
from nvcodec.models.exact_prior import ExactPrior, Previous
from nvcodec.models.hyper import HyperEncoder
from nvcodec.models.latent_coding import FrameSymbols, coded_latents, computed
from nvcodec.models.latents import UNIT
from nvcodec.models.weights import Weights

KIND = "conditional-"  # before a size's name


@dataclass(frozen=True)
class PredictedModel:
    """Networks of one file on one device, frozen. What only encoders need is made when it is asked for."""

    weights: Weights
    device: str
    exact: ExactPrior
    context: Context
    synthesis: ConditionalSynthesis

    @classmethod
    def of(cls, weights: Weights, device: str = "cpu") -> PredictedModel:
        """Raises FormatError unless the tensors are those of their sizes and every sum of the prior stays exact."""
        sizes = predicted_sizes(weights)
        exact = ExactPrior(sizes.prior, weights.part("prior."), device)
        context = network(weights, "context", lambda: Context(sizes.transform), device)
        synthesis = network(weights, "synthesis", lambda: ConditionalSynthesis(sizes.transform, LAMBDAS), device)
        return cls(weights, device, exact, context, synthesis)

    @cached_property
    def encoder(self) -> tuple[nn.Module, nn.Module]:
        """Analysis and hyper-encoder. Raises FormatError where the file holds none of it, or other tensors."""
        sizes = predicted_sizes(self.weights)
        analysis = network(self.weights, "analysis", lambda: ConditionalAnalysis(sizes.transform, LAMBDAS), self.device)
        return analysis, network(self.weights, "hyper_encoder", lambda: HyperEncoder(sizes.prior), self.device)

    @torch.no_grad()
    def see(self, first: Tensor, second: Tensor | None, both: bool, quality: int) -> Seen:
        """Features (1, 96, h, w) of predictions -> what the transforms see; float32 on the reference path."""
        with exact_fp32(self.device):
            seen: Seen = self.context(first, second, both, quality)
            return seen

    @torch.no_grad()
    def analyse(self, features: Tensor, seen: Seen, quality: int, precision: str = "fp32") -> Tensor:
        """Latents float32 (1, 384, h / 2, w / 2) in quantisation steps of a picture's features (1, 96, h, w)."""
        with computed(features, precision):
            y: Tensor = self.encoder[0](features, seen, quality)
        return y.float()

    @torch.no_grad()
    def symbols(self, y: Tensor, previous: Previous, quality: int, skip: int, precision: str = "fp32") -> FrameSymbols:
        """The symbols of latents given what the prior reads of earlier frames: never without a first reference."""
        last = previous[0]
        assert last is not None
        with computed(y, precision):
            z = self.encoder[1](y.abs(), last.float().abs() * (1 / UNIT)).float()
        return coded_latents(self.exact, z, y, previous, quality, skip)

    @torch.no_grad()
    def synthesise(self, y_hat: Tensor, seen: Seen, quality: int) -> Tensor:
        """Features (1, 96, h, w) of decoded latents, int32 in sixteenths; float32 on the reference path."""
        with exact_fp32(self.device):
            features: Tensor = self.synthesis(y_hat.float() * (1 / UNIT), seen, quality)
            return features


def predicted_sizes(weights: Weights) -> ConditionalConfig:
    """Raises FormatError for weights of another kind."""
    if not isinstance(weights.config, ConditionalConfig):
        raise FormatError(f"weights {weights.id.hex()} are of pictures by themselves, not of predicted frames")
    return weights.config


def load_predicted(path: Path, device: str = "cpu") -> PredictedModel:
    """The networks of a file, made once a process. Raises what reading and :meth:`PredictedModel.of` do."""
    weights = read_weights(path)
    key = id(weights), device
    if key not in _models or _models[key].weights is not weights:
        while len(_models) >= KEPT:
            del _models[next(iter(_models))]
        try:
            _models[key] = PredictedModel.of(weights, device)
        except FormatError as error:
            raise type(error)(f"{path}: {error}") from None
    return _models[key]


_models: dict[tuple[int, str], PredictedModel] = {}  # of weights that are held by what they made


def stored_predicted(model_id: bytes, device: str = "cpu") -> PredictedModel:
    """The model that a stream names. Raises what finding and :meth:`PredictedModel.of` do."""
    return load_predicted(find_weights(model_id), device)
