"""Decoded frames of any pixel format to planar 4:2:0 at 8 or 10 bits, and back to frames.

RGB becomes BT.709 limited range. YUV of any kind keeps its own matrix and range, on purpose: where it has more chroma
or more bits than 4:2:0 keeps, only chroma is resampled and depth reduced. A way through RGB to BT.709 would round and
clip luma that is kept exactly otherwise, and recolour streams whose matrix is unspecified.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.format import VideoFormat as PixelFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from nvcodec.video.picture import Picture, Plane, sample_type

SCALER = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

_VERBATIM = {"yuv420p": 8, "yuvj420p": 8, "yuv420p10le": 10, "yuva420p": 8, "yuva420p10le": 10}
_REARRANGED = {"nv12": 8, "nv21": 8, "p010le": 10, "p010be": 10, "yuv420p10be": 10}
_thread = threading.local()


@dataclass(frozen=True)
class Conversion:
    """How frames of one pixel format become pictures."""

    source: str
    kind: str  # "verbatim", "rearrange", "gray", "rgb" or "chroma"
    bit_depth: int
    warnings: tuple[str, ...] = ()

    @property
    def to_bt709(self) -> bool:
        """Whether the pictures are BT.709 limited range whatever the source was."""
        return self.kind == "rgb"

    @property
    def full_range(self) -> bool:
        """Whether the pixel format itself says full range where the stream says nothing."""
        return self.source.startswith("yuvj") or self.kind == "gray"


def pixel_format_name(bit_depth: int) -> str:
    """FFmpeg's name of planar 4:2:0 at this bit depth."""
    return "yuv420p" if bit_depth == 8 else "yuv420p10le"


def plan_conversion(source: str) -> Conversion:
    """The way from the pixel format named ``source`` to 4:2:0, with the warnings it deserves."""
    pixel = PixelFormat(source)
    alpha = ("alpha is dropped",) if any(c.is_alpha for c in pixel.components) else ()
    if source in _VERBATIM:
        return Conversion(source, "verbatim", _VERBATIM[source], alpha)
    if source in _REARRANGED:
        return Conversion(source, "rearrange", _REARRANGED[source])
    bits = 8 if pixel.has_palette else max(c.bits for c in pixel.components if not c.is_alpha)
    depth = 8 if bits <= 8 else 10
    note = f"{source} is converted to {depth}-bit 4:2:0"
    if source.startswith(("gray", "ya8", "ya16", "mono")):
        return Conversion(source, "gray", depth, (*alpha, note))
    if pixel.is_rgb or pixel.has_palette:
        return Conversion(source, "rgb", depth, (*alpha, f"{note}, BT.709 limited range"))
    return Conversion(source, "chroma", depth, (*alpha, note))


def plane_rows(plane: Any) -> NDArray[np.uint8]:
    """A plane's memory as bytes (rows, line size): padding included, shared with the frame."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)


def frame_planes(frame: VideoFrame, count: int, dtype: Any) -> list[Plane]:
    """Copies of the first ``count`` planes, without the padding at the end of rows."""
    planes: list[Plane] = []
    for plane in frame.planes[:count]:
        width = plane.width * np.dtype(dtype).itemsize
        planes.append(np.ascontiguousarray(plane_rows(plane)[:, :width]).view(dtype))
    return planes


def packed_rgb(frame: VideoFrame) -> NDArray[np.uint8]:
    """A copy (H, W, 3) of an rgb24 frame."""
    packed = plane_rows(frame.planes[0])[:, : 3 * frame.width]
    return np.array(packed).reshape(frame.height, frame.width, 3)


def to_picture(frame: VideoFrame, plan: Conversion, full_range: bool, pts: int, duration: int) -> Picture:
    """One 4:2:0 picture from a decoded frame of the format that ``plan`` is for."""
    dtype = sample_type(plan.bit_depth)
    if plan.kind == "gray":
        return _from_gray(frame, plan, pts, duration)
    if plan.kind != "verbatim":
        frame = _to_420(frame, plan, full_range)
    y, u, v = frame_planes(frame, 3, dtype)
    return Picture(y, u, v, pts, duration)


def _to_420(frame: VideoFrame, plan: Conversion, full_range: bool) -> VideoFrame:
    target = pixel_format_name(plan.bit_depth)
    if plan.kind == "rgb":
        return reformat(
            frame, target, src_range=ColorRange.JPEG, dst_range=ColorRange.MPEG, dst_space=Colorspace.ITU709
        )
    # the same range and matrix on both sides: chroma is resampled and nothing else happens
    same = ColorRange.JPEG if full_range else ColorRange.MPEG
    return reformat(frame, target, src_range=same, dst_range=same)


def _from_gray(frame: VideoFrame, plan: Conversion, pts: int, duration: int) -> Picture:
    wanted = "gray" if plan.bit_depth == 8 else "gray10le"
    if frame.format.name != wanted:
        frame = reformat(frame, wanted, src_range=ColorRange.JPEG, dst_range=ColorRange.JPEG)
    dtype = sample_type(plan.bit_depth)
    (y,) = frame_planes(frame, 1, dtype)
    chroma = np.full((-(-y.shape[0] // 2), -(-y.shape[1] // 2)), 1 << (plan.bit_depth - 1), dtype)
    return Picture(y, chroma, chroma.copy(), pts, duration)


def reformat(
    frame: VideoFrame,
    target: str,
    *,
    src_range: ColorRange,
    dst_range: ColorRange,
    src_space: int | None = None,
    dst_space: int | None = None,
) -> VideoFrame:
    """swscale with the project's flags; the size stays."""
    scaler: VideoReformatter | None = getattr(_thread, "scaler", None)
    if scaler is None:
        scaler = _thread.scaler = VideoReformatter()
    return scaler.reformat(
        frame,
        format=target,
        interpolation=SCALER,
        src_color_range=src_range,
        dst_color_range=dst_range,
        src_colorspace=src_space,
        dst_colorspace=dst_space,
        threads=1,
    )


def frame_from_planes(planes: tuple[Plane, ...] | list[Plane], pixel_format: str) -> VideoFrame:
    """A frame that owns copies of ``planes``; the first plane gives the size."""
    height, width = planes[0].shape
    frame = VideoFrame(width, height, pixel_format)
    for target, plane in zip(frame.planes, planes, strict=True):
        data = np.ascontiguousarray(plane).view(np.uint8)
        plane_rows(target)[:, : data.shape[1]] = data
    return frame
