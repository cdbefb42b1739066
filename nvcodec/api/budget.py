"""How many bytes and seconds each group may take, planned again before every group."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from nvcodec.api.passthrough import PacketFeed
from nvcodec.api.settings import EncodeSettings
from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat

GROUP_OVERHEAD = 61  # bytes of a group's chunk beside config, units and timestamps: framing, hashes, tables
FEWEST_BYTES = 120  # a group's payload is not asked to be smaller
END_OVERHEAD = 56  # index and tail of a file, its rows apart
INDEX_ROW = 12  # bytes of the index for one group
PACKET_ROW = 5  # and for one chunk of packets


@dataclass
class Budget:
    """Shares of a size or time goal."""

    goal: int | None  # bytes of the file, or None; while a pipe with a rate goes on, of what was read
    whole: bool  # the goal counts passed-through tracks too
    deadline: float | None  # of time.monotonic(), or None
    frames_total: int | None
    fixed: int  # bytes of everything that is neither a group nor a packet
    frame_bytes: float | None = None  # a rate goal, of which the goal is a multiple
    groups: int = 1  # planned
    spent_bytes: int = 0  # of groups' chunks
    spent_frames: int = 0
    spent_groups: int = 0

    @classmethod
    def of(
        cls,
        settings: EncodeSettings,
        fmt: VideoFormat,
        frames: int | None,
        groups: int,
        start: tuple[int, int],
        feed: PacketFeed,
        started: float,
    ) -> Budget:
        """``start``: bytes before the first group, those of track descriptions apart, and these.

        Raises :class:`UsageError` if a goal needs a frame count that a pipe does not tell, or is too small.
        """
        for name in ("size", "time_budget"):
            if getattr(settings, name) is not None and frames is None:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} needs to know how many frames there are, which this source does not tell")
        rate = None if settings.bpp is None else settings.bpp * fmt.width * fmt.height / 8
        goal = int(rate * frames) if rate is not None and frames else settings.size
        deadline = None if settings.time_budget is None else started + settings.time_budget
        whole = settings.size is not None
        fixed = start[0] + (start[1] if whole else 0) + END_OVERHEAD + groups * INDEX_ROW
        if feed.file_bytes:
            fixed += PACKET_ROW * (groups + 1 + (feed.file_bytes >> 20))
        budget = cls(goal, whole, deadline, frames, fixed, rate, groups)
        budget._check(groups, feed)
        return budget

    def _check(self, groups: int, feed: PacketFeed) -> None:
        left = self._left(feed)
        if left is None or left >= (FEWEST_BYTES + GROUP_OVERHEAD) * groups:
            return
        beside = ""
        if self.whole and feed.file_bytes:
            beside = f" beside {feed.file_bytes} bytes of passed-through tracks (--no-audio drops them)"
        count = "1 group" if groups == 1 else f"{groups} groups"
        raise UsageError(
            f"the goal of {self.goal} bytes is too small: it leaves {max(0, left)} for {count} of pictures{beside}"
        )

    def _left(self, feed: PacketFeed) -> int | None:
        """Bytes for the chunks of the groups to come."""
        if self.goal is None:
            return None
        return self.goal - self.fixed - self.spent_bytes - (feed.file_bytes if self.whole else 0)

    def bytes_for(self, frames: int, timing_bytes: int, feed: PacketFeed) -> int | None:
        """Payload bytes of the next group: its share by frames of what is left, less its chunk's overhead.

        ``timing_bytes``: of its timestamps, which may be long at a variable frame rate.
        """
        if self.frame_bytes is not None and self.frames_total is None:  # a pipe: all that was read counts
            self.goal = int(self.frame_bytes * (self.spent_frames + frames))
        left_bytes = self._left(feed)
        if left_bytes is None:
            return None
        left = max(frames, (self.frames_total or 0) - self.spent_frames)
        return max(FEWEST_BYTES, left_bytes * frames // left - GROUP_OVERHEAD - timing_bytes)

    def rest_for(self, frames: int, timing_bytes: int, feed: PacketFeed) -> tuple[int, int] | None:
        """Payload bytes of the next group and all behind it together, and the frames of those; None without a goal,
        or where it is not known how many there are."""
        left_bytes, total = self._left(feed), self.frames_total
        if left_bytes is None or total is None:
            return None
        behind = max(0, total - self.spent_frames - frames)
        each = GROUP_OVERHEAD * max(1, self.groups - self.spent_groups) + timing_bytes * (1 + behind / frames)
        return max(FEWEST_BYTES, left_bytes - math.ceil(each)), behind

    def most_for(self, feed: PacketFeed) -> int | None:
        """Bytes that the next group's chunk may take so that the others still fit in; None without a goal."""
        left = self._left(feed)
        others = max(0, self.groups - self.spent_groups - 1)
        return None if left is None else left - others * (FEWEST_BYTES + GROUP_OVERHEAD)

    def replan(self, groups: int) -> None:
        """As many groups are to come as is known now; what a cut of a scene adds takes rows of the index."""
        groups += self.spent_groups
        if self.frames_total is not None:
            self.fixed += max(0, groups - self.groups) * INDEX_ROW
        self.groups = max(groups, self.groups)

    def end_at(self, frames: int) -> None:
        """The next group is the last: the source has ``frames`` frames, whatever it had said."""
        self.frames_total = frames
        self.groups = self.spent_groups + 1
        if self.frame_bytes is not None:
            self.goal = int(self.frame_bytes * frames)

    def seconds_for(self, frames: int) -> float | None:
        """Its share of the time that is left; 0 behind the deadline, where a fit takes one step."""
        if self.deadline is None or self.frames_total is None:
            return None
        left = max(frames, self.frames_total - self.spent_frames)
        return max(0.0, self.deadline - time.monotonic()) * frames / left

    def spend(self, chunk_bytes: int, frames: int) -> None:
        self.spent_bytes += chunk_bytes + (INDEX_ROW if self.frames_total is None and self.spent_groups else 0)
        self.spent_frames += frames
        self.spent_groups += 1
