"""Pictures out of a file, a file object or a pipe."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import av

from nvcodec.errors import InputError, UsageError
from nvcodec.format import Packet, Track, VideoFormat
from nvcodec.video.picture import Picture
from nvcodec.video.source import AvSource, Source, Y4mSource, check_file, main_video, open_container
from nvcodec.video.tracks import track_from_stream
from nvcodec.video.y4m import MAGIC


class Reader:
    """Iterates over the pictures of a source in display order, once, with bounded memory.

    ``source`` is a path, ``"-"`` (y4m on standard input) or a binary file object (y4m, or any file
    FFmpeg's libraries open). ``start`` and ``limit`` choose pictures by index; timestamps stay those
    of the source, and passed-through packets are always given from the beginning of the file. With ``rgb``
    the pictures of a source that 4:2:0 does not hold whole (RGB, 4:4:4, 4:2:2, over 10 bits) carry its RGB.
    Raises InputError at opening and while iterating.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        *,
        audio: bool = True,
        start: int = 0,
        limit: int | None = None,
        threads: int = 0,
        rgb: bool = False,
    ) -> None:
        if start < 0 or (limit is not None and limit < 0):
            raise UsageError("the first frame and the number of frames cannot be negative")
        self._range = (start, None if limit is None else start + limit)
        self._owned: BinaryIO | None = None
        try:
            self._source = self._open(source, audio, threads, rgb)
        except BaseException:
            self.close()
            raise

    def _open(self, source: str | Path | BinaryIO, audio: bool, threads: int, rgb: bool) -> Source:
        if isinstance(source, (str, Path)) and str(source) != "-":
            path = Path(source)
            check_file(path)
            self._owned = path.open("rb")
            if not path.is_file():
                return Y4mSource(self._owned, str(path), rgb)  # a named pipe, e.g. <(ffmpeg ...): read only once
            if self._owned.read(len(MAGIC)) == MAGIC:
                self._owned.seek(0)
                return Y4mSource(self._owned, str(path), rgb)
            return AvSource(f"file:{path}", str(path), audio, threads, rgb)
        if isinstance(source, (str, Path)):
            if sys.stdin.isatty():
                raise InputError("standard input is a terminal; pipe y4m into it, e.g. ffmpeg ... -f yuv4mpegpipe -")
            return Y4mSource(sys.stdin.buffer, "standard input", rgb)
        return _from_object(source, audio, threads, rgb)

    @property
    def format(self) -> VideoFormat:
        return self._source.format

    @property
    def tracks(self) -> list[Track]:
        return self._source.tracks

    @property
    def warnings(self) -> list[str]:
        """Warnings so far; the list may grow until the iteration is over."""
        return self._source.warnings

    @property
    def codec(self) -> str:
        return self._source.codec

    @property
    def pixel_format(self) -> str:
        return self._source.pixel_format

    def __iter__(self) -> Iterator[Picture]:
        return itertools.islice(self._source.pictures(), *self._range)

    def take_packets(self) -> list[Packet]:
        """Packets of the tracks demuxed since the last call, in file order; the reader forgets them."""
        packets = self._source.packets
        self._source.packets = []
        return packets

    def close(self) -> None:
        if hasattr(self, "_source"):
            self._source.close()
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _from_object(file: BinaryIO, audio: bool, threads: int, rgb: bool) -> Source:
    name = str(getattr(file, "name", "stream"))
    if not file.seekable():
        return Y4mSource(file, name, rgb)
    at = file.tell()
    head = file.read(len(MAGIC))
    file.seek(at)
    if not head:
        raise InputError(f"{name}: empty")
    return Y4mSource(file, name, rgb) if head == MAGIC else AvSource(file, name, audio, threads, rgb)


@dataclass(frozen=True)
class SourceInfo:
    """What a source is, without decoding more of it than one picture."""

    format: VideoFormat
    frame_count: int | None  # None: unknown without reading the whole stream
    tracks: list[Track]
    passthrough_bytes: int  # sum of the sizes of the kept tracks' packets
    file_size: int
    codec: str
    pixel_format: str
    warnings: list[str] = field(default_factory=list)


def probe(source: str | Path) -> SourceInfo:
    """Describe a file: one picture is decoded, the rest demuxed to count frames and bytes. Raises InputError."""
    path = Path(source)
    if str(source) != "-":
        check_file(path)
    if str(source) == "-" or not path.is_file():
        raise UsageError(f"{source}: a pipe cannot be probed, it can be read only once")
    with Reader(path) as reader:
        inner = reader._source
        if isinstance(inner, Y4mSource):
            count, carried = _count_y4m(path, inner), 0
        else:
            count, carried = _count_packets(path)
        return SourceInfo(
            reader.format,
            count,
            list(reader.tracks),
            carried,
            path.stat().st_size,
            reader.codec,
            reader.pixel_format,
            list(reader.warnings),
        )


def _count_y4m(path: Path, source: Y4mSource) -> int | None:
    """Exact where every frame header is bare, None where the size says that some are not."""
    with path.open("rb") as file:
        header = len(file.readline())
    frames, rest = divmod(path.stat().st_size - header, source.header.frame_bytes + len(b"FRAME\n"))
    if rest == 0 and frames == 0:
        raise InputError(f"{path}: no frames")
    return frames if rest == 0 else None


def _count_packets(path: Path) -> tuple[int | None, int]:
    """Shown video packets, and bytes of the tracks that are kept."""
    frames = carried = 0
    with open_container(f"file:{path}", str(path)) as container:
        video = main_video(container, str(path))
        kept = set()
        for stream in container.streams:
            if stream.index != video.index:
                track, packets = track_from_stream(stream)
                carried += sum(len(packet.data) for packet in packets)
                if track is not None and stream.type != "attachment":
                    kept.add(stream.index)
        try:
            for packet in container.demux([s for s in container.streams if s.index in kept or s.index == video.index]):
                if packet.stream_index != video.index:
                    carried += packet.size
                elif packet.size and not packet.is_discard and _is_shown(video.codec_context.name, packet):
                    frames += 1
        except (av.FFmpegError, OSError):
            return None, carried
    return frames, carried


def _is_shown(codec: str, packet: av.Packet[Any]) -> bool:
    """Whether a packet has a frame that is shown: VP8 and VP9 have packets of reference frames that are not.

    RFC 6386, section 9.1 (show_frame of the frame tag); VP9 bitstream specification, 6.2 (uncompressed_header) and
    annex B (a superframe ends with a frame that is shown).
    """
    data = memoryview(packet)
    first = data[0]
    if codec == "vp8":
        return bool(first & 0x10)
    if codec != "vp9" or first >> 6 != 2 or data[-1] & 0xE0 == 0xC0:
        return True
    if first & 0x30 == 0x30:  # profile 3 has one bit more before show_existing_frame, frame_type, show_frame
        return bool(first & 0x04 or first & 0x01)
    return bool(first & 0x08 or first & 0x02)
