"""Rates from real file sizes."""

from __future__ import annotations

from nvcodec.errors import UsageError


def bpp(video_bytes: int, width: int, height: int, frames: int) -> float:
    """Bits per pixel: 8 x bytes / (display width x height x frames).

    ``video_bytes`` is the file without passed-through audio and subtitle packets.

    Raises:
        UsageError: a size or the number of frames is not positive, or the bytes are negative.
    """
    if min(width, height, frames) <= 0 or video_bytes < 0:
        raise UsageError(f"no rate for {video_bytes} bytes over {frames} frames of {width}x{height}")
    return 8 * video_bytes / (width * height * frames)
