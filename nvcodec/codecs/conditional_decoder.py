"""A group of the conditional codec, decoded: integers of all frames at once, pictures when they are asked for."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.codecs.base import Planes
from nvcodec.codecs.conditional_group import ConditionalGroup
from nvcodec.codecs.conditional_pictures import Networks, key_picture, predicted_picture, seen
from nvcodec.codecs.conditional_units import FramePayload, parse_payload
from nvcodec.codecs.latent_decoder import compact
from nvcodec.codecs.latent_group import latent_size
from nvcodec.codecs.latent_units import decode_unit
from nvcodec.container import Unit
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.errors import FormatError
from nvcodec.format import VideoFormat
from nvcodec.models.prior_network import History
from nvcodec.motion.chain import Moved, first_forecast, second_forecast, side_of
from nvcodec.motion.coding import decode_motion
from nvcodec.motion.field import MotionField

REACH = 32  # units back to a reference, and frames from a unit's number to the frame that it shows
KEPT_PICTURES = 6  # for whoever steps back, beside those that are needed again or shown soon


class Frame(NamedTuple):
    """A unit, decoded to integers."""

    references: tuple[int, ...]  # units
    moved: Moved
    latents: Tensor  # compact


class Plan:
    """Units whose pictures are to be made, in decode order, and the last of them that refers to each unit."""

    def __init__(self, frames: Sequence[Frame], roots: Iterable[int], held: Iterable[int]) -> None:
        """``roots`` and all that they lean on, but for what is in ``held``."""
        known, found, open_ends = set(held), set[int](), list(roots)
        while open_ends:
            number = open_ends.pop()
            if number not in found and number not in known:
                found.add(number)
                open_ends += frames[number].references
        order = sorted(found)
        self.left = deque(order)
        self.last_use = {reference: number for number in order for reference in frames[number].references}


class ConditionalDecoder:
    """Opening decodes every unit's symbols, in order, and takes their hash.

    Frames that are asked for in their order are made in that of the units, once each: a picture is held until the last
    unit that refers to it was made and it was shown. Any other frame takes what it leans on alone.
    """

    def __init__(self, networks: Networks, group: ConditionalGroup, units: Sequence[Unit], format: VideoFormat) -> None:
        self._networks, self._group, self._format = networks, group, format
        self._frames: list[Frame] = []
        self._recent: OrderedDict[int, Planes] = OrderedDict()  # pictures of units
        self.symbol_hash = symbol_hash(self._decode(units))
        self._unit_of = {frame.moved.time: number for number, frame in enumerate(self._frames)}
        self._last_use = Plan(self._frames, range(len(units)), ()).last_use
        self._plan, self._in_order = Plan(self._frames, (), ()), False
        self._shown = self._at = -1  # the frame that was asked for last, and the unit that decoding has come to

    def planes(self, frame: int) -> Planes:
        """Frame ``frame`` as (Y, U, V), uint8 or uint16. Raises IndexError for a frame that the group does not have."""
        if frame not in self._unit_of:
            raise IndexError(f"frame {frame} of a group of {len(self._frames)}")
        wanted = self._unit_of[frame]
        if frame != self._shown:
            self._replan(frame, wanted)
        while wanted not in self._recent:
            self._make(self._plan.left[0])
            self._plan.left.popleft()
        if not self._in_order:
            self._at = wanted
        self._recent.move_to_end(wanted)
        self._forget()
        return self._recent[wanted]

    def _replan(self, frame: int, wanted: int) -> None:
        """What is to be made for a frame, and from the second one in order on for all behind it."""
        in_order = frame == self._shown + 1
        if not in_order:
            self._plan = Plan(self._frames, [wanted], self._recent)
        elif not self._in_order:
            held = [n for n in self._recent if self._frames[n].moved.time <= self._shown + 2 * REACH]  # as long as used
            coming = [n for n, each in enumerate(self._frames) if each.moved.time >= frame]
            self._plan = Plan(self._frames, coming, held)
            if self._plan.left:  # it may begin before the unit of the frame that was leapt to
                self._at = self._plan.left[0] - 1
        self._in_order, self._shown = in_order, frame

    def _make(self, number: int) -> None:
        references = self._frames[number].references
        if number not in self._recent:
            self._recent[number] = self._picture(number, tuple(self._recent[each] for each in references))
        for used in (*references, number):
            self._recent.move_to_end(used)
        self._at = number
        self._forget()

    def _forget(self) -> None:
        """Drop what is not needed any more, but for the last few."""
        old = [number for number in self._recent if not self._needed(number)]
        for number in old[:-KEPT_PICTURES]:
            del self._recent[number]

    def _needed(self, number: int) -> bool:
        """Whether a unit's picture waits to be shown, or is referred to by the plan or by units right behind."""
        ahead = 2 * REACH if self._in_order else REACH // 2  # no unit made in order shows a later one
        if self._shown < self._frames[number].moved.time <= self._shown + ahead:
            return True
        behind = number <= self._at < self._last_use.get(number, -1)  # if it is ahead, decoding was there and went back
        return behind or self._plan.last_use.get(number, -1) > self._at

    def _decode(self, units: Sequence[Unit]) -> Iterator[NDArray[Any]]:
        """The integers of each unit. Raises FormatError and its kin."""
        _check_shown(units)
        for unit in units:
            try:
                yield from self._unit(unit)
            except FormatError as error:
                raise type(error)(f"frame {unit.first} of the group: {error}") from None

    def _unit(self, unit: Unit) -> Iterator[NDArray[Any]]:
        behind = self._behind(unit)
        payload = parse_payload(unit.payload, len(unit.references))
        _check_traced(unit, payload, behind)
        moved = self._moved(unit.first, payload, tuple(frame.moved for frame in behind))
        device, skip, size = self._networks.device, self._group.skip, latent_size(self._format)
        if behind:
            latents = [frame.latents.to(device, torch.int32) for frame in behind]
            side = torch.from_numpy(side_of(moved))[None].to(device)
            history = History(latents[0], latents[1] if len(latents) > 1 else None, side)
            exact = self._networks.predicted.exact
        else:
            history, exact = History(None, None), self._networks.intra.exact
        decoded = decode_unit(payload.latents, exact, history, payload.quality, skip, size)
        self._frames.append(Frame(unit.references, moved.trimmed(), compact(decoded.y_hat)))
        yield np.array([payload.quality], np.int32)
        yield from (field.vectors for field in moved.fields)
        yield decoded.z.cpu().numpy()
        yield decoded.y_hat.cpu().numpy()

    def _behind(self, unit: Unit) -> list[Frame]:
        if len(unit.references) > 2 or len(set(unit.references)) < len(unit.references):
            raise FormatError(f"it leans on the units {unit.references}")
        number = len(self._frames)
        if not all(max(0, number - REACH) <= reference < number for reference in unit.references):
            raise FormatError(f"it leans on a unit that is none of the {REACH} before it")
        return [self._frames[reference] for reference in unit.references]

    def _moved(self, time: int, payload: FramePayload, references: tuple[Moved, ...]) -> Moved:
        fields: list[MotionField] = []
        width, height, both = self._format.width, self._format.height, len(payload.motion) == 2
        for k, data in enumerate(payload.motion):
            forecast = second_forecast(fields[0], time, references) if k else first_forecast(time, references, both)
            fields.append(decode_motion(data, width, height, forecast))
        return Moved(time, payload.quality, references, tuple(fields))

    def _picture(self, number: int, references: tuple[Planes, ...]) -> Planes:
        frame, networks = self._frames[number], self._networks
        latents = frame.latents.to(networks.device, torch.int32)
        if not references:
            return key_picture(networks, latents, frame.moved.quality, self._format)
        what = seen(networks, frame.moved, references, self._format)
        return predicted_picture(networks, latents, what, frame.moved.quality, self._format)


def _check_shown(units: Sequence[Unit]) -> None:
    """Each unit shows one frame of its own, not far from its place: so few pictures wait to be shown."""
    if any(unit.count != 1 for unit in units) or {unit.first for unit in units} != set(range(len(units))):
        raise FormatError("units of the conditional codec do not show each frame once")
    for number, unit in enumerate(units):
        if abs(unit.first - number) > REACH:
            raise FormatError(f"unit {number} shows frame {unit.first}, more than {REACH} away")


def _check_traced(unit: Unit, payload: FramePayload, behind: Sequence[Frame]) -> None:
    """A second reference without a field of its own is reached by way of the first."""
    if len(behind) == 2 and len(payload.motion) == 1 and behind[0].references[:1] != unit.references[1:]:
        raise FormatError("its second reference is not its first one's")
