"""Cutting a video into groups of frames, and groups into chains."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from nvcodec.cuts import CutFinder
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


@dataclass(frozen=True)
class Piece:
    """The pictures of one group."""

    pictures: list[Picture]
    key: bool  # it stands alone: a chain begins
    last: bool


@dataclass
class Cutter:
    """How a video is cut: groups of up to ``gof`` frames, a key group at the latest every ``keyint`` frames.

    No group straddles a cut of a scene where ``scenes`` is set; the first one behind a cut is a key.
    """

    gof: int
    keyint: int
    frames: int | None  # of the video, if that is known: then groups are ``even``
    even: bool = True
    scenes: bool = True
    _planned: list[int] = field(default_factory=list)
    _done: int = 0
    _since_key: int = 0
    _finder: CutFinder | None = None

    def lengths(self) -> list[int]:
        """Of the groups to come as far as is known now; a cut changes them."""
        left = (self.frames or 0) - self._done
        return group_lengths(left, self.gof, self.even) if left > 0 else []

    def pieces(self, pictures: Iterator[Picture]) -> Iterator[Piece]:
        """Groups in order. Two pictures are read ahead, because what a file says of its length may be wrong (packets
        that show nothing, as VP8 has them), and a flash is told from a cut by what follows."""
        ahead = deque(islice(pictures, 2))
        cut, more = True, bool(ahead)
        while more:
            group: list[Picture] = []
            wanted, after_cut = self._next_length(cut), cut
            while True:
                group.append(ahead.popleft())
                ahead.extend(islice(pictures, 1))
                more = bool(ahead)
                cut = more and self._cuts(group[-1], ahead)
                if not more or cut or len(group) == wanted:
                    break
            yield Piece(group, self._took(len(group), after_cut), not more)
            del group

    def _cuts(self, latest: Picture, ahead: deque[Picture]) -> bool:
        """Whether the picture that comes next begins a scene."""
        if not self.scenes:
            return False
        self._finder = self._finder or CutFinder(latest.planes)
        return self._finder.is_cut(ahead[0].planes, ahead[1].planes if len(ahead) > 1 else None)

    def _next_length(self, after_cut: bool) -> int:
        if after_cut or not self._planned:
            self._planned = self.lengths()
        return self._planned.pop(0) if self._planned else self.gof

    def _took(self, frames: int, after_cut: bool) -> bool:
        """Count a group; whether it is a key."""
        key = after_cut or self._since_key + frames > self.keyint
        self._since_key = frames if key else self._since_key + frames
        self._done += frames
        return key
