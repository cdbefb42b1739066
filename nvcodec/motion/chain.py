"""Frames that lean on others: what a frame's motion is coded after, and what it predicts from.

All of it follows from what is coded (bitstream/CONDITIONAL.md, sections 4 and 5): encoders, decoders and training share
it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.format import Planes
from nvcodec.motion.field import MotionField
from nvcodec.motion.side import Place, side_channels
from nvcodec.motion.trace import scaled, trace
from nvcodec.motion.warp import warp


@dataclass(frozen=True)
class Moved:
    """A frame's motion: when it is shown, when its references are, and a field for each that it is predicted from.

    A key frame has no references and no fields. With two references and one field, the second reference is the first
    one's first.
    """

    time: int
    quality: int
    references: tuple[Moved, ...] = ()
    fields: tuple[MotionField, ...] = ()

    def trimmed(self, depth: int = 2) -> Moved:
        """The same without what no later frame asks for: chains must not grow."""
        kept = tuple(r.trimmed(depth - 1) for r in self.references) if depth else ()
        return Moved(self.time, self.quality, kept, self.fields)


def first_forecast(time: int, references: tuple[Moved, ...], both: bool) -> MotionField | None:
    """The field that the first of a frame's fields is coded after."""
    a = references[0]
    if not both:
        return scaled(a.fields[0], a.time - time, a.references[0].time - a.time) if a.fields else None
    b = references[1]
    if b.fields and b.references[0].time == a.time:
        return scaled(b.fields[0], a.time - time, a.time - b.time)
    if len(a.fields) == 2 and a.references[1].time == b.time:
        return scaled(a.fields[1], a.time - time, b.time - a.time)
    return None


def second_forecast(first: MotionField, time: int, references: tuple[Moved, ...]) -> MotionField:
    """The field that the second is coded after."""
    return scaled(first, references[1].time - time, references[0].time - time)


def side_of(moved: Moved) -> NDArray[np.int32]:
    """What the prior is told of a predicted frame, (16, rows, columns)."""
    references, both = moved.references, len(moved.fields) == 2
    distances = [abs(moved.time - r.time) for r in references] + [0]
    qualities = [moved.quality - r.quality for r in references] + [0]
    place = Place((distances[0], distances[1]), (qualities[0], qualities[1]), not references[0].fields)
    first = moved.fields[0]
    pairs = [(first, first_forecast(moved.time, references, both))]
    if both:
        pairs.append((moved.fields[1], second_forecast(first, moved.time, references)))
    return side_channels(pairs, place)


def predictions(moved: Moved, pictures: tuple[Planes, ...], bit_depth: int = 8) -> tuple[Planes, Planes | None]:
    """The first and the second prediction from the references' pictures; no second one behind a key frame."""
    first = warp(pictures[0], moved.fields[0], bit_depth)
    if len(moved.fields) == 2:
        return first, warp(pictures[1], moved.fields[1], bit_depth)
    if len(pictures) == 2:
        return first, warp(pictures[1], trace(moved.fields[0], moved.references[0].fields[0]), bit_depth)
    return first, None
