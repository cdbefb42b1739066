"""Types of the native module (cuda_ext/native_module.cpp)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

def crc32c(data: Buffer, value: int = 0) -> int: ...

class TableSet:
    def __init__(
        self, cumulative: NDArray[np.uint16], offsets: NDArray[np.uint32], raw_bits: NDArray[np.uint8]
    ) -> None: ...

def simd_names() -> list[str]: ...
def encode_segment(
    values: NDArray[Any],
    indices: NDArray[Any],
    tables: TableSet,
    lanes_log2: int,
    chunk_symbols: int,
    threads: int = 1,
    simd: str = "",
) -> bytes: ...
def decode_segment(
    data: Buffer, indices: NDArray[Any], tables: TableSet, values: NDArray[Any], threads: int = 1, simd: str = ""
) -> None: ...
def encode_chain(values: NDArray[np.int32], indices: NDArray[np.uint16], tables: TableSet) -> bytes: ...

class LaneBench:
    def __init__(
        self,
        symbols: NDArray[np.uint8],
        indices: NDArray[np.uint8],
        tables: TableSet,
        chunk_symbols: int,
        simd: str,
    ) -> None: ...
    def encode(self) -> None: ...
    def decode(self) -> None: ...
    def matches(self) -> bool: ...
    def coded(self) -> int: ...
    def bits(self) -> float: ...

def clock_probe() -> float: ...

class ChainDecoder:
    def __init__(self, data: Buffer, tables: TableSet) -> None: ...
    def decode(self, indices: NDArray[np.uint16], values: NDArray[np.int32]) -> None: ...
    def finish(self) -> None: ...

def warp_plane(
    reference: NDArray[Any], vectors: NDArray[np.int16], chroma: bool, bit_depth: int, out: NDArray[Any]
) -> None: ...
def encode_motion(
    vectors: NDArray[np.int16], previous: NDArray[np.int16] | None, width: int, height: int, tables: TableSet
) -> bytes: ...
def decode_motion(
    data: bytes,
    previous: NDArray[np.int16] | None,
    width: int,
    height: int,
    tables: TableSet,
    out: NDArray[np.int16],
) -> None: ...
def cell_difference(a: NDArray[np.uint8], b: NDArray[np.uint8], slow: bool) -> int: ...
def search_motion(
    current: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    weight: float,
    previous: NDArray[np.int16] | None,
    start: NDArray[np.int16] | None,
    threads: int,
    out: NDArray[np.int16],
) -> None: ...
