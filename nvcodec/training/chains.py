"""Training of predicted frames behind a key frame, with motion found, coded and applied as an encoder does.

The key frame is coded by the intra model that ships, which stays as it is; every later frame is predicted from what was
decoded before it, so references are as degraded as real ones. Qualities differ from frame to frame, so that the model
knows what an encoder may do with them. Gradients go back through the predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nvcodec.codecs.goal_search import SKIP
from nvcodec.codecs.motion_choice import choose_motion
from nvcodec.codecs.structure import KEY_BONUS, Slot, low_delay, random_access
from nvcodec.codecs.weights import Model
from nvcodec.format import Planes
from nvcodec.models.conditional import ConditionalConfig, ConditionalModel
from nvcodec.models.integer import straight_through
from nvcodec.models.latent import ClipTerms
from nvcodec.models.latent_coding import latent_symbols
from nvcodec.models.latents import UNIT
from nvcodec.models.planes import features_to_planes, planes_to_features
from nvcodec.models.prior_network import History
from nvcodec.models.quality import TOP_QUALITY
from nvcodec.motion.chain import Moved, predictions, side_of
from nvcodec.training.bilinear import bilinear_warp

KEY_SPREAD, SPREAD = 16.0, 4.0  # how far qualities stray from a clip's own: of key frames upwards, of others both ways
BOTH_SIDES = 0.6  # share of the clips, where they are long enough, with frames between two references
_LONG = 5  # frames

Three = tuple[Tensor, Tensor, Tensor]


class Shown(NamedTuple):
    """A batch of decoded pictures."""

    whole: Three  # uint8 (N, H, W), (N, H/2, W/2) twice
    real: Three | None  # float32, as the synthesis gave them, with gradients
    latents: Tensor  # (N, 384, h, w) in quantiser steps
    moved: list[Moved]  # of each clip


class ChainModel(ConditionalModel):
    """A model under training, with the intra model that codes its key frames, which is no part of its state."""

    def __init__(
        self,
        config: ConditionalConfig,
        lambdas: Sequence[float],
        sigmas: Sequence[float],
        laplace: bool,
        intra: Model,
    ) -> None:
        super().__init__(config, lambdas, sigmas, laplace)
        self._intra = (intra,)  # hidden from nn.Module

    def loss_terms(self, frames: Three, quality: Tensor) -> ClipTerms:
        """Terms of the predicted frames, (N, T - 1) in decode order, of 8-bit clips (N, T, ...) at qualities (N,)."""
        length = frames[0].shape[1]
        halves = self.training and length >= _LONG and float(torch.rand(())) < BOTH_SIDES
        slots = random_access(length) if halves else low_delay(length)
        shown = {0: self._key(_at(frames, 0), self._strayed(quality, KEY_BONUS, 2, KEY_SPREAD))}
        bits, errors, levels = [], [], []
        for slot in slots[1:]:
            level = self._strayed(quality, slot.offset, slot.offset - SPREAD, slot.offset + SPREAD)
            picture, cost = self._predicted(_at(frames, slot.time), slot, [shown[t] for t in slot.references], level)
            seen = picture.real if self.training and picture.real is not None else picture.whole
            errors.append(_errors(seen, _at(frames, slot.time)))
            bits.append(cost)
            levels.append(level)
            shown[slot.time] = picture
        return ClipTerms(torch.stack(bits, 1), torch.stack(errors, 1), torch.stack(levels, 1))

    def _strayed(self, quality: Tensor, usual: float, low: float, high: float) -> Tensor:
        """Whole qualities of a frame: the usual ones in evaluation mode, any within limits in training."""
        away = low + (high - low) * torch.rand_like(quality) if self.training else usual
        return (quality + away).round().clamp(0, TOP_QUALITY)

    @torch.no_grad()
    def _key(self, pictures: Three, quality: Tensor) -> Shown:
        """Coded alone, exactly as a file has it: the prior of later frames reads these latents, too."""
        features, (height, width) = planes_to_features(*pictures), pictures[0].shape[1:]
        intra, levels = self._intra_on(str(features.device)), [int(each) for each in quality.tolist()]
        with self._precision(features):
            y = intra.parts.analysis(features, quality).float()
        coded = [
            latent_symbols(intra.parts, y[n : n + 1], (None, None), level, SKIP).y_hat for n, level in enumerate(levels)
        ]
        latents = torch.cat(coded).to(y.device).float() * (1 / UNIT)
        with self._precision(features):
            out = intra.synthesis(latents, quality).float()
        return Shown(features_to_planes(out, height, width), None, latents, [Moved(0, level) for level in levels])

    def _intra_on(self, device: str) -> Model:
        """The hidden model where the clips are, for it does not move with this one."""
        (intra,) = self._intra
        if intra.device != device:
            self._intra = (intra := Model.of(intra.weights, device),)
        return intra

    def _predicted(
        self, pictures: Three, slot: Slot, references: Sequence[Shown], level: Tensor
    ) -> tuple[Shown, Tensor]:
        """A batch of frames, and its bits (N,)."""
        height, width = pictures[0].shape[1:]
        features = planes_to_features(*pictures)
        moved, bits = self._moved(pictures, slot, references, level)
        first, second, side = self._seen(moved, references, level)
        older = references[1].latents if len(references) > 1 else None
        with self._precision(features):
            seen = self.context(first, second, slot.both, level)
            y = self.analysis(features, seen, level).float()
            z = self.hyper_encoder(y.abs(), references[0].latents.abs()).float()
        coded = self.prior(y, z, History(references[0].latents, older, side), level, noise=self.training)
        with self._precision(features):
            out = self.synthesis(coded.y_hat, seen, level).float()
        real = features_to_planes(out, height, width, whole=False)
        whole = features_to_planes(out.detach(), height, width)
        return Shown(whole, real, coded.y_hat, moved), coded.bits_y + coded.bits_z + bits

    def _moved(
        self, pictures: Three, slot: Slot, references: Sequence[Shown], level: Tensor
    ) -> tuple[list[Moved], Tensor]:
        """Each clip's motion, searched in what was decoded, and its bits (N,)."""
        found = []
        for n, quality in enumerate(level.tolist()):
            behind = tuple(each.moved[n] for each in references)
            against = [_planes(each.whole, n) for each in references]
            place = Moved(slot.time, int(quality), behind)
            found.append(choose_motion(_planes(pictures, n), against, place, slot.both))
        bits = [8.0 * sum(map(len, coded)) for _, coded in found]
        return [moved.trimmed() for moved, _ in found], level.new_tensor(bits)

    def _seen(
        self, moved: Sequence[Moved], references: Sequence[Shown], like: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Features of the first and the second prediction, and the prior's side channels."""
        made = [
            predictions(each, tuple(_planes(shown.whole, n) for shown in references)) for n, each in enumerate(moved)
        ]
        seconds = [second for _, second in made if second is not None]
        features = [_features([first for first, _ in made], like)]
        if seconds:
            features.append(_features(seconds, like))
        for k, shown in enumerate(references[: len(moved[0].fields)]):
            if shown.real is not None and self.training:
                bent = bilinear_warp(shown.real, [each.fields[k] for each in moved])
                features[k] = straight_through(features[k], planes_to_features(*bent))
        side = torch.from_numpy(np.stack([side_of(each) for each in moved])).to(like.device, torch.float32)
        return features[0], features[1] if seconds else None, side

    def _precision(self, like: Tensor) -> torch.autocast:
        return torch.autocast(like.device.type, torch.bfloat16, enabled=self.fast_transforms)


def _at(frames: Three, time: int) -> Three:
    y, u, v = (plane[:, time] for plane in frames)
    return y, u, v


def _errors(shown: Three, wanted: Three) -> Tensor:
    """(N, 3)"""
    pairs = zip(shown, wanted, strict=True)
    return torch.stack([(a.float() - b.float()).square().mean((1, 2)) for a, b in pairs], -1)


def _planes(pictures: Sequence[Tensor], n: int) -> Planes:
    y, u, v = (np.ascontiguousarray(plane[n].cpu().numpy()) for plane in pictures)
    return y, u, v


def _features(pictures: Sequence[Planes], like: Tensor) -> Tensor:
    y, u, v = (torch.from_numpy(np.stack(plane)).to(like.device) for plane in zip(*pictures, strict=True))
    return planes_to_features(y, u, v)
