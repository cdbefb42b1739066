"""The motion that an encoder chooses for a frame, and its bytes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nvcodec.codecs.base import quality_lambda
from nvcodec.format import Planes
from nvcodec.motion.chain import Moved, first_forecast, second_forecast
from nvcodec.motion.coding import encode_motion
from nvcodec.motion.search import search

IN_CHAIN, BETWEEN = 0.55, 1.2  # factors on what a bit of motion is worth


def choose_motion(
    current: Planes,
    references: Sequence[Planes],
    place: Moved,
    both: bool,
    bit_depth: int = 8,
    worth: float = 1.0,
) -> tuple[Moved, tuple[bytes, ...]]:
    """A field to the first reference, and one to the second where a frame is predicted from ``both``.

    ``place`` is the frame without its motion. A bit is worth 1 / sqrt(lambda) of absolute difference: at the best step
    of a quantiser both errors and steps go with it; less in a chain, where what a frame misses is missed by the next.
    ``worth`` is a factor on that.
    """
    weight = quality_lambda(place.quality) ** -0.5 * (BETWEEN if both else IN_CHAIN) * worth
    threads = min(256, torch.get_num_threads())
    forecast = first_forecast(place.time, place.references, both)
    field = search(current, references[0], weight, forecast, bit_depth=bit_depth, threads=threads)
    fields, coded = [field], [encode_motion(field, forecast)]
    if both:
        forecast = second_forecast(field, place.time, place.references)
        fields.append(search(current, references[1], weight, forecast, bit_depth=bit_depth, threads=threads))
        coded.append(encode_motion(fields[1], forecast))
    return Moved(place.time, place.quality, place.references, tuple(fields)), tuple(coded)
