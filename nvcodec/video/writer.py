"""Pictures into a file, a file object or a pipe."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import av

from nvcodec.errors import OutputError, UsageError
from nvcodec.format import Packet, Track, VideoFormat
from nvcodec.video.encoders import CONTAINERS, RAW, choose_encoder
from nvcodec.video.muxer import Muxer
from nvcodec.video.picture import Picture, check_picture
from nvcodec.video.png import PngWriter
from nvcodec.video.source import reason
from nvcodec.video.tracks import track_name
from nvcodec.video.y4m import Y4mWriter, lost_facts


class PipeClosedError(OutputError):
    """Whoever read the pipe has gone; the command line may end quietly."""


class Writer:
    """Writes pictures (in display order) and passed-through packets to ``target``.

    ``target`` is a path, ``"-"`` (y4m on standard output) or a binary file object. The container follows
    from the extension of the path, or from ``container`` (FFmpeg's muxer name, or "y4m"; y4m where a file
    object comes without). Files are opened for writing as they are named; atomic renaming is the caller's.
    Raises OutputError where the target cannot be written and UsageError for choices that do not fit.
    """

    def __init__(
        self,
        target: str | Path | BinaryIO,
        format: VideoFormat,
        *,
        vcodec: str | None = None,
        crf: float | None = None,
        tracks: Sequence[Track] = (),
        threads: int = 0,
        container: str | None = None,
    ) -> None:
        self._format = format
        self._name = str(target) if isinstance(target, (str, Path)) else str(getattr(target, "name", "stream"))
        self._piped = self._name == "-" and isinstance(target, (str, Path))
        self._closed = False
        container = container or self._container(target)
        if container in RAW and (vcodec or crf is not None):
            raise UsageError(f"{RAW[container]}: --vcodec and --crf do not apply")
        encoder = None if container in RAW else choose_encoder(container, format, vcodec, crf, threads)
        self._muxer: Muxer | None = None
        self._raw: Y4mWriter | PngWriter | None = None
        self._file, self._owned = self._open(target)
        with self._guard():
            if encoder is None:
                self._raw = PngWriter(self._file, format) if container == "png" else Y4mWriter(self._file, format)
                names = [track_name(index, track) for index, track in enumerate(tracks)]
                self._warnings = [f"{name} is dropped: {container} holds no tracks" for name in names]
                self._warnings += lost_facts(format) if container == "y4m" else []
            else:
                self._muxer = Muxer(self._file, container, format, encoder, tracks, threads)
                self._warnings = self._muxer.warnings

    def _container(self, target: str | Path | BinaryIO) -> str:
        if self._piped or not isinstance(target, (str, Path)):
            return "y4m"
        suffix = Path(target).suffix.lower()
        if suffix not in CONTAINERS:
            known = " ".join(CONTAINERS)
            raise UsageError(f"{target}: the extension names no container nvcodec writes; use one of {known}")
        return CONTAINERS[suffix]

    def _open(self, target: str | Path | BinaryIO) -> tuple[BinaryIO, bool]:
        if self._piped:
            return sys.stdout.buffer, False
        if not isinstance(target, (str, Path)):
            return target, False
        try:
            return open(target, "wb"), True
        except (OSError, ValueError) as error:
            raise OutputError(f"{self._name}: {reason(error)}") from error

    @property
    def warnings(self) -> list[str]:
        """Warnings so far: tracks that the container cannot hold, facts that are lost."""
        return self._warnings

    def write(self, picture: Picture) -> None:
        """Write one picture; timestamps must rise (y4m has none)."""
        check_picture(picture, self._format)
        with self._guard():
            sink = self._muxer or self._raw
            assert sink is not None
            sink.write(picture)

    def write_packets(self, packets: Sequence[Packet]) -> None:
        """Write packets of the tracks given at opening; those of dropped tracks are ignored."""
        if self._muxer is not None:
            with self._guard():
                self._muxer.write_packets(packets)

    def close(self) -> None:
        """Finish the file. Only after this are errors such as a full disk certain to have shown."""
        if self._closed:
            return
        with self._guard():
            if self._muxer is not None:
                self._muxer.close()
            self._file.flush()
            if self._owned:
                self._file.close()
        self._closed = True

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Turn failures into one OutputError and leave nothing open behind them."""
        try:
            yield
        except BrokenPipeError as error:
            self._abandon()
            raise PipeClosedError(f"{self._name}: the reader of the pipe has gone") from error
        except (OSError, av.FFmpegError, MemoryError) as error:
            self._abandon()
            text = "the disk is full" if getattr(error, "errno", 0) == errno.ENOSPC else reason(error)
            raise OutputError(f"{self._name}: {text}") from error
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        self._closed = True
        if self._piped:
            _silence_stdout()
        if self._owned:
            with contextlib.suppress(OSError):
                self._file.close()
        if self._muxer is not None:
            self._muxer.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif not self._closed:
            self._abandon()


def _silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's own flush at exit stays quiet."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
