"""Cutting a video into groups of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat

from nvcodec.format import VideoFormat
from nvcodec.video import Picture

GROUP_SAMPLES = 192_000_000  # luma samples of a default group: bounds its memory, and what a killed encode loses
FEWEST_FRAMES, MOST_FRAMES = 16, 300


def default_gof(fmt: VideoFormat) -> int:
    """Frames a group: long enough to share a network, short enough to hold in memory and to seek in."""
    return max(FEWEST_FRAMES, min(MOST_FRAMES, GROUP_SAMPLES // (fmt.width * fmt.height)))


def group_lengths(frame_count: int, gof: int, even: bool = True) -> list[int]:
    """Lengths of all groups, none over ``gof``; ``even`` ones, because a short last group pays for a whole network."""
    groups = -(-frame_count // gof)
    if not even:
        return [min(gof, frame_count - gof * i) for i in range(groups)]
    return [frame_count * (i + 1) // groups - frame_count * i // groups for i in range(groups)]


def cut(pictures: Iterator[Picture], lengths: Sequence[int], gof: int) -> Iterator[tuple[list[Picture], bool]]:
    """Groups in order, of the ``lengths`` that were planned; what comes after them in groups of ``gof``.

    With each group, whether it is the last: one picture is read ahead, because what a file says of its length may be
    wrong (packets that show nothing, as VP8 has them).
    """
    ahead = next(pictures, None)
    for length in chain(lengths, repeat(gof)):
        if ahead is None:
            return
        group = [ahead, *islice(pictures, length - 1)]
        ahead = next(pictures, None)
        yield group, ahead is None
        del group
