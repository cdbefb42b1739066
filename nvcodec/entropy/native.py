"""The native coder, if it was built. ``AVAILABLE`` tells; without it the package uses the slow Python twin."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.tables import Tables

try:
    from nvcodec import _native
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True


@lru_cache(maxsize=64)
def _table_set(tables: Tables) -> _native.TableSet:
    return _native.TableSet(tables.cumulative, tables.offsets, tables.raw_bits)


def encode_segment(
    values: NDArray[np.int32], indices: NDArray[np.uint16], tables: Tables, lanes_log2: int, chunk_symbols: int
) -> bytes:
    """As :func:`nvcodec.entropy.segment_py.encode_segment`, natively."""
    return _native.encode_segment(values, indices, _table_set(tables), lanes_log2, chunk_symbols)


def decode_segment(data: bytes | memoryview, indices: NDArray[np.uint16], tables: Tables) -> NDArray[np.int32]:
    """As :func:`nvcodec.entropy.segment_py.decode_segment`, natively."""
    values = np.empty(len(indices), np.int32)
    _native.decode_segment(data, indices, _table_set(tables), values)
    return values
