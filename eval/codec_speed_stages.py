"""What the speed benchmark times: a trained codec in its stages and as its commands run it, CompressAI's as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eval.compressai_ssf import as_tensors, coded_bytes
from eval.pictures import Pictures
from nvcodec.codecs.base import GroupPayload, GroupSpec, Planes
from nvcodec.codecs.latent_decoder import shown_picture
from nvcodec.codecs.latent_encoder import as_signed
from nvcodec.codecs.latent_group import latent_size
from nvcodec.codecs.latent_units import decode_unit, encode_unit
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.weights import Model
from nvcodec.errors import NvcodecError
from nvcodec.models.latent_coding import analyse, latent_symbols
from nvcodec.models.latents import UNIT
from nvcodec.models.planes import features_to_planes, planes_to_features

ANALYSIS, TO_BYTES = "pictures to latents", "latents to bytes"
FROM_BYTES, SYNTHESIS = "bytes to latents", "latents to pictures"
ENCODE, DECODE = "encode", "decode"
GROUP_ENCODE, GROUP_DECODE = "encode_group", "open_group and pictures"


@dataclass
class Clock:
    """Seconds of each stage, run after run."""

    device: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def time(self, stage: str, work: Callable[[], Any]) -> Any:
        """What ``work`` gives; a GPU has finished it when the clock is read."""
        self._wait()
        start = time.perf_counter()
        made = work()
        self._wait()
        self.seconds.setdefault(stage, []).append(time.perf_counter() - start)
        return made

    def _wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()


class StemStages:
    """``stem`` over one group: its first frame alone, every other one after the frame before."""

    def __init__(self, model: Model, name: str | None, pictures: Pictures, quality: int, precision: str, device: str):
        self.model, self.name, self.pictures = model, name, pictures
        self.quality, self.precision, self.device = quality, precision, device
        self.bytes = 0

    def run(self, clock: Clock) -> None:
        """Every stage once, in order. Raises NvcodecError unless decoding finds what was coded."""
        latents = clock.time(ANALYSIS, self._analysed)
        units, coded = clock.time(TO_BYTES, lambda: self._coded(latents))
        found = clock.time(FROM_BYTES, lambda: self._decoded(units))
        if not all(torch.equal(a, b) for a, b in zip(coded, found, strict=True)):
            raise NvcodecError("decoding found other latents than were coded")
        clock.time(SYNTHESIS, lambda: self._shown(found))
        self.bytes = sum(map(len, units))

    @torch.no_grad()
    def _analysed(self) -> list[Tensor]:
        peak = (1 << self.pictures.format.bit_depth) - 1
        found = []
        for planes in self.pictures.frames:
            y, u, v = (torch.from_numpy(as_signed(plane))[None].to(self.device) for plane in planes)
            features = planes_to_features(y, u, v, peak)
            found.append(analyse(self.model.parts, features, self.quality, self.precision))
        return found

    def _coded(self, latents: Sequence[Tensor]) -> tuple[list[bytes], list[Tensor]]:
        units: list[bytes] = []
        history: list[Tensor] = []
        for y in latents:
            last, older = (history[-back] if len(history) >= back else None for back in (1, 2))
            coded = latent_symbols(self.model.parts, y, (last, older), self.quality, 0, self.precision)
            units.append(encode_unit(coded)[0])
            history.append(coded.y_hat)
        return units, history

    def _decoded(self, units: Sequence[bytes]) -> list[Tensor]:
        size = latent_size(self.pictures.format)
        history: list[Tensor] = []
        for unit in units:
            last, older = (history[-back] if len(history) >= back else None for back in (1, 2))
            history.append(decode_unit(unit, self.model.exact, (last, older), self.quality, 0, size).y_hat)
        return history

    def _shown(self, latents: Sequence[Tensor]) -> list[Planes]:
        show = self._shown_fast if self.precision == "bf16" else self._shown_exact
        return [show(y_hat) for y_hat in latents]

    def _shown_exact(self, y_hat: Tensor) -> Planes:
        """The reference path, as every decode takes it."""
        return shown_picture(self.model, y_hat, self.quality, self.pictures.format)

    @torch.no_grad()
    def _shown_fast(self, y_hat: Tensor) -> Planes:
        fmt = self.pictures.format
        with torch.autocast(self.device.partition(":")[0], torch.bfloat16):
            features = self.model.synthesis(y_hat.float() * (1 / UNIT), self.quality)
        peak = (1 << fmt.bit_depth) - 1
        y, u, v = (p[0].cpu().numpy() for p in features_to_planes(features.float(), fmt.height, fmt.width, peak))
        return y, u, v

    def run_group(self, clock: Clock) -> None:
        """A group as the commands code and decode it: the encoder also shows and checks what it coded, the decoder
        hashes what it found. Times beside `run`'s show what that costs, and what a codec overlaps.
        """
        codec, (frames, fmt) = get_codec("stem"), (self.pictures.frames, self.pictures.format)
        spec = GroupSpec(quality=self.quality, device=self.device, precision=self.precision, model=self.name)
        made: GroupPayload = clock.time(GROUP_ENCODE, lambda: codec.encode_group(frames, fmt, spec))

        def decoded() -> None:
            group = codec.open_group(made.config, made.units, fmt, len(frames), self.device)
            for number in range(len(frames)):
                group.planes(number)

        clock.time(GROUP_DECODE, decoded)


class SsfStages:
    """CompressAI's model over the same frames in RGB, padded to its own alignment; always fp32."""

    def __init__(self, model: Any, pictures: Sequence[NDArray[np.uint8]], device: str) -> None:
        self.model, self.frames = model, as_tensors(pictures, device)
        self.bytes = 0

    @torch.no_grad()
    def run(self, clock: Clock) -> None:
        """Both ways once. Raises NvcodecError unless as many pictures come back."""
        strings, shapes = clock.time(ENCODE, lambda: self.model.compress(self.frames))
        shown = clock.time(DECODE, lambda: self.model.decompress(strings, shapes))
        if len(shown) != len(self.frames):
            raise NvcodecError(f"ssf2020 gave {len(shown)} pictures of {len(self.frames)}")
        self.bytes = coded_bytes(strings)
