"""The one picture type that passes between files and codecs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat

Plane = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass
class Picture:
    """One planar YUV 4:2:0 picture.

    ``y`` is (H, W), ``u`` and ``v`` are (ceil(H/2), ceil(W/2)); uint8 at bit depth 8, uint16 at 10. ``rgb`` is
    what the source showed before it became 4:2:0, (H, W, 3), only where a Reader was asked for it.
    """

    y: Plane
    u: Plane
    v: Plane
    pts: int = 0  # ticks of VideoFormat.timebase
    duration: int = 0  # ticks, 0 = unknown
    rgb: NDArray[np.uint8] | None = None

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        return self.y, self.u, self.v


def sample_type(bit_depth: int) -> type[np.uint8] | type[np.uint16]:
    """The NumPy type that holds a sample of this bit depth."""
    return np.uint8 if bit_depth <= 8 else np.uint16


def check_picture(picture: Picture, fmt: VideoFormat) -> None:
    """Raise UsageError unless the planes have the shapes and the type that ``fmt`` says."""
    chroma = (fmt.chroma_height, fmt.chroma_width)
    wanted = ((fmt.height, fmt.width), chroma, chroma)
    dtype = sample_type(fmt.bit_depth)
    for name, plane, shape in zip("yuv", picture.planes, wanted, strict=True):
        if plane.shape != shape or plane.dtype != dtype:
            raise UsageError(f"plane {name} is {plane.dtype} {plane.shape}, the format wants {np.dtype(dtype)} {shape}")
