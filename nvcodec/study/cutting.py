"""Lossless pieces of a clip: the first frames, the middle of each picture, and 4:2:0 of what is not; all FFV1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, count, islice
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.video.format import VideoFormat as PixelFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from nvcodec.errors import InputError, OutputError
from nvcodec.format import VideoFormat
from nvcodec.video import Picture, Reader, SourceInfo, Writer
from nvcodec.video.pixels import plan_conversion, reformat
from nvcodec.video.source import INTERLACED, main_video, open_container, reason

_CONTAINER = "matroska"
_NO_RATE = Fraction(25)
_TICK = Fraction(1, 1000)  # the only one that matroska files have


@dataclass(frozen=True)
class Window:
    """A rectangle of the picture, in pixels, and how many frames from the first on; None: all."""

    x: int
    y: int
    width: int
    height: int
    frames: int | None


def window_of(info: SourceInfo, clip: Path, frames: int | None, crop: tuple[int, int] | None) -> Window | None:
    """The middle ``crop`` (width, height) of the first ``frames`` frames, or None where that is all there is.

    Offsets are whole chroma samples and even, so that no sample is resampled.

    Raises:
        InputError: the crop is larger than the picture.
    """
    width, height = crop or (info.format.width, info.format.height)
    across, down = info.format.width - width, info.format.height - height
    if min(across, down) < 0:
        size = f"{info.format.width}x{info.format.height}"
        raise InputError(f"{clip.name}: a crop of {width}x{height} does not fit into pictures of {size}")
    if frames is not None and info.frame_count is not None and info.frame_count <= frames:
        frames = None
    if frames is None and across == down == 0:
        return None
    pixel = PixelFormat(info.pixel_format)
    steps = [max(2, 64 // (side or 64)) for side in (pixel.chroma_width(64), pixel.chroma_height(64))]
    return Window(across // 2 // steps[0] * steps[0], down // 2 // steps[1] * steps[1], width, height, frames)


def holds_420(info: SourceInfo) -> bool:
    """Whether the file's pictures are those that nvcodec codes, sample by sample: 4:2:0 of 8 or 10 bits."""
    return plan_conversion(info.pixel_format).kind in ("verbatim", "rearrange")


def to_420(clip: Path, target: Path) -> None:
    """Writes the 4:2:0 pictures that nvcodec's reader makes of a clip: what an encode of it codes."""
    with Reader(clip, audio=False) as reader:
        _write(target, reader.format, reader)


def cut(clip: Path, target: Path, info: SourceInfo, window: Window) -> None:
    """Writes a piece of a clip in the clip's own pixel format, at a constant frame rate; colour facts stay.

    Raises:
        InputError: FFV1 cannot hold the pixel format.
        OutputError: the target cannot be written.
    """
    if not holds_420(info):
        _cut_frames(clip, target, info.format, window)
        return
    with Reader(clip, audio=False, limit=window.frames) as reader:
        _write(target, replace(reader.format, width=window.width, height=window.height), _cropped(reader, window))


