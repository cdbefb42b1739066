"""``nvcodec.evaluate``: an nvc file against its source."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nvcodec.api import files
from nvcodec.api.groups import GroupOpener
from nvcodec.api.libraries import OneVideo
from nvcodec.api.settings import OnProgress, Progress
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import GroupState
from nvcodec.container import Group
from nvcodec.container import Reader as NvcReader
from nvcodec.errors import DamagedError, InputError
from nvcodec.hardware import pick_device, tune_allocator
from nvcodec.metrics.bits import bpp
from nvcodec.metrics.sequence import FrameMetrics, SequenceMetrics
from nvcodec.video import Picture, Reader, yuv420_to_rgb


def evaluate(
    reference: str | Path,
    coded: str | Path,
    *,
    video: int | None = None,
    threads: int | None = None,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Metrics of the nvc file ``coded`` against the video file ``reference``, frames compared by index.

    ``video`` is which one of a library's. ``bytes`` is all of it in the file, ``video_bytes`` without passed-through
    tracks; ``decode_fps`` counts the time of entropy decoding and networks alone. ``psnr_yuv`` is the mean over frames
    of (6Y + U + V) / 8 against the 4:2:0 picture that was coded; ``psnr_rgb``, ``ssim`` and ``ms_ssim`` (None below 161
    pixels) are against the source's own RGB, before it became 4:2:0. Frames of damaged groups are left out, ``damaged``
    says which. Raises InputError if sizes or frame counts differ, UsageError for a ``video`` that is not there,
    FormatError and its kin for a bad file.
    """
    files.check_source(reference, pipe=False)
    files.check_source(coded, pipe=False)
    tune_allocator()
    with cpu_threads(threads), files.open_source(coded) as file, Reader(reference, audio=False, rgb=True) as source:
        with files.named(coded):
            chosen, device = OneVideo(file, video), pick_device(device)
            before = chosen.before(device)
        return _Evaluation(chosen.reader, source, device, on_progress, before).run()


class _Evaluation:
    """One call of :func:`evaluate`."""

    def __init__(
        self,
        reader: NvcReader,
        source: Reader,
        device: str,
        on_progress: OnProgress | None,
        before: GroupState | None,
    ) -> None:
        self.before = before
        self.reader, self.source, self.device, self.on_progress = reader, source, device, on_progress
        self.metrics = SequenceMetrics()
        self.decode_seconds = 0.0
        self.frames = 0
        self.first_frame = 0  # of the group that was read last
        self.damaged: list[str] = []
        self.started = time.monotonic()
        self._check_size()

    def _check_size(self) -> None:
        ours, theirs = self.reader.header.format, self.source.format
        for name in ("width", "height", "bit_depth"):
            if getattr(ours, name) != getattr(theirs, name):
                raise InputError(f"{name} differs: {getattr(theirs, name)} in the source, {getattr(ours, name)} coded")

    def run(self) -> dict[str, Any]:
        pictures = enumerate(self.source)
        opener = GroupOpener(self.device, self.reader.limits)
        opener.start_behind(self.before)
        for group in self._groups():
            started = time.perf_counter()
            try:
                opened = opener.open(self.reader.header, group)
            except DamagedError as error:
                self.damaged.append(str(error))
                continue
            self.decode_seconds += time.perf_counter() - started
            for frame in range(group.frame_count):
                reference = self._reference(pictures, self.first_frame + frame)
                started = time.perf_counter()
                shown = opened.picture(frame)
                self.decode_seconds += time.perf_counter() - started
                self._compare(reference, shown)
                self.frames += 1
                self._report(self.frames)
        if not self.frames:
            raise DamagedError("the coded file has no whole group of frames")
        if not self.reader.truncated and next(pictures, None) is not None:
            raise InputError(f"the source has more frames than the {self.reader.frame_count} of the coded file")
        return self._result(self.frames)

    def _groups(self) -> Iterator[Group]:
        """Whole groups; frames that are lost are left out of the comparison."""
        for index, entry in enumerate(self.reader.groups):
            self.first_frame = entry.first_frame
            try:
                yield self.reader.read_group(index)
            except DamagedError as error:
                self.damaged.append(str(error))

    def _reference(self, pictures: Iterator[tuple[int, Picture]], wanted: int) -> Picture:
        """Frame ``wanted`` of the source: frames are compared by index."""
        for found, picture in pictures:
            if found == wanted:
                return picture
        raise InputError(f"the source has fewer frames than the {self.reader.frame_count} of the coded file")

    def _report(self, frames: int) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(frames, self.reader.frame_count, seconds=time.monotonic() - self.started))

    def _compare(self, reference: Picture, shown: Picture) -> None:
        fmt = self.reader.header.format
        original = yuv420_to_rgb(reference, fmt) if reference.rgb is None else reference.rgb
        rgb = original, yuv420_to_rgb(shown, fmt)
        self.metrics.add(FrameMetrics.of(reference.planes, shown.planes, fmt.bit_depth, rgb))

    def _result(self, frames: int) -> dict[str, Any]:
        reader, fmt = self.reader, self.reader.header.format
        video_bytes = reader.file_size - reader.passthrough_bytes
        return {
            "bytes": reader.file_size,
            "video_bytes": video_bytes,
            "bpp": bpp(video_bytes, fmt.width, fmt.height, frames),
            **self.metrics.result().as_dict(),
            "frames": frames,
            "decode_fps": frames / self.decode_seconds if self.decode_seconds else None,
            "truncated": reader.truncated,
            "damaged": self.damaged,
        }
