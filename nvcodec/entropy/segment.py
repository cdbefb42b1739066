"""Arrays of integers to bytes and back, each symbol under a table chosen by its index.

    index = choose_index(symbols, GGD)
    data = encode_segment(symbols, np.full(symbols.size, index, np.uint16), GGD)

The bytes are specified in ``bitstream/CODER.md``. The native coder and its Python twin write and read the same ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nvcodec.entropy import native, segment_py
from nvcodec.entropy.cost import choose_index, code_length, estimate_length
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
    "estimate_length",
    "plan_layout",
]

LANES_LOG2 = (0, 3, 5)
STATE_BYTES = 3.0  # what a lane costs net: 4 bytes of state, of which one carries information on average
LAYOUT_COST = 0.002  # share of the payload that lanes and chunks may cost when the caller does not choose


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


def _integers(array: ArrayLike, name: str) -> NDArray[np.integer]:
    """One dimension of integers; a CPU tensor is seen in place. Raises TypeError."""
    seen = np.asarray(array)
    if seen.ndim != 1 or seen.dtype.kind not in "iu":
        raise TypeError(f"{name} must be a one-dimensional integer array, not {seen.ndim}-dimensional {seen.dtype}")
    return seen


def as_symbols(symbols: ArrayLike) -> native.Symbols:
    """(n,) integers as int16 if their type fits it, else as int32. Raises TypeError or, beyond 32 bits, ValueError."""
    array = _integers(symbols, "symbols")
    if array.dtype in (np.int16, np.int8, np.uint8):
        return np.ascontiguousarray(array, np.int16)
    if array.dtype != np.int32 and len(array) and (array.min() < -(2**31) or array.max() >= 2**31):
        raise ValueError("a symbol does not fit 32 bits")
    return np.ascontiguousarray(array, np.int32)


def as_indices(indices: ArrayLike, family: TableFamily, *, checked: bool = True) -> native.Indices:
    """(n,) table indices as uint8 or uint16. Raises TypeError or, for an index outside the family, FormatError.

    What has one of these types is left for the native coder to check if it is not to be `checked`.
    """
    array = _integers(indices, "indices")
    looks = len(array) > 0 and (checked or array.dtype not in (np.uint8, np.uint16))
    if looks and not 0 <= array.min() <= array.max() < family.size:
        raise FormatError(f"a table index is outside the {family.size} tables of the family")
    return np.ascontiguousarray(array, np.uint8 if array.dtype == np.uint8 else np.uint16)


def _check_layout(lanes_log2: int, chunk_symbols: int) -> None:
    if lanes_log2 not in LANES_LOG2:
        raise ValueError(f"lanes_log2 must be 0, 3 or 5, not {lanes_log2}")
    if not 0 <= chunk_symbols < 1 << 37 or chunk_symbols % segment_py.CHUNK_UNIT:
        raise ValueError(f"chunk_symbols must be a multiple of {segment_py.CHUNK_UNIT}, or 0, not {chunk_symbols}")


def _check_threads(threads: int) -> None:
    if not 1 <= threads < 1 << 63:
        raise ValueError(f"threads must be at least 1, not {threads}")


def encode_segment(
    symbols: ArrayLike,
    indices: ArrayLike,
    family: TableFamily,
    *,
    lanes_log2: int | None = None,
    chunk_symbols: int | None = None,
    threads: int = 1,
    backend: str = "auto",
    simd: str = "",
) -> bytes:
    """Codes `symbols` (n,) with table ``indices[i]`` of `family` for symbol i; arrays or tensors of integers.

    `lanes_log2` is 0, 3 or 5 (1, 8 or 32 interleaved states), `chunk_symbols` a multiple of 32, or 0 for one chunk;
    what is None is chosen so that it costs under 0.2 % of the bytes. No symbols make no bytes. int16 symbols and uint8
    indices are fastest; `threads` share the chunks. `backend` is "auto", "native" or "python", `simd` one of
    ``native.simd_names()`` or "" for the fastest (or what NVCODEC_SIMD names); the bytes are always the same.
    No other thread may change the arrays meanwhile. Tensors on a GPU: :mod:`nvcodec.entropy.cuda`.
    Raises TypeError for arrays that are not of integers or of one dimension, ValueError for arguments that cannot be
    coded (a symbol further than about 2**23 table symbols out included), FormatError for an index outside the family
    and UsageError for an instruction set that is not here.
    """
    is_native, is_planned = native.chosen(backend), lanes_log2 is not None and chunk_symbols is not None
    values, tables = as_symbols(symbols), as_indices(indices, family, checked=not (is_native and is_planned))
    if len(values) != len(tables):
        raise ValueError(f"{len(values)} symbols need as many table indices, not {len(tables)}")
    if lanes_log2 is None or chunk_symbols is None:
        lanes, chunk = plan_layout(len(values), estimate_length(values, tables, family))
        lanes_log2 = lanes if lanes_log2 is None else lanes_log2
        chunk_symbols = chunk if chunk_symbols is None else chunk_symbols
    _check_layout(lanes_log2, chunk_symbols)
    _check_threads(threads)
    if not is_native:
        return segment_py.encode_segment(values, tables, family.tables, lanes_log2, chunk_symbols)
    return native.encode_segment(values, tables, family.tables, lanes_log2, chunk_symbols, threads, simd)


def decode_segment(
    data: bytes | memoryview,
    indices: ArrayLike,
    family: TableFamily,
    *,
    dtype: type[np.signedinteger] = np.int32,
    threads: int = 1,
    backend: str = "auto",
    simd: str = "",
) -> native.Symbols:
    """The symbols, (n,) of `dtype` (int32 or int16) with n = len(indices), of a segment coded with these indices.

    No other thread may change the arrays meanwhile.
    Raises TruncatedError where bytes are missing, DamagedError where they contradict themselves or a symbol does not
    fit `dtype`, FormatError where a field is impossible. A damaged segment may also decode to wrong symbols: checksum
    and symbol hash catch those.
    """
    if dtype not in (np.int16, np.int32):
        raise ValueError("symbols are int16 or int32")
    _check_threads(threads)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a segment is bytes or a memoryview, not {type(data).__name__}")
    if isinstance(data, memoryview) and not data.c_contiguous:
        data = data.tobytes()
    is_native = native.chosen(backend)
    tables = as_indices(indices, family, checked=not is_native)
    if not is_native:
        return segment_py.decode_segment(data, tables, family.tables, dtype)
    return native.decode_segment(data, tables, family.tables, dtype, threads, simd)
