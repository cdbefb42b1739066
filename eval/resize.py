"""Pictures of a size that a benchmark asks for, from a clip of another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.pictures import Pictures, middle
from nvcodec.errors import UsageError
from nvcodec.format import Planes, VideoFormat


def resized(pictures: Pictures, width: int, height: int) -> Pictures:
    """The clip at another size: by a whole factor as far as it goes, then the middle of each picture.

    Shrinking takes means of blocks, enlarging repeats samples. Raises UsageError for a size that is odd.
    """
    if min(width, height) < 2 or width % 2 or height % 2:
        raise UsageError(f"pictures of {width}x{height} have no whole chroma samples: sizes are even")
    fmt = pictures.format
    down = min(fmt.width // width, fmt.height // height)
    up = 1 if down else max(-(-width // fmt.width), -(-height // fmt.height))
    frames = [_shrunk(p, width, height, down) if down else _enlarged(p, width, height, up) for p in pictures.frames]
    facts = {name: getattr(fmt, name) for name in ("bit_depth", "chroma_siting", "colour", "timebase", "frame_rate")}
    return replace(pictures, frames=frames, format=VideoFormat(width, height, **facts))


def _shrunk(planes: Planes, width: int, height: int, factor: int) -> Planes:
    y, u, v = middle(planes, factor * width, factor * height)
    return _means(y, factor), _means(u, factor), _means(v, factor)


def _means(plane: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means of blocks, rounded."""
    rows, columns = plane.shape[0] // factor, plane.shape[1] // factor
    sums = plane.reshape(rows, factor, columns, factor).sum((1, 3), dtype=np.int64)
    return ((sums + factor * factor // 2) // factor**2).astype(plane.dtype)


def _enlarged(planes: Planes, width: int, height: int, factor: int) -> Planes:
    y, u, v = (plane.repeat(factor, 0).repeat(factor, 1) for plane in planes)
    return middle((y, u, v), width, height)
