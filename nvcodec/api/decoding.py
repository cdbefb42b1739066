"""``nvcodec.decode``: an nvc file in, a video file out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from nvcodec.api import files
from nvcodec.api.groups import GroupOpener, OpenGroup
from nvcodec.api.libraries import OneVideo
from nvcodec.api.parallel import ordered
from nvcodec.api.settings import DecodeSettings, OnProgress, Progress
from nvcodec.api.threads import cpu_threads
from nvcodec.container import Group, StreamReader
from nvcodec.container import Reader as NvcReader
from nvcodec.errors import DamagedError, TruncatedError, UsageError
from nvcodec.format import Packet
from nvcodec.hardware import pick_device, tune_allocator
from nvcodec.video import Picture, Writer
from nvcodec.video.encoders import CONTAINERS

Work = Callable[[], list[Picture] | list[Packet]]


@dataclass(frozen=True)
class DecodeResult:
    """What was written. ``damaged`` has one line for each lost place; ``truncated`` says that the end is missing."""

    path: str
    frames: int
    seconds: float
    fps: float
    warnings: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    truncated: bool = False


def decode(
    source: str | Path,
    target: str | Path,
    *,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> DecodeResult:
    """Decode the nvc file ``source`` into the video file ``target``, its format chosen by the extension.

    ``settings`` are the fields of :class:`~nvcodec.api.settings.DecodeSettings`. ``"-"`` reads an nvc stream from
    standard input or writes y4m to standard output. A damaged or truncated file gives its whole groups; the result
    says what is missing. Raises the errors of :mod:`nvcodec.errors`; DamagedError if nothing could be decoded.
    """
    chosen = DecodeSettings(**settings)
    files.check_source(source)
    files.check_target(source, target, overwrite)
    if not files.is_pipe(target) and Path(target).suffix.lower() not in CONTAINERS:
        raise UsageError(f"cannot tell the format of {target}; use one of {' '.join(CONTAINERS)}")
    tune_allocator()
    with cpu_threads(chosen.threads, chosen.workers):
        return _Decode(source, target, chosen, on_progress).run()


class _Decode:
    """One call of :func:`decode`."""

    def __init__(
        self, source: str | Path, target: str | Path, settings: DecodeSettings, on_progress: OnProgress | None
    ) -> None:
        self.started = time.monotonic()
        self.source, self.target, self.settings, self.on_progress = source, target, settings, on_progress
        self.device = pick_device(settings.device)
        self.frames = 0
        self.damaged: list[str] = []
        self.first_pts: int | None = None
        self.cut: tuple[int, int] | None = None  # the frames that were asked for
        self.video: OneVideo | None = None  # not of a pipe

    def run(self) -> DecodeResult:
        with ExitStack() as stack:
            reader = self._open(stack)
            total = self._frame_total(reader)
            part = None if files.is_stream(self.target) else files.private_part_path(self.target)
            try:
                writer = self._writer(reader, part)
                self.opener = GroupOpener(self.device, reader.limits)
                if self.video is not None:
                    self.opener.start_behind(self.video.before(self.device))
                self._write(reader, writer, total)
            except BaseException:
                if part is not None:
                    with suppress(OSError):
                        part.unlink()
                raise
            if part is not None:
                files.finish(part, Path(self.target))
        seconds = time.monotonic() - self.started
        damaged = list(dict.fromkeys([*self.damaged, *(d.message for d in reader.damage if d.kind != "index")]))
        truncated = reader.truncated and self.settings.frames is None
        return DecodeResult(
            str(self.target), self.frames, seconds, self.frames / seconds, list(writer.warnings), damaged, truncated
        )

    def _open(self, stack: ExitStack) -> NvcReader | StreamReader:
        pipe = files.is_pipe(self.source)
        file = files.stdin_bytes() if pipe else stack.enter_context(files.open_source(self.source))
        if pipe or not file.seekable():
            if self.settings.video:
                raise UsageError("--video needs a file: a pipe cannot be searched")
            return NvcReader.from_stream(file)
        with files.named(self.source):
            self.video = OneVideo(file, self.settings.video)
        return self.video.reader

    def _frame_total(self, reader: NvcReader | StreamReader) -> int | None:
        if self.settings.frames is None:
            return reader.frame_count if isinstance(reader, NvcReader) else None
        if isinstance(reader, StreamReader):
            raise UsageError("--frames needs a file: a pipe cannot be searched")
        start, stop = self.cut = resolve_range(self.settings.frames, reader.frame_count)
        return stop - start

    def _writer(self, reader: NvcReader | StreamReader, part: Path | None) -> Writer:
        chosen = self.settings
        tracks = reader.tracks if chosen.audio and self.cut is None else []
        container = "y4m" if files.is_pipe(self.target) else CONTAINERS[Path(self.target).suffix.lower()]
        return Writer(
            part or self.target,
            reader.header.format,
            vcodec=chosen.vcodec,
            crf=chosen.crf,
            tracks=tracks,
            threads=chosen.threads or 0,
            container=container,
        )

    def _write(self, reader: NvcReader | StreamReader, writer: Writer, total: int | None) -> None:
        with writer:
            for item in ordered(self._work(reader), self.settings.workers):
                if isinstance(item[0], Picture):
                    self._show(item, writer, total)
                else:
                    writer.write_packets(item)
            if not self.frames:
                reason = self.damaged[0] if self.damaged else "the stream has no whole group of frames"
                kind = TruncatedError if reader.truncated and not self.damaged else DamagedError
                raise kind(f"nothing could be decoded: {reason}")

    def _work(self, reader: NvcReader | StreamReader) -> Iterator[tuple[int, Work]]:
        """In the order of the file: calls that make pictures, and packets; with each, how many frames it stands for.

        Symbols are decoded here, in order, because groups lean on each other; pictures are made in the calls: one by
        one where a codec allows, because they are many, else a group at once.
        """
        for item in self._items(reader):
            if not isinstance(item, Group):
                if item and self.settings.audio and self.cut is None:
                    yield 0, partial(list[Packet], item)
                continue
            opened, frames = self._opened(reader, item), self._wanted(item)
            if opened is None or not frames:
                continue
            if opened.independent or self.settings.workers == 1:
                yield from ((1, partial(_pictures, opened, [frame])) for frame in frames)
            else:
                yield len(frames), partial(_pictures, opened, list(frames))

    def _items(self, reader: NvcReader | StreamReader) -> Iterator[Group | list[Packet]]:
        if self.cut is None or isinstance(reader, StreamReader):
            yield from reader.iter_items()
            return
        for index in sorted({at for shown in self._shown(reader) for at in self._chain(reader, shown)}):
            self.group_first = reader.groups[index].first_frame
            try:
                yield reader.read_group(index)
            except DamagedError as error:
                self.damaged.append(str(error))

    def _shown(self, reader: NvcReader) -> list[int]:
        """Indices of the groups that hold frames of the cut-out."""
        assert self.cut is not None
        start, stop = self.cut
        return [
            index
            for index, entry in enumerate(reader.groups)
            if entry.first_frame < stop and entry.first_frame + entry.frame_count > start
        ]

    def _chain(self, reader: NvcReader, index: int) -> list[int]:
        try:
            return reader.chain(index)
        except DamagedError as error:
            self.damaged.append(str(error))
            return []

    def _opened(self, reader: NvcReader | StreamReader, group: Group) -> OpenGroup | None:
        try:
            return self.opener.open(reader.header, group)
        except DamagedError as error:
            self.damaged.append(str(error))
            return None

    def _wanted(self, group: Group) -> range:
        """Frames of the group to show."""
        if self.cut is None:
            return range(group.frame_count)
        start, stop = self.cut
        return range(max(0, start - self.group_first), min(group.frame_count, stop - self.group_first))

    def _show(self, pictures: list[Picture], writer: Writer, total: int | None) -> None:
        for picture in pictures:
            writer.write(self._rebased(picture))
            self.frames += 1
            if self.on_progress is not None:
                self.on_progress(Progress(self.frames, total, seconds=time.monotonic() - self.started))

    def _rebased(self, picture: Picture) -> Picture:
        """A cut-out starts at time zero."""
        if self.cut is None:
            return picture
        if self.first_pts is None:
            self.first_pts = picture.pts
        return Picture(*picture.planes, picture.pts - self.first_pts, picture.duration)


def _pictures(opened: OpenGroup, frames: list[int]) -> list[Picture]:
    return [opened.picture(frame) for frame in frames]


def resolve_range(frames: tuple[int | None, int | None], count: int) -> tuple[int, int]:
    """START and STOP of ``count`` frames: open ends, and negative ones from the end, as in slices.

    Raises :class:`UsageError` where that is empty or, unlike slices, outside.
    """
    start, stop = frames
    first = 0 if start is None else start + count * (start < 0)
    end = count if stop is None else stop + count * (stop < 0)
    if not 0 <= first < end <= count:
        shown = ":".join("" if bound is None else str(bound) for bound in frames)
        raise UsageError(f"--frames {shown} is not within the video's 0:{count}")
    return first, end
