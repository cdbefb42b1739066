"""The native coder, if it was built. ``AVAILABLE`` tells; without it the package uses the slow Python twin."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.tables import Tables
from nvcodec.errors import UsageError

SIMD_VARIABLE = "NVCODEC_SIMD"
Symbols = NDArray[Any]  # int16 or int32
Indices = NDArray[Any]  # uint8 or uint16

try:
    from nvcodec import _native
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True


def chosen(backend: str) -> bool:
    """True if ``backend`` ("auto", "native" or "python") means the native coder. Raises ValueError if it cannot."""
    if backend not in ("auto", "native", "python"):
        raise ValueError(f"backend must be auto, native or python, not {backend!r}")
    if backend == "native" and not AVAILABLE:
        raise ValueError("the native coder was not built")
    return AVAILABLE and backend != "python"


@lru_cache(maxsize=64)
def _table_set(tables: Tables) -> _native.TableSet:
    return _native.TableSet(tables.cumulative, tables.offsets, tables.raw_bits)


def simd_names() -> list[str]:
    """Instruction sets that the native coder can use here, "scalar" first, the fastest last; none without it."""
    return list(_native.simd_names()) if AVAILABLE else []


def simd_name(wish: str = "") -> str:
    """The instruction set that the coder uses: `wish`, else what NVCODEC_SIMD names, else the fastest.

    Raises :class:`UsageError` for one that this machine does not have.
    """
    names = simd_names()
    chosen = wish or os.environ.get(SIMD_VARIABLE, "") or "auto"
    if chosen != "auto" and chosen not in names:
        whose, known = "" if wish else f" ({SIMD_VARIABLE})", ", ".join(["auto", *names])
        raise UsageError(f"no instruction set {chosen!r}{whose} for the coder here; there are: {known}")
    return names[-1] if chosen == "auto" else chosen


def encode_segment(
    values: Symbols, indices: Indices, tables: Tables, lanes_log2: int, chunk_symbols: int, threads: int, simd: str
) -> bytes:
    """As :func:`nvcodec.entropy.segment_py.encode_segment`, natively; `simd` as in :func:`simd_name`."""
    return _native.encode_segment(
        values, indices, _table_set(tables), lanes_log2, chunk_symbols, threads, simd_name(simd)
    )


def decode_segment(
    data: bytes | memoryview, indices: Indices, tables: Tables, dtype: type[np.signedinteger], threads: int, simd: str
) -> Symbols:
    """As :func:`nvcodec.entropy.segment_py.decode_segment`, natively."""
    values: Symbols = np.empty(len(indices), dtype)
    _native.decode_segment(data, indices, _table_set(tables), values, threads, simd_name(simd))
    return values


def encode_chain(values: NDArray[np.int32], indices: NDArray[np.uint16], tables: Tables) -> bytes:
    """As :func:`nvcodec.entropy.chain_py.encode_chain`, natively."""
    return _native.encode_chain(values, indices, _table_set(tables))


class ChainDecoder:
    """As :class:`nvcodec.entropy.chain_py.ChainDecoder`, natively."""

    def __init__(self, data: bytes | memoryview, tables: Tables) -> None:
        self._chain = _native.ChainDecoder(data, _table_set(tables))

    def decode(self, indices: NDArray[np.uint16]) -> NDArray[np.int32]:
        values = np.empty(len(indices), np.int32)
        self._chain.decode(indices, values)
        return values

    def finish(self) -> None:
        self._chain.finish()


def lane_bench(
    symbols: NDArray[np.uint8], indices: NDArray[np.uint8], tables: Tables, chunk_symbols: int, simd: str
) -> _native.LaneBench:
    """The rANS pass alone over table symbols, for benchmarks."""
    return _native.LaneBench(symbols, indices, _table_set(tables), chunk_symbols, simd)


def clock_probe() -> float:
    """Seconds that a fixed chain of products takes now."""
    return _native.clock_probe()
