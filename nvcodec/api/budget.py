"""How many bytes and seconds each group may take, planned again after every group."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nvcodec.api.settings import EncodeSettings
from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat

GROUP_OVERHEAD = 100  # bytes of a group's chunk beside config and units: framing, hashes, constant-rate timestamps
END_OVERHEAD = 120  # index and tail of a file, its chunks apart
INDEX_ROW = 14  # bytes of the index for one chunk
START_OVERHEAD = 900  # header and metadata, where they are not written yet
PACKET_OVERHEAD = 1.03  # chunks of passed-through packets over their data


@dataclass
class Budget:
    """Shares of a size or time goal."""

    video_bytes: int | None  # of all groups' chunks, or None
    deadline: float | None  # of time.monotonic(), or None
    frames_total: int | None
    groups_total: int
    spent_bytes: int = 0
    spent_frames: int = 0

    @classmethod
    def of(
        cls,
        settings: EncodeSettings,
        fmt: VideoFormat,
        frames: int | None,
        groups: int,
        passthrough: int,
        started: float,
    ) -> Budget:
        """Raises :class:`UsageError` if a goal needs a frame count that a pipe does not tell, or is too small."""
        for name in ("size", "bpp", "time_budget"):
            if getattr(settings, name) is not None and frames is None:
                raise UsageError(f"--{name.replace('_', '-')} needs a file: a pipe does not tell how many frames come")
        total: float | None = None
        if settings.size is not None:
            total = settings.size - passthrough * PACKET_OVERHEAD
        elif settings.bpp is not None and frames:
            total = settings.bpp * fmt.width * fmt.height * frames / 8
        if total is not None:
            total -= START_OVERHEAD + END_OVERHEAD + groups * INDEX_ROW
            if total < (150 + GROUP_OVERHEAD) * groups:
                raise UsageError(
                    f"the goal leaves {max(0, int(total))} bytes for {groups} groups of pictures"
                    + (
                        f" beside {passthrough} bytes of passed-through tracks (--no-audio drops them)"
                        * (passthrough > 0)
                    )
                )
        deadline = None if settings.time_budget is None else started + settings.time_budget
        return cls(None if total is None else int(total), deadline, frames, groups)

    def bytes_for(self, frames: int, steady: bool) -> int | None:
        """Payload bytes of the next group: its share by frames of what is left, less its chunk's overhead.

        ``steady`` says that its frames follow each other at one distance, so that timestamps cost next to nothing.
        """
        if self.video_bytes is None or self.frames_total is None:
            return None
        left = max(frames, self.frames_total - self.spent_frames)
        share = (self.video_bytes - self.spent_bytes) * frames // left
        return max(120, share - GROUP_OVERHEAD - (0 if steady else 3 * frames))

    def seconds_for(self, frames: int) -> float | None:
        if self.deadline is None or self.frames_total is None:
            return None
        left = max(frames, self.frames_total - self.spent_frames)
        return max(1.0, (self.deadline - time.monotonic()) * frames / left)

    def spend(self, chunk_bytes: int, frames: int) -> None:
        self.spent_bytes += chunk_bytes
        self.spent_frames += frames
