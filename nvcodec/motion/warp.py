"""The prediction of a picture from a reference picture and a motion field, equal on every machine.

Quarter samples of luma by filters of 8 taps, eighths of chroma by 4, all in integers; the border is repeated outside
the picture. ``bitstream/MOTION.md`` says it in full. The native kernel and its NumPy twin give the same samples.
"""

from __future__ import annotations

import numpy as np

from nvcodec.entropy import native
from nvcodec.format import Planes
from nvcodec.motion import warp_py
from nvcodec.motion.field import MotionField

if native.AVAILABLE:
    from nvcodec import _native

SAMPLE_TYPES = {8: np.dtype(np.uint8), 10: np.dtype(np.uint16)}


def check_planes(planes: Planes, width: int, height: int, bit_depth: int) -> None:
    """Raises ValueError unless these are the planes of a 4:2:0 picture of this size and depth, 8 or 10 bits."""
    if bit_depth not in SAMPLE_TYPES:
        raise ValueError(f"motion is for pictures of 8 or 10 bits, not {bit_depth}")
    chroma = (-(-height // 2), -(-width // 2))
    for plane, shape in zip(planes, ((height, width), chroma, chroma), strict=True):
        if plane.shape != shape or plane.dtype != SAMPLE_TYPES[bit_depth]:
            raise ValueError(f"a plane is {plane.dtype} {plane.shape}, not {SAMPLE_TYPES[bit_depth]} {shape}")
        if bit_depth == 10 and plane.max() > 1023:
            raise ValueError("a sample of 10 bits is above 1023")


def warp(reference: Planes, field: MotionField, bit_depth: int = 8, *, backend: str = "auto") -> Planes:
    """Predicts a 4:2:0 picture from planes Y (H, W), U and V (ceil(H/2), ceil(W/2)) of the field's size.

    uint8 at 8 bits, uint16 at 10. `backend` is "auto", "native" or "python". Raises ValueError for other planes.
    """
    check_planes(reference, field.width, field.height, bit_depth)
    kernel = _native.warp_plane if native.chosen(backend) else warp_py.warp_plane
    made = []
    for index, plane in enumerate(reference):
        source = np.ascontiguousarray(plane)
        out = np.empty_like(source)
        kernel(source, field.vectors, index > 0, bit_depth, out)
        made.append(out)
    return made[0], made[1], made[2]
