"""Pictures and passed-through packets into a container, through PyAV."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.stream import Stream
from av.video.format import VideoFormat as PixelFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from nvcodec.errors import FormatError, UsageError
from nvcodec.format import Packet, Track, VideoFormat
from nvcodec.video.encoders import Encoder
from nvcodec.video.picture import Picture
from nvcodec.video.pixels import frame_from_planes
from nvcodec.video.tracks import BITEXACT, add_template, open_parameters, parse_attachment, to_packet, track_name

_KEEPS_ASPECT = {"mp4", "mov", "nut"}  # containers in which PyAV can set the sample aspect
_MAX_SCALE = 10_000_000
_BITSTREAM_ASPECT = {"libx264", "libx265", "ffv1", "mpeg4"}


class Muxer:
    """One output file. The header is written with the first picture, when attachments are known."""

    def __init__(
        self,
        file: BinaryIO,
        container: str,
        fmt: VideoFormat,
        encoder: Encoder,
        tracks: Sequence[Track],
        threads: int,
    ) -> None:
        self._format = fmt
        self._encoder = encoder
        self._tracks = tracks
        self._container_name = container
        self.warnings = list(encoder.warnings)
        self._templates: list[InputContainer] = []
        self._streams: dict[int, Stream] = {}  # by track
        self._started = False
        self._attached: dict[int, bytes] = {}
        self._dropped = 0
        self._count = 0
        self._durations: dict[int, int] = {}  # by timestamp, of pictures inside the encoder
        try:
            self._output: OutputContainer = av.open(
                file, "w", format=container, container_options=_options(container, fmt, tracks)
            )
            self._output.flags |= BITEXACT
            self._video = self._add_video(threads)
        except (ValueError, av.FFmpegError) as error:
            raise UsageError(f"a {container} file cannot hold {encoder.name} video") from error
        for index, track in enumerate(tracks):
            if track.kind != "attachment":
                self._add_track(index, track)
        self._aspect = self._aspect_filter()

    def _add_video(self, threads: int) -> VideoStream:
        fmt, encoder = self._format, self._encoder
        stream: VideoStream = self._output.add_stream(  # type: ignore[assignment]
            encoder.name,
            rate=fmt.frame_rate or Fraction(25),
            options=dict(encoder.options),
            width=encoder.width,
            height=encoder.height,
            pix_fmt=encoder.pixel_format,
            time_base=fmt.timebase,
        )
        context = stream.codec_context
        context.thread_count = threads
        if encoder.name == "libx265" and self._container_name in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # Apple's players want it
        context.sample_aspect_ratio = fmt.sample_aspect
        context.color_primaries = fmt.colour.primaries
        context.color_trc = fmt.colour.transfer
        context.colorspace = fmt.colour.matrix
        context.color_range = 2 if fmt.colour.full_range else 1
        if fmt.rotation:
            stream.set_display_rotation(-fmt.rotation)
        return stream

    def _add_track(self, index: int, track: Track) -> None:
        """Add a passed-through track, or a warning that names it."""
        name = track_name(index, track)
        try:
            template = open_parameters(track.parameters)
        except FormatError as error:
            self.warnings.append(f"{name} is dropped: {error}")
            return
        if not _can_hold(self._container_name, template.streams[0]):
            template.close()
            self.warnings.append(f"{name} is dropped: a {self._container_name} file cannot hold it")
            return
        self._templates.append(template)
        stream = add_template(self._output, template.streams[0], track.language)
        stream.time_base = track.timebase
        self._streams[index] = stream

    def _aspect_filter(self) -> Graph | None:
        """FFV1 takes the sample aspect from each frame, which only a filter can set."""
        aspect, encoder = self._format.sample_aspect, self._encoder
        if aspect == 1 or self._container_name in _KEEPS_ASPECT:
            return None
        if encoder.name not in _BITSTREAM_ASPECT:
            self.warnings.append(f"the sample aspect ratio {aspect} is lost in {encoder.name}")
        if encoder.name != "ffv1":
            return None
        graph = Graph()
        source = graph.add_buffer(
            width=encoder.width,
            height=encoder.height,
            format=PixelFormat(encoder.pixel_format),
            time_base=self._format.timebase,
        )
        source.link_to(setter := graph.add("setsar", f"{aspect.numerator}/{aspect.denominator}:max={1 << 30}"))
        setter.link_to(graph.add("buffersink"))
        graph.configure()
        return graph

    def write(self, picture: Picture) -> None:
        self._start()
        frame = frame_from_planes(self._padded(picture), self._encoder.pixel_format)
        frame.pts, frame.duration = picture.pts, picture.duration
        frame.time_base = self._format.timebase
        self._tag(frame)
        if self._aspect is not None:
            self._aspect.push(frame)
            frame = self._aspect.pull()  # type: ignore[assignment]
        self._count += 1
        self._durations[picture.pts] = picture.duration
        self._mux_video(self._video.encode(frame))

    def _mux_video(self, packets: Sequence[av.Packet[Any]]) -> None:
        for packet in packets:
            # some encoders lose durations, and the last one is the only sign of how long the last picture shows
            packet.duration = self._durations.pop(packet.pts or 0, 0) or packet.duration
            if self._encoder.name == "libx265" and self._count < 3:
                packet.dts = packet.pts  # x265 makes no decoding times for streams shorter than its reordering
            self._output.mux(packet)

    def _padded(self, picture: Picture) -> list[Any]:
        down, right = self._encoder.height - self._format.height, self._encoder.width - self._format.width
        if not (down or right):
            return list(picture.planes)
        return [np.pad(picture.y, ((0, down), (0, right)), mode="edge"), picture.u, picture.v]

    def _tag(self, frame: VideoFrame) -> None:
        colour = self._format.colour
        frame.color_primaries, frame.color_trc = colour.primaries, colour.transfer
        frame.colorspace, frame.color_range = colour.matrix, 2 if colour.full_range else 1

    def write_packets(self, packets: Sequence[Packet]) -> None:
        """Packets of attachments must come before the first picture; the others at any time in order."""
        for packet in packets:
            if not 0 <= packet.track < len(self._tracks):
                raise FormatError(f"a packet is of track {packet.track}, which does not exist")
            track = self._tracks[packet.track]
            if track.kind == "attachment" and not self._started:
                self._attached[packet.track] = packet.data
            stream = self._streams.get(packet.track)
            if stream is not None:
                self._start()
                self._mux(to_packet(packet, stream, track.timebase))

    def _mux(self, packet: av.Packet[Any]) -> None:
        try:
            self._output.mux(packet)
        except (av.ArgumentError, av.InvalidDataError):
            self._dropped += 1

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        for index, track in enumerate(self._tracks):
            if track.kind == "attachment":
                self._attach(index, track)
        self._output.start_encoding()

    def _attach(self, index: int, track: Track) -> None:
        name = track_name(index, track)
        if self._container_name != "matroska":
            self.warnings.append(f"{name} is dropped: a {self._container_name} file cannot hold it")
        elif index not in self._attached:
            self.warnings.append(f"{name} is dropped: its data came after the first picture, or never")
        else:
            try:
                self._output.add_attachment(*parse_attachment(track.parameters), self._attached[index])
            except FormatError as error:
                self.warnings.append(f"{name} is dropped: {error}")

    def close(self) -> None:
        self._start()
        self._mux_video(self._video.encode(None))
        self._output.close()
        if self._dropped:
            self.warnings.append(f"{self._dropped} packets with impossible timestamps were dropped")
        self._release()

    def abandon(self) -> None:
        """Let go of everything after an error; the output file must be closed already."""
        with contextlib.suppress(Exception):
            self._output.close()
        self._release()

    def _release(self) -> None:
        for template in self._templates:
            template.close()
        self._templates = []


def _options(container: str, fmt: VideoFormat, tracks: Sequence[Track]) -> dict[str, str]:
    """MP4 says when a track starts in ticks of the movie, a millisecond by default: make them fit all tracks."""
    if container not in ("mp4", "mov"):
        return {}
    scales = [fmt.timebase.denominator, *(t.timebase.denominator for t in tracks if t.kind == "audio")]
    common = math.lcm(*scales)
    scale = common if common <= _MAX_SCALE else scales[0]
    return {"movie_timescale": str(scale)} if 1000 < scale <= _MAX_SCALE else {}


def _can_hold(container: str, template: Stream) -> bool:
    """Whether a file of this format takes the track: tried on a file in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            add_template(trial, template)
            trial.start_encoding()
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True
