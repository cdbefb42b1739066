"""What the speed benchmark times of the conditional codec: its stages over a low-delay group, and groups as commands
run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eval.codec_speed_stages import GROUP_DECODE, GROUP_ENCODE, Clock
from eval.pictures import Pictures
from nvcodec.codecs.base import GroupPayload, GroupSpec, Planes
from nvcodec.codecs.conditional_pictures import Networks, key_picture, picture_features, predicted_picture
from nvcodec.codecs.latent_group import latent_size
from nvcodec.codecs.latent_units import decode_unit, encode_unit
from nvcodec.codecs.motion_choice import choose_motion
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.structure import Slot, level_of, low_delay
from nvcodec.errors import NvcodecError
from nvcodec.models.conditional_transform import Seen
from nvcodec.models.latent_coding import FrameSymbols, analyse, latent_symbols
from nvcodec.models.prior_network import History
from nvcodec.motion.chain import Moved, predictions, side_of

KEY_FRAME = "key frame, coded"
SEARCH, WARP, CONTEXT = "search", "warp", "context"
ANALYSIS, PRIOR, CODER = "analysis", "hyper-latents and prior", "coder"
FROM_BYTES, SYNTHESIS = "bytes to latents", "synthesis"
ENCODED = (KEY_FRAME, SEARCH, WARP, CONTEXT, ANALYSIS, PRIOR, CODER, SYNTHESIS)  # one after the other
DECODED = (FROM_BYTES, WARP, CONTEXT, SYNTHESIS)


@dataclass
class _Coded:
    """A frame as the frames after it see it."""

    moved: Moved
    latents: Tensor
    picture: Planes


class ConditionalStages:
    """``conditional`` over one group in low delay, in one thread of Python: commands overlap the coder with the rest.

    Warp, context and synthesis are the same work for encoder and decoder, and are timed once; those of the key frame
    are in its stage.
    """

    def __init__(
        self, networks: Networks, name: str | None, pictures: Pictures, quality: int, precision: str, device: str
    ) -> None:
        self.networks, self.name, self.pictures = networks, name, pictures
        self.quality, self.precision, self.device = quality, precision, device
        self.bytes = 0

    def run(self, clock: Clock) -> None:
        """Every frame once. Raises NvcodecError unless decoding finds what was coded."""
        parts, known, self.bytes = Clock(self.device), dict[int, _Coded](), 0
        for slot in low_delay(len(self.pictures.frames)):
            level = level_of(slot, self.quality)
            known[slot.time] = self._frame(parts, slot, [known[t] for t in slot.references], level)
        for stage, seconds in parts.seconds.items():
            clock.seconds.setdefault(stage, []).append(sum(seconds))

    def _frame(self, clock: Clock, slot: Slot, behind: list[_Coded], level: int) -> _Coded:
        if behind:
            return self._predicted(clock, slot, behind, level)
        symbols, picture = clock.time(KEY_FRAME, lambda: self._key(level))
        self._bytes(clock, symbols, None, level)
        return _Coded(Moved(slot.time, level), symbols.y_hat, picture)

    def _key(self, level: int) -> tuple[FrameSymbols, Planes]:
        parts, fmt = self.networks.intra.parts, self.pictures.format
        features = picture_features(self.pictures.frames[0], fmt, self.device)
        y = analyse(parts, features, level, self.precision)
        symbols = latent_symbols(parts, y, (None, None), level, 0, self.precision)
        return symbols, key_picture(self.networks, symbols.y_hat, level, fmt)

    def _predicted(self, clock: Clock, slot: Slot, behind: list[_Coded], level: int) -> _Coded:
        frame, fmt, model = self.pictures.frames[slot.time], self.pictures.format, self.networks.predicted
        shown = tuple(each.picture for each in behind)
        place = Moved(slot.time, level, tuple(each.moved for each in behind))
        moved, motion = clock.time(SEARCH, lambda: choose_motion(frame, shown, place, slot.both, fmt.bit_depth))
        first, second = clock.time(WARP, lambda: predictions(moved, shown, fmt.bit_depth))
        seen = clock.time(CONTEXT, lambda: self._seen(first, second, level))
        features = picture_features(frame, fmt, self.device)
        y = clock.time(ANALYSIS, lambda: model.analyse(features, seen, level, self.precision))
        history = self._history(moved, behind)
        symbols = clock.time(PRIOR, lambda: model.symbols(y, history, level, 0, self.precision))
        self._bytes(clock, symbols, history, level)
        self.bytes += sum(1 + len(each) for each in motion)
        picture = clock.time(SYNTHESIS, lambda: predicted_picture(self.networks, symbols.y_hat, seen, level, fmt))
        return _Coded(moved.trimmed(), symbols.y_hat, picture)

    def _seen(self, first: Planes, second: Planes | None, level: int) -> Seen:
        pictures = [each for each in (first, second) if each is not None]
        features = [picture_features(each, self.pictures.format, self.device) for each in pictures]
        return self.networks.predicted.see(features[0], features[1] if len(features) > 1 else None, False, level)

    def _history(self, moved: Moved, behind: list[_Coded]) -> History:
        side = torch.from_numpy(side_of(moved))[None].to(self.device)
        return History(behind[0].latents, behind[1].latents if len(behind) > 1 else None, side)

    def _bytes(self, clock: Clock, symbols: FrameSymbols, history: History | None, level: int) -> None:
        """A frame's latents as bytes, and from bytes again."""
        unit, _ = clock.time(CODER, lambda: encode_unit(symbols))
        exact = self.networks.intra.exact if history is None else self.networks.predicted.exact
        behind, size = history or History(None, None), latent_size(self.pictures.format)
        found = clock.time(FROM_BYTES, lambda: decode_unit(unit, exact, behind, level, 0, size))
        if not torch.equal(found.y_hat, symbols.y_hat):
            raise NvcodecError("decoding found other latents than were coded")
        self.bytes += 1 + len(unit)

    def run_group(self, clock: Clock) -> None:
        """A group as the commands code and decode it, in low delay and one pass."""
        frames, fmt = self.pictures.frames, self.pictures.format
        spec = GroupSpec(
            quality=self.quality, preset="faster", structure="low-delay",
            device=self.device, precision=self.precision, model=self.name,
        )  # fmt: skip
        codec = get_codec("conditional")
        made: GroupPayload = clock.time(GROUP_ENCODE, lambda: codec.encode_group(frames, fmt, spec))
        clock.time(GROUP_DECODE, shower(codec, made, self.pictures, self.device))


def shower(codec: Any, made: GroupPayload, pictures: Pictures, device: str) -> Callable[[], None]:
    """What opens a group and shows all of its frames."""

    def show() -> None:
        group = codec.open_group(made.config, made.units, pictures.format, len(pictures.frames), device)
        for number in range(len(pictures.frames)):
            group.planes(number)

    return show
