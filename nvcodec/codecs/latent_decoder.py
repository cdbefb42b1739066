"""A group of a trained codec, decoded: latents of all frames at once, pictures when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.codecs.base import Planes
from nvcodec.codecs.latent_group import LatentGroup, latent_size
from nvcodec.codecs.latent_units import DecodedFrame, decode_unit
from nvcodec.codecs.weights import Model
from nvcodec.container import Unit
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.errors import DamagedError, FormatError
from nvcodec.format import VideoFormat
from nvcodec.models.latent_coding import synthesise
from nvcodec.models.planes import features_to_planes


def compact(y_hat: Tensor) -> Tensor:
    """Latents on the CPU, in 16 bits where they fit."""
    latents = y_hat.cpu()
    narrow = latents.to(torch.int16)
    return narrow if torch.equal(narrow.to(torch.int32), latents) else latents


def shown_picture(model: Model, y_hat: Tensor, quality: int, format: VideoFormat) -> Planes:
    """The picture of latents int32 (1, 4 * latents, h, w) as Y, U and V, uint8 or uint16."""
    features = synthesise(model.synthesis, y_hat, quality).nan_to_num_(0.0)
    peak = (1 << format.bit_depth) - 1
    planes = [plane[0].cpu().numpy() for plane in features_to_planes(features, format.height, format.width, peak)]
    y, u, v = (plane if plane.dtype == np.uint8 else plane.astype(np.uint16) for plane in planes)
    return y, u, v


class LatentDecoder:
    """Opening decodes every unit's symbols, in order, and takes their hash."""

    def __init__(
        self, model: Model, group: LatentGroup, units: Sequence[Unit], format: VideoFormat, temporal: bool
    ) -> None:
        self._model, self._group, self._format = model, group, format
        self._older = _references(units, temporal)
        self._latents: list[Tensor] = []
        self.symbol_hash = symbol_hash(self._decode(units))

    def _decode(self, units: Sequence[Unit]) -> Iterator[NDArray[Any]]:
        """Each unit's z and latents. Raises FormatError and its kin."""
        size = latent_size(self._format)
        recent: dict[int, Tensor] = {}  # what the next unit may need, on the device
        for number, unit in enumerate(units):
            last = self._older[number]
            older = None if last is None else self._older[last]
            previous = tuple(None if n is None else self._recent(recent, n) for n in (last, older))
            try:
                frame = decode_unit(
                    unit.payload, self._model.exact, (previous[0], previous[1]), self._group.quality,
                    self._group.skip, size,
                )  # fmt: skip
            except DamagedError as error:
                raise type(error)(f"frame {unit.first} of the group: {error}") from None
            recent = {n: latents for n, latents in recent.items() if n == number - 1} | {number: frame.y_hat}
            self._latents.append(compact(frame.y_hat))
            yield from self._hashed(frame)

    def _recent(self, recent: dict[int, Tensor], number: int) -> Tensor:
        found = recent.get(number)
        return self._latents[number].to(self._model.exact.device, torch.int32) if found is None else found

    @staticmethod
    def _hashed(frame: DecodedFrame) -> Iterator[NDArray[Any]]:
        yield frame.z.cpu().numpy()
        yield frame.y_hat.cpu().numpy()

    def planes(self, frame: int) -> Planes:
        """Frame ``frame`` as (Y, U, V), uint8 or uint16."""
        if not 0 <= frame < len(self._latents):
            raise IndexError(f"frame {frame} of a group of {len(self._latents)}")
        latents = self._latents[frame].to(self._model.exact.device, torch.int32)
        return shown_picture(self._model, latents, self._group.quality, self._format)


def _references(units: Sequence[Unit], temporal: bool) -> list[int | None]:
    """The unit whose latents each unit reads first, or None.

    Raises FormatError unless each unit shows one frame, in order, and leans on at most one unit.
    """
    found: list[int | None] = []
    for number, unit in enumerate(units):
        if (unit.first, unit.count) != (number, 1):
            raise FormatError(f"unit {number} of a trained codec shows frame {unit.first} + {unit.count}")
        if len(unit.references) > (1 if temporal else 0):
            raise FormatError(f"unit {number} leans on {len(unit.references)} units")
        if unit.references and not 0 <= unit.references[0] < number:
            raise FormatError(f"unit {number} leans on unit {unit.references[0]}")
        found.append(unit.references[0] if unit.references else None)
    return found
