"""What a model reaches on clips that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.conditional_decoder import ConditionalDecoder
from nvcodec.codecs.conditional_encoder import ConditionalEncoder
from nvcodec.codecs.conditional_group import parse_config
from nvcodec.codecs.conditional_pictures import Networks
from nvcodec.entropy.cost import code_length
from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.errors import DamagedError, UsageError
from nvcodec.format import Planes, VideoFormat
from nvcodec.metrics import psnr_from_mse
from nvcodec.models.conditional import ConditionalModel
from nvcodec.models.exact_prior import ExactPrior
from nvcodec.models.latent import LatentModel
from nvcodec.models.latent_coding import EncoderParts, analyse, latent_symbols, synthesise
from nvcodec.models.planes import features_to_planes, planes_to_features
from nvcodec.training.corpus import Frames, Split, planes

QUALITIES = (8, 24, 40, 56)
PREDICTED = "predicted frames, estimated"  # what rows of a model of predicted frames are of, in training
WHOLE = "whole clips, real bytes"  # and once it is packed

Figures = tuple[list[float], list[list[float]]]  # bits of each picture of a clip, errors of its planes


def validation_clips(split: Split, clips: int, frames: int) -> Frames:
    """The first held-out clips that are long enough, whole pieces; of longer ones the beginning, before stills.

    Raises:
        UsageError: no item is held out that is long enough.
    """
    fitting = [(items, rows) for items, rows in split.validation if items.frames >= frames and len(rows)]
    if not fitting:
        raise UsageError(f"no clip of {frames} pictures is held out: the corpus is too small")
    items, rows = max(fitting, key=lambda each: each[0].frames)
    return planes(items.samples[rows[:clips], :frames], items.size)


@contextmanager
def weights_of(model: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """The model with other weights and in evaluation mode, within."""
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    training = model.training
    model.load_state_dict(tensors)
    model.eval()
    try:
        yield
    finally:
        model.load_state_dict(own)
        model.train(training)


@torch.no_grad()
def validate(
    model: nn.Module, clips: Frames, device: str = "cpu", exact: ExactPrior | None = None
) -> list[dict[str, Any]]:
    """A row for each of `QUALITIES`: bpp and PSNR, means over the clips, of each position in a clip.

    Bits are those of the coder's integer tables, chosen by the integer prior, where the model has one, else what its
    loss says; PSNR is (6Y + U + V) / 8 of the 8-bit planes' PSNRs. ``exact``: the integer prior, the model's own if
    left out. Of a model of predicted frames these alone have positions, without the key frame: rows say so under
    "of".
    """
    if isinstance(model, ConditionalModel):
        return [{**row, "of": PREDICTED} for row in _rows(_estimated(model, device), clips)]
    return _rows(_coded(model, device, exact) if isinstance(model, LatentModel) else _estimated(model, device), clips)


def _rows(measure: Callable[[Frames, int], Figures], clips: Frames) -> list[dict[str, Any]]:
    pixels = clips[0].shape[-1] * clips[0].shape[-2]
    rows = []
    for quality in QUALITIES:
        figures = [measure((y[None], u[None], v[None]), quality) for y, u, v in zip(*clips, strict=True)]
        bpp = np.array([bits for bits, _ in figures]).mean(0) / pixels
        psnr = np.array([[[psnr_from_mse(e) for e in frame] for frame in errors] for _, errors in figures])
        levels = (psnr @ np.array((0.75, 0.125, 0.125))).mean(0)
        rows.append({"quality": quality, "bpp": bpp.tolist(), "psnr": levels.tolist()})
    return rows


def _estimated(model: Any, device: str) -> Callable[[Frames, int], Figures]:
    def measure(clip: Frames, quality: int) -> Figures:
        y, u, v = (plane.to(device) for plane in clip)
        terms = model.loss_terms((y, u, v), torch.full((1,), float(quality), device=device))
        return terms.bits[0].tolist(), terms.errors[0].tolist()

    return measure


def _coded(model: LatentModel, device: str, prior: ExactPrior | None) -> Callable[[Frames, int], Figures]:
    exact = prior or ExactPrior(model.config.prior, model.prior.export(), device)
    parts = EncoderParts(model.analysis, model.hyper_encoder, exact)

    def measure(clip: Frames, quality: int) -> Figures:
        y, u, v = (plane[0].to(device) for plane in clip)
        features = planes_to_features(y, u, v)
        bits: list[float] = []
        history: list[Tensor] = []
        for picture in features.split(1):
            last, older = (history[-back] if len(history) >= back else None for back in (1, 2))
            coded = latent_symbols(parts, analyse(parts, picture, quality), (last, older), quality)
            pairs = zip(coded.symbols, coded.indices, strict=True)
            tables = [(s.numpy(), i.numpy().astype(np.uint16) + LATENT_TABLES.start) for s, i in pairs]
            bits.append(sum(code_length(symbols, indices, GGD) for symbols, indices in tables))
            history.append(coded.y_hat)
        shown = [synthesise(model.synthesis, y_hat, quality) for y_hat in history]  # one by one, as a decoder would
        decoded = features_to_planes(torch.cat(shown), y.shape[1], y.shape[2])
        errors = [(a.float() - b.float()).square().mean((1, 2)) for a, b in zip(decoded, (y, u, v), strict=True)]
        return bits, torch.stack(errors, -1).tolist()

    return measure


def validate_chains(networks: Networks, clips: Frames) -> list[dict[str, Any]]:
    """Rows as of :func:`validate`, of clips that the codec codes in low delay and decodes again: bits are those of
    units' payloads, motion included; positions are those of display, the first is the key frame's.
    """
    return [{**row, "of": WHOLE} for row in _rows(_chained(networks), clips)]


def _chained(networks: Networks) -> Callable[[Frames, int], Figures]:
    def measure(clip: Frames, quality: int) -> Figures:
        frames = [(y.numpy(), u.numpy(), v.numpy()) for y, u, v in zip(*(plane[0] for plane in clip), strict=True)]
        format = VideoFormat(frames[0][0].shape[1], frames[0][0].shape[0])
        spec = GroupSpec(quality=quality, structure="low-delay", preset="faster", device=networks.device)
        made = ConditionalEncoder(networks, frames, format, spec, None).run()
        bits = {unit.first: 8.0 * len(unit.payload) for unit in made.units}
        decoder = ConditionalDecoder(networks, parse_config(made.config), made.units, format)
        if decoder.symbol_hash != made.symbol_hash:
            raise DamagedError("decoding found other symbols than were coded")
        errors = [_errors(decoder.planes(t), planes) for t, planes in enumerate(frames)]
        return [bits[t] for t in range(len(frames))], errors

    return measure


def _errors(shown: Planes, wanted: Planes) -> list[float]:
    return [float(np.square(a.astype(float) - b).mean()) for a, b in zip(shown, wanted, strict=True)]
