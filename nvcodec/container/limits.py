"""Levels, a reader's limits, and the cost of a group: refuse before allocating (SPEC.md section 7.2)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from nvcodec.errors import LimitError, UsageError

UNBOUNDED = 1 << 62


@dataclass(frozen=True)
class Limits:
    """The most that a reader is willing to decode; each field bounds one group or one chunk."""

    pixels: int = UNBOUNDED  # luma samples of a picture
    frames: int = UNBOUNDED  # frames of a group
    parameters: int = UNBOUNDED  # coded numbers of a group: weights, grids, embeddings, latents
    macs_per_pixel: int = UNBOUNDED  # multiply-adds a luma sample
    activation_bytes: int = UNBOUNDED  # tensors alive at once
    chunk_bytes: int = UNBOUNDED  # payload of one chunk


@dataclass(frozen=True)
class Cost:
    """What decoding one group takes; a codec computes it from header and config alone."""

    parameters: int = 0
    macs_per_pixel: int = 0
    activation_bytes: int = 0
    pixels: int = 0
    frames: int = 0


LEVELS: dict[int, Limits] = {
    1: Limits(1 << 19, 256, 1 << 22, 1 << 16, 1 << 29, 1 << 22),
    2: Limits(1 << 20, 512, 1 << 23, 1 << 17, 1 << 30, 1 << 23),
    3: Limits(1 << 21, 1024, 1 << 25, 1 << 19, 1 << 32, 1 << 25),
    4: Limits(1 << 23, 2048, 1 << 26, 1 << 20, 1 << 34, 1 << 27),
    5: Limits(1 << 25, 4096, 1 << 28, 1 << 22, 1 << 36, 1 << 28),
}
# What a small machine bears: about 17 bytes a parameter at the peak of decoding, and the activations.
DEFAULT = Limits(1 << 25, 4096, 1 << 26, 1 << 20, 1 << 33, 1 << 28)
UNLIMITED = Limits()

_WORDS = {
    "pixels": "luma samples a picture",
    "frames": "frames a group",
    "parameters": "parameters a group",
    "macs_per_pixel": "multiply-adds a pixel",
    "activation_bytes": "bytes of activations",
    "chunk_bytes": "bytes in a chunk",
}


def check_amount(field: str, amount: int, limits: Limits) -> None:
    """Raise :class:`LimitError` if ``amount`` is over the field of ``limits`` that is named ``field``."""
    most = getattr(limits, field)
    if amount > most:
        raise LimitError(f"the stream needs {amount} {_WORDS[field]}, this reader's limit is {most}")


def check_cost(cost: Cost, limits: Limits = DEFAULT) -> None:
    """Raise :class:`LimitError`, naming the first field of ``cost`` that is over ``limits``."""
    for field in fields(cost):
        check_amount(field.name, getattr(cost, field.name), limits)


def level_limits(level: int) -> Limits:
    """The limits of a reader that takes streams up to ``level`` 1..5, or any for 0. Raises :class:`UsageError`."""
    if level and level not in LEVELS:
        raise UsageError(f"no level {level}; there are: 0 (no limits), {', '.join(map(str, LEVELS))}")
    return LEVELS[level] if level else UNLIMITED


def smallest_level(cost: Cost, chunk_bytes: int = 0) -> int:
    """The smallest level that covers ``cost`` and chunks of ``chunk_bytes``; 0 (unlimited) if none does."""
    for level, limits in sorted(LEVELS.items()):
        fits = all(getattr(cost, field.name) <= getattr(limits, field.name) for field in fields(cost))
        if fits and chunk_bytes <= limits.chunk_bytes:
            return level
    return 0
