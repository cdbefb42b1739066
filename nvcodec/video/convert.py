"""Pictures to RGB and back, for metrics, previews and the Python API.

The stream's own matrix and range are used. Where the matrix is unspecified, or is one that swscale
does not know, BT.709 is taken for pictures higher than 576 lines and BT.601 for the others.
"""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat
from nvcodec.video.picture import Picture, check_picture, sample_type
from nvcodec.video.pixels import (
    Conversion,
    frame_from_planes,
    frame_planes,
    packed_rgb,
    pixel_format_name,
    reformat,
)

# matrix code point of H.273 -> swscale's table
_SPACES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


def conversion_matrix(fmt: VideoFormat) -> int:
    """The H.273 matrix that conversion uses: the stream's, or the guess by height (1 or 6)."""
    if fmt.colour.matrix in _SPACES:
        return fmt.colour.matrix
    return 1 if fmt.height > 576 else 6


def yuv420_to_rgb(picture: Picture, fmt: VideoFormat) -> NDArray[np.uint8]:
    """RGB of shape (H, W, 3), uint8 and full range, also for 10-bit pictures."""
    check_picture(picture, fmt)
    frame = frame_from_planes(picture.planes, pixel_format_name(fmt.bit_depth))
    rgb = reformat(
        frame, "rgb24", src_range=_range(fmt), dst_range=ColorRange.JPEG, src_space=_SPACES[conversion_matrix(fmt)]
    )
    return packed_rgb(rgb)


def source_rgb(frame: VideoFrame, plan: Conversion, fmt: VideoFormat) -> NDArray[np.uint8] | None:
    """RGB (H, W, 3), uint8 and full range, of a decoded frame in its own pixel format, before it becomes ``fmt``.

    8-bit RGB is copied; YUV with more chroma or more bits than 4:2:0 keeps is converted with its own matrix and
    range, chroma by bicubic scaling. None where 4:2:0 loses nothing (4:2:0 of 8 or 10 bits, grey): the RGB of
    the picture itself is then that of the source.
    """
    if plan.kind == "rgb":
        return packed_rgb(reformat(frame, "rgb24", src_range=ColorRange.JPEG, dst_range=ColorRange.JPEG))
    if plan.kind == "chroma":
        space = _SPACES[conversion_matrix(fmt)]
        return packed_rgb(reformat(frame, "rgb24", src_range=_range(fmt), dst_range=ColorRange.JPEG, src_space=space))
    return None


def rgb_to_yuv420(rgb: NDArray[np.uint8], fmt: VideoFormat, pts: int = 0, duration: int = 0) -> Picture:
    """A picture of ``fmt`` from full-range RGB of shape (H, W, 3), uint8."""
    if rgb.dtype != np.uint8 or rgb.shape != (fmt.height, fmt.width, 3):
        raise UsageError(f"RGB is {rgb.dtype} {rgb.shape}, wanted uint8 {(fmt.height, fmt.width, 3)}")
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    target = pixel_format_name(fmt.bit_depth)
    yuv = reformat(
        frame, target, src_range=ColorRange.JPEG, dst_range=_range(fmt), dst_space=_SPACES[conversion_matrix(fmt)]
    )
    y, u, v = frame_planes(yuv, 3, sample_type(fmt.bit_depth))
    return Picture(y, u, v, pts, duration)


def _range(fmt: VideoFormat) -> ColorRange:
    return ColorRange.JPEG if fmt.colour.full_range else ColorRange.MPEG
