"""What a stream may cost its readers: decided while encoding, so that nothing is made that few can read."""

from __future__ import annotations

from nvcodec.container import Cost, smallest_level
from nvcodec.container.limits import DEFAULT
from nvcodec.errors import InputError
from nvcodec.format import VideoFormat

LEVEL_MARGIN = 4  # later groups may be this much dearer than the first within the declared level


def check_size(format: VideoFormat) -> None:
    """Raise :class:`InputError` for pictures that readers refuse by default."""
    if format.width * format.height > DEFAULT.pixels:
        size = f"{format.width}x{format.height}"
        raise InputError(f"pictures of {size} are over the {DEFAULT.pixels} luma samples that readers accept")


def level_for(first: Cost, first_bytes: int, frames: int) -> int:
    """The level of a stream whose first group costs ``first`` in ``first_bytes``, and has groups of ``frames``."""
    margin = Cost(
        first.parameters * LEVEL_MARGIN,
        first.macs_per_pixel * LEVEL_MARGIN,
        first.activation_bytes * LEVEL_MARGIN,
        first.pixels,
        frames,
    )
    return smallest_level(margin, LEVEL_MARGIN * first_bytes + (1 << 20))
