"""How frames of a group lean on each other, in which order they are coded, and how their qualities differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nvcodec.codecs.base import QUALITIES

KEY_BONUS = 15  # steps of quality that a key frame is better by
MINI_GROUP = 4  # frames from one anchor to the next in random access
LONGEST_CHAIN = 33  # frames of low delay from a key frame on
_LEVELS = (4, -5, -12)  # steps of quality of anchors, of frames between them, of frames between those


@dataclass(frozen=True)
class Slot:
    """A frame in decode order: when it is shown, the frames that it leans on, nearest or earliest first.

    ``both``: its pictures are predicted from both of two references, else from the first, and by way of it from the
    second.
    """

    time: int
    references: tuple[int, ...] = ()
    both: bool = False
    offset: int = 0  # steps of quality beside the group's


def level_of(slot: Slot, quality: int) -> int:
    """A frame's quality, 0..63. At the top of the dial all are equal: it reaches as high as the codec does."""
    top = QUALITIES - 1
    offset = slot.offset if slot.offset > 0 else max(slot.offset, quality - top)
    return max(0, min(top, quality + offset))


def low_delay(frames: int) -> list[Slot]:
    """Each frame leans on the one before it, and on that one's."""
    key = [Slot(0, offset=KEY_BONUS)]
    return key + [Slot(t, tuple(range(t - 1, max(-1, t - 3), -1))) for t in range(1, frames)]


def random_access(frames: int, mini_group: int = MINI_GROUP) -> list[Slot]:
    """Anchors lean on the anchors before; between two of them, frames lean on both sides, by halves."""
    slots, before = [Slot(0, offset=KEY_BONUS)], [0]
    while before[0] < frames - 1:
        anchor = min(before[0] + mini_group, frames - 1)
        slots.append(Slot(anchor, tuple(before[:2]), offset=_LEVELS[0]))
        slots += _between(before[0], anchor, 1)
        before = [anchor, *before]
    return slots


def _between(a: int, b: int, level: int) -> list[Slot]:
    if b - a < 2:
        return []
    middle = (a + b) // 2
    slot = Slot(middle, (a, b), True, _LEVELS[min(level, len(_LEVELS) - 1)])
    return [slot, *_between(a, middle, level + 1), *_between(middle, b, level + 1)]


def key_slots(frames: int) -> list[Slot]:
    """Each frame alone, where pictures are too large for motion; no other has a use for better ones."""
    return [Slot(t) for t in range(frames)]


def slots(structure: str, frames: int, mini_group: int = MINI_GROUP) -> list[Slot]:
    """Of a group of so many frames; ``structure`` "low-delay" or "random-access"."""
    return low_delay(frames) if structure == "low-delay" else random_access(frames, mini_group)


def scene_slots(scenes: Sequence[range], structure: str, mini_group: int = MINI_GROUP) -> list[Slot]:
    """The same for scenes, which begin with a key frame each; a chain of low delay begins anew before it drifts."""
    runs = [part for run in scenes for part in (_parts(run) if structure == "low-delay" else [run])]
    return [
        Slot(run.start + s.time, tuple(run.start + r for r in s.references), s.both, s.offset)
        for run in runs
        for s in slots(structure, len(run), mini_group)
    ]


def _parts(run: range) -> list[range]:
    """A run in even parts of at most LONGEST_CHAIN frames."""
    count = -(-len(run) // LONGEST_CHAIN)
    edges = [run.start + len(run) * k // count for k in range(count + 1)]
    return [range(a, b) for a, b in pairwise(edges)]
