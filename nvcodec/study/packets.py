"""Bits of each frame of a coded file, in display order, and of its groups from one key frame to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import av
from av.codec.context import ThreadType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from nvcodec.study.coded import GroupBits


@dataclass(frozen=True)
class StreamBits:
    """``frames``: bits of each, in display order; both lists are empty where no decoder tells that order."""

    frames: list[int] = field(default_factory=list)
    groups: list[GroupBits] = field(default_factory=list)


@dataclass
class _Read:
    """Packets by their number in decode order, and those numbers in display order."""

    sizes: list[int] = field(default_factory=list)  # bytes
    keys: list[bool] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    pts: list[int | None] = field(default_factory=list)


def stream_bits(path: Path, demuxer: str | None = None, threads: int = 1) -> StreamBits:
    """The bits of a file that PyAV opens; a raw stream is told by FFmpeg's ``demuxer`` (h264, hevc, obu, vvc).

    A frame's bits are those of the packet that shows it, with those of packets before it, in decode order, that show
    none. What is left of the file, headers for example, counts to the first frame, so that the sum is the file's size.
    A packet of AV1 is a temporal unit: it shows one frame, and holds the hidden ones that were coded just before it.
    """
    try:
        read = _demuxed(path, demuxer, threads)
        total = 8 * path.stat().st_size
    except (av.FFmpegError, ValueError, OSError):
        return StreamBits()
    if not read.shown:
        return StreamBits()
    frames, keys = _by_display(read)
    frames[0] += total - sum(frames)
    return StreamBits(frames, _groups(frames, keys))


def _demuxed(path: Path, demuxer: str | None, threads: int) -> _Read:
    read = _Read()
    with av.open(str(path), "r", format=demuxer, container_options={"protocol_whitelist": "file"}) as container:
        stream = container.streams.video[0] if container.streams.video else None
        if stream is None:
            return read
        decodes = stream.codec_context is not None
        if decodes:
            stream.thread_type, stream.thread_count = ThreadType.AUTO, threads
        for packet in container.demux(stream):
            if packet.size:
                read.pts.append(packet.pts)
                packet.pts = packet.dts = len(read.sizes)  # comes back on the frame that the packet shows
                read.sizes.append(packet.size)
                read.keys.append(packet.is_keyframe)
            if decodes:
                _show(read, stream, stream.decode(packet))
    if not decodes and None not in read.pts:
        read.shown = sorted(range(len(read.sizes)), key=lambda number: read.pts[number] or 0)
    return read


def _show(read: _Read, stream: VideoStream, frames: list[VideoFrame]) -> None:
    read.shown += [frame.pts for frame in frames if frame.pts is not None and 0 <= frame.pts < len(read.sizes)]


def _by_display(read: _Read) -> tuple[list[int], list[bool]]:
    """Bits and key flags by display index; a packet that shows nothing goes with the next one that does."""
    owed = 0
    bits: dict[int, int] = {}
    shown = set(read.shown)
    for number, size in enumerate(read.sizes):
        owed += 8 * size
        if number in shown:
            bits[number], owed = owed, 0
    bits[max(shown)] += owed
    seen: set[int] = set()
    frames = []
    for number in read.shown:  # a packet may hold two fields or frames: the second one costs nothing more
        frames.append(0 if number in seen else bits[number])
        seen.add(number)
    return frames, [read.keys[number] for number in read.shown]


def _groups(frames: list[int], keys: list[bool]) -> list[GroupBits]:
    """From each key frame to the next, in display order; frames shown before the first key frame go with it."""
    starts = [index for index, key in enumerate(keys) if key]
    starts = [0, *starts[1:]]
    ends = [*starts[1:], len(frames)]
    return [GroupBits(start, end - start, sum(frames[start:end])) for start, end in zip(starts, ends, strict=True)]
