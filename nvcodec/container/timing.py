"""Timestamps of a group: constant rate in a few bytes, or lists (SPEC.md section 4, Timing)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from nvcodec.container import fields as f
from nvcodec.errors import FormatError

CONSTANT, DISTANCES, EXPLICIT = 0, 1, 2


@dataclass(frozen=True)
class Timing:
    """Times of ``count`` frames in display order, unexpanded.

    ``distances`` (count - 1) and ``durations`` (count) are empty at a constant ``step``.
    """

    count: int
    first: int
    step: int = 0
    distances: tuple[int, ...] = ()
    durations: tuple[int, ...] = ()

    @property
    def constant(self) -> bool:
        return not self.durations

    @property
    def end(self) -> int:
        """Pts + duration of the last frame."""
        if self.constant:
            return self.first + self.count * self.step
        return self.first + sum(self.distances) + self.durations[-1]

    def expand(self) -> tuple[list[int], list[int]]:
        """The pts and the duration of each frame; allocates ``count`` numbers, so check limits first."""
        if self.constant:
            return [self.first + i * self.step for i in range(self.count)], [self.step] * self.count
        return list(accumulate(self.distances, initial=self.first)), list(self.durations)


def make_timing(pts: Sequence[int], durations: Sequence[int]) -> Timing:
    """The shortest form of these times; raises :class:`FormatError` if they go back or are out of range."""
    if not pts or len(pts) != len(durations):
        raise FormatError(f"a group has {len(pts)} timestamps and {len(durations)} durations")
    distances = tuple(b - a for a, b in pairwise(pts))
    if min(distances, default=0) < 0 or min(durations) < 0:
        raise FormatError("timestamps of a group must not go back, durations not be negative")
    for moment, duration in zip(pts, durations, strict=True):
        f.check_time(moment)
        f.check_time(moment + duration)
    step = durations[0]
    if all(d == step for d in (*distances, *durations)):
        return Timing(len(pts), pts[0], step)
    return Timing(len(pts), pts[0], 0, distances, tuple(durations))


def pack_timing(timing: Timing) -> bytes:
    if timing.constant:
        return bytes([CONSTANT]) + f.sv(timing.first) + f.uv(timing.step)
    implied = timing.durations[:-1] == timing.distances
    numbers = (*timing.distances, *(timing.durations[-1:] if implied else timing.durations))
    mode = DISTANCES if implied else EXPLICIT
    return bytes([mode]) + f.sv(timing.first) + b"".join(map(f.uv, numbers))


def timing_size(pts: Sequence[int], durations: Sequence[int]) -> int:
    """Bytes of these times in a group's head. Raises as :func:`make_timing`."""
    return len(pack_timing(make_timing(pts, durations)))


def parse_timing(c: f.Cursor, count: int) -> Timing:
    """Reads what :func:`pack_timing` wrote; work and memory are bounded by the bytes present."""
    mode = c.u8()
    if mode > EXPLICIT:
        raise c.reserved(f"timing mode {mode} is reserved")
    first = c.time(c.sv())
    if mode == CONSTANT:
        timing = Timing(count, first, c.uv(name="the step"))
    else:
        distances = tuple(c.uv(name="a distance") for _ in range(count - 1))
        tail = tuple(c.uv(name="a duration") for _ in range(1 if mode == DISTANCES else count))
        timing = Timing(count, first, 0, distances, distances + tail if mode == DISTANCES else tail)
        for moment, duration in zip(accumulate(distances, initial=first), timing.durations, strict=True):
            c.time(moment + duration)
    c.time(timing.end)
    return timing
