"""Where pictures come from: any file that FFmpeg's libraries open, or a y4m stream."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Discard, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from nvcodec.errors import InputError
from nvcodec.format import Colour, Packet, Track, VideoFormat
from nvcodec.video.convert import source_rgb
from nvcodec.video.describe import describe, lost_facts
from nvcodec.video.picture import Picture
from nvcodec.video.pixels import Conversion, frame_from_planes, plan_conversion, to_picture
from nvcodec.video.tracks import track_from_stream
from nvcodec.video.y4m import Y4mReader

INTERLACED = "interlaced video; deinterlace it first, e.g. ffmpeg -i IN -vf bwdif OUT"


class Source(Protocol):
    """What Reader and probe need of a source."""

    format: VideoFormat
    tracks: list[Track]
    warnings: list[str]
    packets: list[Packet]  # demuxed so far and not yet taken
    codec: str
    pixel_format: str

    def pictures(self) -> Iterator[Picture]: ...

    def close(self) -> None: ...


class Y4mSource:
    """A y4m stream; timestamps are frame numbers."""

    codec = "rawvideo"

    def __init__(self, file: BinaryIO, name: str, rgb: bool = False) -> None:
        self._rgb = rgb
        self._reader = Y4mReader(file, name)
        self._name = name
        header = self._reader.header
        self._plan = plan_conversion(header.pixel_format)
        self._full = self._plan.full_range if header.full_range is None else header.full_range
        rate = header.rate or Fraction(0)
        self.format = VideoFormat(
            header.width,
            header.height,
            self._plan.bit_depth,
            header.siting if self._plan.kind == "verbatim" else 1,
            Colour(full_range=self._full),
            1 / rate if rate else Fraction(1, 25),
            rate,
            header.aspect or Fraction(1),
        )
        self.tracks: list[Track] = []
        self.packets: list[Packet] = []
        self.warnings = list(self._plan.warnings)
        self.pixel_format = header.pixel_format
        self.header = header

    def pictures(self) -> Iterator[Picture]:
        count = 0
        while (planes := self._reader.read_planes()) is not None:
            if self._plan.kind == "verbatim":
                yield Picture(planes[0], planes[1], planes[2], count, 1)
            else:
                frame = frame_from_planes(planes, self.pixel_format)
                picture = to_picture(frame, self._plan, self._full, count, 1)
                picture.rgb = source_rgb(frame, self._plan, self.format) if self._rgb else None
                yield picture
            count += 1
        if self._reader.truncated:
            self.warnings.append(f"the stream ends inside frame {count}: that frame is dropped")
        if not count:
            raise InputError(f"{self._name}: no frames")

    def close(self) -> None:
        pass


class AvSource:
    """A file opened by PyAV. The first frame is decoded at once, because only it tells the whole format."""

    def __init__(self, file: Any, name: str, audio: bool = True, threads: int = 0, rgb: bool = False) -> None:
        self._name = name
        self._rgb = rgb
        self._container = open_container(file, name)
        self.warnings: list[str] = []
        self.tracks: list[Track] = []
        self.packets: list[Packet] = []
        self._track_of: dict[int, int] = {}  # stream index -> track index
        try:
            self._stream = main_video(self._container, name)
            self._stream.thread_type = ThreadType.AUTO
            self._stream.thread_count = threads
            self._choose_tracks(audio)
            self._frames = self._decode()
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._first = next(self._frames, None)
        if self._first is None:
            raise InputError(f"{self._name}: no frame could be decoded")
        self._plan: Conversion = plan_conversion(self._first.format.name)
        self.format, notes = describe(self._stream, self._first, self._plan)
        self.warnings += [*self._plan.warnings, *notes, *lost_facts(self._container)]
        self.codec = self._stream.codec_context.name
        self.pixel_format = self._first.format.name
        self._clock = _Clock(self.format)

    def _choose_tracks(self, audio: bool) -> None:
        for stream in self._container.streams:
            if stream.index == self._stream.index:
                continue
            track, packets = track_from_stream(stream) if audio else (None, [])
            if track is None:
                stream.discard = Discard.all
                if audio:
                    self.warnings.append(f"{stream.type} stream {stream.index} cannot be passed through: dropped")
                continue
            self._track_of[stream.index] = len(self.tracks)
            self.packets += [Packet(len(self.tracks), packet.data) for packet in packets]
            self.tracks.append(track)

    def _decode(self) -> Iterator[VideoFrame]:
        kept = [s for s in self._container.streams if s.index in self._track_of and s.type != "attachment"]
        broken = False
        for packet in self._demux([self._stream, *kept]):
            if packet.stream_index != self._stream.index:
                self._keep(packet)
                continue
            try:
                frames = self._stream.decode(packet)
            except av.error.EOFError:  # a second flush mark, for a further stream of the file
                continue
            except (av.FFmpegError, ValueError):
                frames, broken = [], broken or self._warn("damaged video data was skipped")
            for frame in frames:
                if frame.is_corrupt and not broken:
                    broken = self._warn("some frames are damaged in the source")
                yield frame

    def _demux(self, streams: list[Stream]) -> Iterator[av.Packet[Any]]:
        try:
            yield from self._container.demux(streams)
        except (av.FFmpegError, OSError) as error:
            self._warn(f"the file cannot be read to its end ({reason(error)})")
            flush: av.Packet[Any] = av.Packet()
            flush.stream = self._stream
            yield flush

    def _warn(self, text: str) -> bool:
        self.warnings.append(text)
        return True

    def _keep(self, packet: av.Packet[Any]) -> None:
        if packet.size == 0:
            return  # the flush mark at the end
        track = self._track_of[packet.stream_index]
        duration = packet.duration or 0
        self.packets.append(Packet(track, bytes(packet), packet.pts, packet.dts, duration, packet.is_keyframe))

    def pictures(self) -> Iterator[Picture]:
        """All pictures in display order; memory stays bounded as long as packets are taken.

        A picture lasts until the next: what MP4 notes are distances of decoding times, which with
        B-frames and a variable rate belong to other pictures.
        """
        frame, self._first = self._first, None
        held: Picture | None = None
        while frame is not None:
            picture = self._picture(frame)
            if held is not None:
                held.duration = picture.pts - held.pts
                yield held
            held = picture
            frame = next(self._frames, None)
        if held is not None:
            held.duration = self._last_duration(held)
            yield held
        if self._clock.repaired:
            self.warnings.append(f"{self._clock.repaired} timestamps were missing or not rising: repaired")

    def _last_duration(self, picture: Picture) -> int:
        stream = self._stream
        if "mov" in self._container.format.name and stream.duration and stream.start_time is not None:
            left = stream.start_time + stream.duration - picture.pts
            if 0 < left <= stream.duration:
                return left
        return picture.duration

    def _picture(self, frame: VideoFrame) -> Picture:
        fmt = self.format
        if (frame.width, frame.height) != (fmt.width, fmt.height):
            raise InputError(
                f"{self._name}: the picture size changes from {fmt.width}x{fmt.height} to {frame.width}x{frame.height}"
            )
        if frame.interlaced_frame:
            raise InputError(f"{self._name}: {INTERLACED}")
        plan = self._plan
        if frame.format.name != plan.source:
            plan = plan_conversion(frame.format.name)
            if plan.bit_depth != fmt.bit_depth:
                raise InputError(f"{self._name}: the bit depth changes from {fmt.bit_depth} to {plan.bit_depth}")
        pts, duration = self._clock.tick(frame)
        picture = to_picture(frame, plan, fmt.colour.full_range, pts, duration)
        picture.rgb = source_rgb(frame, plan, fmt) if self._rgb else None
        return picture

    def close(self) -> None:
        self._container.close()


class _Clock:
    """Timestamps that are there for every frame and rise by at least one tick."""

    def __init__(self, fmt: VideoFormat) -> None:
        self._nominal = max(1, round(1 / (fmt.frame_rate or 25) / fmt.timebase))
        self._next = 0
        self._last: int | None = None
        self.repaired = 0

    def tick(self, frame: VideoFrame) -> tuple[int, int]:
        duration = max(0, frame.duration or 0)
        pts = frame.pts if frame.pts is not None else self._next
        if self._last is not None and pts <= self._last:
            pts = self._last + 1
        if frame.pts != pts:
            self.repaired += 1
        self._last, self._next = pts, pts + (duration or self._nominal)
        return pts, duration


def open_container(file: Any, name: str) -> InputContainer:
    """Open for reading; a playlist or reference in the file may lead to local files only."""
    try:
        return av.open(file, "r", container_options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InputError(f"{name}: {reason(error)}") from error


def main_video(container: InputContainer, name: str) -> VideoStream:
    """The video stream that FFmpeg calls the best one."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        raise InputError(f"{name}: there is no video in it")
    if stream.codec_context is None:
        raise InputError(f"{name}: no decoder for its video codec")
    return stream


def reason(error: BaseException) -> str:
    """One line that says what went wrong."""
    text = getattr(error, "strerror", None) or str(error)
    return str(text).splitlines()[0] if str(text) else type(error).__name__


def check_file(path: Path) -> None:
    """InputError unless the path leads to something that can be read and is not empty."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder, not a video file")
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            return  # a pipe: what is opened and read here would be lost
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"{path}: the file is empty")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {reason(error)}") from error
