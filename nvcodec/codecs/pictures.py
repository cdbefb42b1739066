"""The hash of decoded pictures that a group carries (bitstream/SPEC.md, picture hash)."""

from __future__ import annotations

import hashlib

import numpy as np

from nvcodec.codecs.base import Planes


class PictureHash:
    """8 bytes: BLAKE2b over Y, U and V of each frame in display order, samples little-endian (1 or 2 bytes)."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=8)

    def update(self, planes: Planes) -> None:
        for plane in planes:
            self._digest.update(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).tobytes())

    def digest(self) -> bytes:
        return self._digest.digest()
