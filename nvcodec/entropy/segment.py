"""Arrays of integers to bytes and back, each symbol under a table chosen by its index.

    index = choose_index(symbols, GGD)
    data = encode_segment(symbols, np.full(symbols.size, index, np.uint16), GGD)

The bytes are specified in ``bitstream/CODER.md``. The native coder and its Python twin write and read the same ones.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy import native, segment_py
from nvcodec.entropy.cost import choose_index, code_length
from nvcodec.entropy.tables import GAUSSIAN, GGD, TableFamily
from nvcodec.errors import FormatError

__all__ = [
    "GAUSSIAN",
    "GGD",
    "TableFamily",
    "choose_index",
    "code_length",
    "decode_segment",
    "encode_segment",
    "plan_layout",
]

LANES_LOG2 = (0, 3, 5)
STATE_BYTES = 3.0  # what a lane costs net: 4 bytes of state, of which one carries information on average
LAYOUT_COST = 0.002  # share of the payload that lanes and chunks may cost when the caller does not choose


def _backend(name: str) -> ModuleType:
    return native if native.chosen(name) else segment_py


def plan_layout(symbols: int, bits: float) -> tuple[int, int]:
    """(lanes_log2, chunk_symbols) for a payload of `bits`: the most parallel layout that costs under 0.2 % of it.

    chunk_symbols 0 means a single chunk.
    """
    budget = LAYOUT_COST * bits / 8
    lanes_log2 = max((log2 for log2 in LANES_LOG2 if STATE_BYTES * (1 << log2) <= budget), default=0)
    chunks = int(budget / (STATE_BYTES * (1 << lanes_log2) + 4)) if lanes_log2 == LANES_LOG2[-1] else 1
    if chunks < 2:
        return lanes_log2, 0
    return lanes_log2, -(-symbols // (chunks * segment_py.CHUNK_UNIT)) * segment_py.CHUNK_UNIT


def as_symbols(symbols: NDArray[np.integer]) -> NDArray[np.int32]:
    """An (n,) array of any integers as int32. Raises TypeError or, for a symbol beyond 32 bits, ValueError."""
    array = np.asarray(symbols)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"symbols must be a one-dimensional integer array, not {array.ndim}-dimensional {array.dtype}")
    if array.dtype != np.int32 and len(array) and (array.min() < -(2**31) or array.max() >= 2**31):
        raise ValueError("a symbol does not fit 32 bits")
    return np.ascontiguousarray(array, np.int32)


def as_indices(indices: NDArray[np.integer], family: TableFamily) -> NDArray[np.uint16]:
    """An (n,) array of table indices as uint16. Raises TypeError or, for an index outside the family, FormatError."""
    array = np.asarray(indices)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"indices must be a one-dimensional integer array, not {array.ndim}-dimensional {array.dtype}")
    if len(array) and not 0 <= array.min() <= array.max() < family.size:
        raise FormatError(f"a table index is outside the {family.size} tables of family {family.name}")
    return np.ascontiguousarray(array, np.uint16)


def encode_segment(
    symbols: NDArray[np.int32],
    indices: NDArray[np.uint16],
    family: TableFamily,
    *,
    lanes_log2: int | None = None,
    chunk_symbols: int | None = None,
    backend: str = "auto",
) -> bytes:
    """Codes `symbols` (n,) with table ``indices[i]`` of `family` for symbol i.

    `lanes_log2` is 0, 3 or 5 (1, 8 or 32 interleaved states), `chunk_symbols` a multiple of 32, or 0 for one chunk;
    what is None is chosen so that it costs under 0.2 % of the bytes. No symbols make no bytes. `backend` is "auto",
    "native" or "python"; the bytes are the same. Raises ValueError for arguments that cannot be coded (a symbol further
    than about 2**23 table symbols out included) and FormatError for an index outside the family.
    """
    values, tables = as_symbols(symbols), as_indices(indices, family)
    if len(values) != len(tables):
        raise ValueError(f"{len(values)} symbols need as many table indices, not {len(tables)}")
    if lanes_log2 is None or chunk_symbols is None:
        lanes, chunk = plan_layout(len(values), code_length(values, tables, family))
        lanes_log2 = lanes if lanes_log2 is None else lanes_log2
        chunk_symbols = chunk if chunk_symbols is None else chunk_symbols
    if chunk_symbols < 0:
        raise ValueError("chunk_symbols must not be negative")
    data: bytes = _backend(backend).encode_segment(values, tables, family.tables, lanes_log2, chunk_symbols)
    return data


def decode_segment(
    data: bytes | memoryview, indices: NDArray[np.uint16], family: TableFamily, *, backend: str = "auto"
) -> NDArray[np.int32]:
    """The symbols, (n,) int32 with n = len(indices), of a segment coded with the same indices and family.

    Raises TruncatedError where bytes are missing, DamagedError where they contradict themselves, FormatError where a
    field is impossible. A damaged segment may also decode to wrong symbols: checksum and symbol hash catch those.
    """
    tables = as_indices(indices, family)
    values: NDArray[np.int32] = _backend(backend).decode_segment(data, tables, family.tables)
    return values