def _cropped(pictures: Reader, window: Window) -> Iterator[Picture]:
    luma = (slice(window.y, window.y + window.height), slice(window.x, window.x + window.width))
    chroma = tuple(slice(s.start // 2, (s.stop + 1) // 2) for s in luma)
    for picture in pictures:
        yield Picture(picture.y[luma], picture.u[chroma], picture.v[chroma])


def _write(target: Path, fmt: VideoFormat, pictures: Iterator[Picture] | Reader) -> None:
    fmt = replace(fmt, timebase=_TICK)
    step = _step(fmt)
    with target.open("wb") as file, Writer(file, fmt, vcodec="ffv1", container=_CONTAINER) as writer:
        for index, picture in enumerate(pictures):
            writer.write(replace(picture, pts=index * step, duration=step))


def _step(fmt: VideoFormat) -> int:
    """Ticks from one frame to the next: always as many, because an nvc file would spend bytes on uneven ones."""
    return max(1, round(1 / (fmt.frame_rate or _NO_RATE) / _TICK))


def _cut_frames(clip: Path, target: Path, fmt: VideoFormat, window: Window) -> None:
    """`cut` of decoded frames, for what a `Picture` cannot hold."""
    with open_container(f"file:{clip}", str(clip)) as source:
        frames = islice(_decoded(source, clip), window.frames)
        first = next(frames)
        pixels = lossless_format(first.format.name)
        graph = _graph(first, pixels, window, fmt)
        try:
            with av.open(str(target), "w", format=_CONTAINER) as output:
                stream = _add_stream(output, first, pixels, window, fmt)
                for pts, frame in zip(count(step=_step(fmt)), chain([first], frames), strict=False):
                    output.mux(stream.encode(_piece(graph, frame, pixels, pts)))
                output.mux(stream.encode(None))
        except (OSError, av.FFmpegError) as error:
            raise OutputError(f"{target}: {reason(error)}") from error


def _decoded(source: InputContainer, clip: Path) -> Iterator[VideoFrame]:
    """At least one frame, all of one size and pixel format."""
    first = None
    try:
        for frame in source.decode(main_video(source, str(clip))):
            first = first or frame
            if frame.interlaced_frame:
                raise InputError(f"{clip}: {INTERLACED}")
            if (frame.width, frame.height, frame.format.name) != (first.width, first.height, first.format.name):
                raise InputError(f"{clip}: pictures change their size or pixel format and cannot be cut")
            yield frame
    except av.FFmpegError as error:
        raise InputError(f"{clip}: {reason(error)}") from error
    if first is None:
        raise InputError(f"{clip}: no frame could be decoded")


def lossless_format(source: str) -> str:
    """FFmpeg's name of FFV1's pixel format that holds all of ``source`` but alpha.

    Raises:
        InputError: there is none.
    """
    wanted = _layout(PixelFormat(source))
    for pixel in av.Codec("ffv1", "w").video_formats or ():
        if _layout(pixel) == wanted:
            return pixel.name
    raise InputError(f"{source} video cannot be cut without loss; convert it first")


def _layout(pixel: PixelFormat) -> tuple[bool, int, int, int | None, int | None]:
    """Kind of colour, bits, channels and chroma size: what two formats share that hold the same samples."""
    if pixel.has_palette:
        pixel = PixelFormat("rgb24")
    colours = [part for part in pixel.components if not part.is_alpha]
    bits = max(8, *(part.bits for part in colours)) if pixel.is_rgb else max(part.bits for part in colours)
    return pixel.is_rgb, bits, len(colours), pixel.chroma_width(64), pixel.chroma_height(64)


def _add_stream(
    output: OutputContainer, first: VideoFrame, pixels: str, window: Window, fmt: VideoFormat
) -> VideoStream:
    stream = output.add_stream(
        "ffv1",
        rate=fmt.frame_rate or _NO_RATE,
        options={"level": "3", "g": "1", "slicecrc": "1"},
        width=window.width,
        height=window.height,
        pix_fmt=pixels,
        time_base=_TICK,
    )
    context = stream.codec_context
    context.sample_aspect_ratio = fmt.sample_aspect
    context.color_primaries, context.color_trc = int(first.color_primaries), int(first.color_trc)
    context.colorspace, context.color_range = int(first.colorspace), int(first.color_range)
    if fmt.rotation:
        stream.set_display_rotation(-fmt.rotation)
    return stream


def _graph(first: VideoFrame, pixels: str, window: Window, fmt: VideoFormat) -> Graph:
    """Cuts the rectangle out, and says the sample aspect, which FFV1 takes from each frame."""
    graph = Graph()
    source = graph.add_buffer(
        width=first.width,
        height=first.height,
        format=PixelFormat(pixels),
        time_base=_TICK,
    )
    crop = graph.add("crop", f"{window.width}:{window.height}:{window.x}:{window.y}:exact=1")
    aspect = graph.add("setsar", f"{fmt.sample_aspect.numerator}/{fmt.sample_aspect.denominator}:max={1 << 30}")
    source.link_to(crop)
    crop.link_to(aspect)
    aspect.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _piece(graph: Graph, frame: VideoFrame, pixels: str, pts: int) -> VideoFrame:
    """A frame of the cut; only the order of its samples may change on the way to ``pixels``."""
    facts = int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), int(frame.color_range)
    if frame.format.name != pixels:
        frame = reformat(frame, pixels, src_range=ColorRange.JPEG, dst_range=ColorRange.JPEG)
    frame.pts = pts
    graph.push(frame)
    piece = graph.pull()
    assert isinstance(piece, VideoFrame)
    piece.color_primaries, piece.color_trc, piece.colorspace, piece.color_range = facts
    return piece
