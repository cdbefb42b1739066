"""The hash of decoded integers that a group of frames carries: equal on every machine, or the stream is damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def symbol_hash(arrays: Iterable[NDArray[np.integer]]) -> bytes:
    """8 bytes: BLAKE2b (RFC 7693, digest of 8 bytes) over each array's length and its values in C order.

    The length is 8 bytes, each value 4, both little-endian. Raises ValueError for a value outside int32.
    """
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        flat = np.asarray(array).reshape(-1)
        values = flat.astype("<i4")
        if not np.array_equal(values, flat):
            raise ValueError("a symbol does not fit 32 bits")
        digest.update(len(values).to_bytes(8, "little"))
        digest.update(values.data)
    return digest.digest()
