"""The facts of a stream (VideoFormat) from its headers and its first decoded frame."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from typing import Any

import av.logging
from av.container import InputContainer
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from nvcodec.format import Colour, ContentLight, MasteringDisplay, VideoFormat
from nvcodec.video.pixels import Conversion

SITINGS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")  # FFmpeg's names, by code
_UNSPECIFIED = 2
_MAX_RATE = 100_000
_Q16 = 1 << 16


def describe(stream: VideoStream, frame: VideoFrame, plan: Conversion) -> tuple[VideoFormat, list[str]]:
    """The format of the pictures that ``plan`` makes of this stream, and warnings."""
    siting, frame_aspect = _siting_and_aspect(stream, frame)
    rotation, warnings = _rotation(frame)
    aspect = stream.sample_aspect_ratio or frame_aspect
    mastering, light = _mastering(frame), _content_light(frame)
    fmt = VideoFormat(
        width=frame.width,
        height=frame.height,
        bit_depth=plan.bit_depth,
        chroma_siting=siting if plan.kind in ("verbatim", "rearrange") else 1,
        colour=_colour(frame, plan),
        timebase=Fraction(stream.time_base or Fraction(1, 25)),
        frame_rate=frame_rate(stream),
        sample_aspect=aspect if aspect and aspect > 0 else Fraction(1),
        rotation=rotation,
        mastering=mastering,
        content_light=light,
    )
    return fmt, warnings


def lost_facts(container: InputContainer) -> list[str]:
    """Warnings of what a file says beside its streams and an nvc file has no place for."""
    chapters = len(container.chapters())
    lost = [f"{chapters} chapter{'s' * (chapters > 1)}"] if chapters else []
    lost += ["the title"] if container.metadata.get("title") else []
    return [f"{' and '.join(lost)} of the file cannot be kept: dropped"] if lost else []


def frame_rate(stream: VideoStream) -> Fraction:
    """The nominal frame rate, or 0 where the stream has none that could be true."""
    for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate):
        if rate and 0 < rate < _MAX_RATE:
            return Fraction(rate)
    return Fraction(0)


def _colour(frame: VideoFrame, plan: Conversion) -> Colour:
    primaries, transfer, matrix = (_code(c) for c in (frame.color_primaries, frame.color_trc, frame.colorspace))
    if plan.to_bt709:
        return Colour(primaries, transfer, 1, False)
    tagged = int(frame.color_range)
    full = tagged == 2 if tagged in (1, 2) else plan.full_range
    return Colour(primaries, transfer, matrix or _UNSPECIFIED, full)


def _code(value: Any) -> int:
    return int(value) if 0 <= int(value) < 256 else _UNSPECIFIED


def _siting_and_aspect(stream: VideoStream, frame: VideoFrame) -> tuple[int, Fraction | None]:
    """Chroma siting code and sample aspect of a frame.

    PyAV shows neither on a frame, FFmpeg's showinfo filter does: its log line says ``cl:`` and ``sar:``.
    """
    graph = Graph()
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=stream.time_base or Fraction(1, 25)
    )
    buffer.link_to(info := graph.add("showinfo"))
    info.link_to(graph.add("buffersink"))
    level = av.logging.get_level()
    try:
        graph.configure()
        av.logging.set_level(av.logging.INFO)
        with av.logging.Capture() as logs:
            graph.push(frame)
            graph.pull()
    except (av.FFmpegError, ValueError):
        return 0, None
    finally:
        av.logging.set_level(level)
    text = " ".join(line for _, name, line in logs if name == "showinfo")
    siting = re.search(r" cl:(\w+)", text)
    aspect = re.search(r" sar:(\d+)/(\d+)", text)
    code = SITINGS.index(siting[1]) if siting and siting[1] in SITINGS else 0
    known = aspect and int(aspect[1]) and int(aspect[2])
    return code, Fraction(int(aspect[1]), int(aspect[2])) if aspect and known else None


def _side_data(frame: VideoFrame, kind: Type) -> bytes:
    every: Any = frame.side_data  # a mapping by its stub, a sequence of side data in truth
    return next((bytes(data) for data in every if data.type == kind), b"")


def _rotation(frame: VideoFrame) -> tuple[int, list[str]]:
    """Clockwise degrees from the display matrix (3x3, 16.16 fixed point), and warnings."""
    data = _side_data(frame, Type.DISPLAYMATRIX)
    if len(data) < 36:
        return 0, []
    a, b, _, c, d = struct.unpack_from("<5i", data)
    turned = -frame.rotation % 360
    nearest = round(turned / 90) * 90 % 360
    warnings = []
    if a * d - b * c < 0:
        warnings.append("the display matrix mirrors the picture: mirroring is dropped, rotation kept")
    if nearest != turned:
        warnings.append(f"rotation by {turned} degrees is rounded to {nearest}")
    return nearest, warnings


def _mastering(frame: VideoFrame) -> MasteringDisplay | None:
    """FFmpeg's AVMasteringDisplayMetadata: ten rationals (R, G, B, white as x, y; min, max), two flags."""
    data = _side_data(frame, Type.MASTERING_DISPLAY_METADATA)
    if len(data) < 88:
        return None
    terms = struct.unpack_from("<22i", data)
    if not (terms[20] and terms[21]) or any(terms[i] == 0 for i in range(1, 20, 2)):
        return None
    values = [Fraction(terms[2 * i], terms[2 * i + 1]) for i in range(10)]
    xy = [round(value * 50000) for value in values[:8]]
    low, high = (round(value * 10000) for value in values[8:])
    if any(not 0 <= value < _Q16 for value in xy) or not 0 <= low < 1 << 32 or not 0 <= high < 1 << 32:
        return None
    primaries = ((xy[0], xy[1]), (xy[2], xy[3]), (xy[4], xy[5]))
    return MasteringDisplay(primaries, (xy[6], xy[7]), high, low)


def _content_light(frame: VideoFrame) -> ContentLight | None:
    data = _side_data(frame, Type.CONTENT_LIGHT_LEVEL)
    if len(data) < 8:
        return None
    content, average = struct.unpack_from("<2I", data)
    return ContentLight(content, average) if max(content, average) < _Q16 and content + average else None
