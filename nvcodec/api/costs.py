"""What a stream may cost its readers: decided while encoding, so that nothing is made that few can read."""

from __future__ import annotations

from dataclasses import replace

from nvcodec.container import Cost, smallest_level
from nvcodec.container.limits import DEFAULT
from nvcodec.errors import InputError
from nvcodec.format import VideoFormat

LEVEL_MARGIN = 4  # a later group of as many frames may be this much dearer than the first within the declared level
MOST_BYTES_A_PARAMETER = 16  # of a later group for each parameter of the first: the worst symbols, and more of them
BYTES_A_SYMBOL = 5  # the dearest of a trained codec
BYTES_A_FRAME = 32  # of a group's timestamps


def check_size(format: VideoFormat) -> None:
    """Raise :class:`InputError` for pictures that readers refuse by default."""
    if format.width * format.height > DEFAULT.pixels:
        size = f"{format.width}x{format.height}"
        raise InputError(f"pictures of {size} are over the {DEFAULT.pixels} luma samples that readers accept")


def level_of_trained(first: Cost, frames: int) -> int:
    """The level of groups of up to ``frames`` frames whose cost is the first one's but for their number."""
    numbers = -(-first.parameters * frames // first.frames)
    cost = replace(first, parameters=numbers, frames=frames)
    return smallest_level(cost, BYTES_A_SYMBOL * numbers + BYTES_A_FRAME * frames + (1 << 12))


def level_for(first: Cost, first_bytes: int, frames: int, *, alike: bool = False) -> int:
    """A level that no later group leaves, or 0 (unlimited) where that cannot be promised.

    ``first`` is the cost of the first group, which weighs ``first_bytes``; groups have up to ``frames`` frames.
    ``alike`` says that the networks of all groups follow one quality and their length alone. A goal of size or PSNR
    makes them follow the content, and a group that is over the declared level could not be written.
    """
    if not alike or not first.parameters or not first.frames:
        return 0
    longer = -(-max(frames, first.frames) // first.frames)
    margin = Cost(
        LEVEL_MARGIN * longer * first.parameters,
        LEVEL_MARGIN * longer * first.macs_per_pixel,
        LEVEL_MARGIN * longer * first.activation_bytes,
        first.pixels,
        max(frames, first.frames),
    )
    most = max(LEVEL_MARGIN * first_bytes, MOST_BYTES_A_PARAMETER * longer * first.parameters)
    return smallest_level(margin, most + BYTES_A_FRAME * margin.frames + (1 << 12))
