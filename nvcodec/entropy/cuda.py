"""Segments coded on a GPU, from tensors that lie there; the bytes are those of :mod:`nvcodec.entropy.segment`.

One warp codes a chunk, so that a segment should have many: 32 or more for a picture's latents. Segments of 1 or 8 lanes
are left to the CPU. ``_cuda`` is loaded at first use.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import torch

from nvcodec.entropy.segment import decode_segment
from nvcodec.entropy.tables import TableFamily, Tables
from nvcodec.errors import FormatError, UsageError

CHUNK_SYMBOLS = 32768  # at 1.4 bit a symbol, states and index are 0.6 % of the bytes
_NARROW = {torch.uint8, torch.uint16}


@lru_cache(maxsize=1)
def _cuda() -> Any:
    """The module, once it is known to be usable. Raises UsageError."""
    try:
        module = import_module("nvcodec._cuda")
    except ImportError:
        raise UsageError(
            "coding on a GPU is not possible: nvcodec was built without CUDA (no nvcc was found)"
        ) from None
    if module.device_count() == 0:
        raise UsageError("coding on a GPU is not possible: there is no CUDA device here")
    return module


def why_not() -> str:
    """Why segments cannot be coded on a GPU here; "" if they can."""
    try:
        _cuda()
    except UsageError as error:
        return str(error)
    return "" if torch.cuda.is_available() else "coding on a GPU is not possible: this build of torch has no CUDA"


@lru_cache(maxsize=64)
def _table_set(tables: Tables, device: int) -> Any:
    return _cuda().CudaTables(tables.cumulative, tables.offsets, tables.raw_bits, device)


def _checked(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """Contiguous, of one dimension, on a GPU. Raises UsageError or TypeError."""
    _cuda()
    if tensor.device.type != "cuda":
        raise UsageError(f"{name} must be on a CUDA device, not on {tensor.device}")
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(
            f"{name} must be a one-dimensional tensor of integers, not {tensor.ndim}-dimensional {tensor.dtype}"
        )
    return tensor.contiguous()


def _as_values(values: torch.Tensor) -> torch.Tensor:
    """int16 or int32; other types are converted. Raises ValueError beyond 32 bits."""
    values = _checked(values, "symbols")
    if values.dtype in (torch.int16, torch.int32):
        return values
    if values.dtype in (torch.int8, torch.uint8):
        return values.to(torch.int16)
    wide = values.to(torch.int64)
    if values.dtype == torch.uint64 and wide.numel() and int(wide.min()) < 0:  # beyond 63 bits
        raise ValueError("a symbol does not fit 32 bits")
    if wide.numel() and not -(2**31) <= int(wide.min()) <= int(wide.max()) < 2**31:
        raise ValueError("a symbol does not fit 32 bits")
    return wide.to(torch.int32)


def _as_indices(indices: torch.Tensor, family: TableFamily) -> torch.Tensor:
    """uint8 or uint16, which the kernels check; others are checked here. Raises FormatError."""
    indices = _checked(indices, "indices")
    if indices.dtype in _NARROW:
        return indices
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < family.size:
        raise FormatError(f"a table index is outside the {family.size} tables of the family")
    return indices.to(torch.int16).view(torch.uint16)


def _pointers(values: torch.Tensor, indices: torch.Tensor) -> tuple[int, int, int, int, int]:
    """Where both lie and how wide they are, as the module takes it. Raises ValueError."""
    if values.shape != indices.shape:
        raise ValueError(f"{values.numel()} symbols need as many table indices, not {indices.numel()}")
    if values.device != indices.device:
        raise UsageError(f"symbols are on {values.device} and table indices on {indices.device}")
    return values.data_ptr(), values.element_size(), indices.data_ptr(), indices.element_size(), values.numel()


def _place(tensor: torch.Tensor, tables: Tables) -> tuple[Any, int, int]:
    """The tables on the tensor's device, its number, and its current stream."""
    device = tensor.get_device()
    return _table_set(tables, device), device, torch.cuda.current_stream(device).cuda_stream


def timed_encode(
    values: torch.Tensor, indices: torch.Tensor, family: TableFamily, chunk_symbols: int, is_timed: bool = True
) -> tuple[bytes, list[float]]:
    """As :func:`encode_segment_cuda`, with the microseconds of each kernel (survey, split, encode, place, pack)."""
    if chunk_symbols < 0:
        raise ValueError("chunk_symbols must not be negative")
    values, indices = _as_values(values), _as_indices(indices, family)
    tables, device, stream = _place(values, family.tables)
    with torch.cuda.device(device):
        data, times = _cuda().encode_segment(
            *_pointers(values, indices), tables, chunk_symbols, device, stream, is_timed
        )
    return data, times


def timed_decode(
    data: bytes, indices: torch.Tensor, family: TableFamily, dtype: torch.dtype, is_timed: bool = True
) -> tuple[torch.Tensor, list[float]]:
    """As :func:`decode_segment_cuda`, with the microseconds of each kernel (survey, decode); none if the CPU did it."""
    if dtype not in (torch.int16, torch.int32):
        raise ValueError("symbols are int16 or int32")
    indices = _as_indices(indices, family)
    values = torch.empty(indices.shape, dtype=dtype, device=indices.device)
    tables, device, stream = _place(values, family.tables)
    with torch.cuda.device(device):
        is_done, times = _cuda().decode_segment(
            bytes(data), *_pointers(values, indices), tables, device, stream, is_timed
        )
    if is_done:
        return values, times
    decoded = decode_segment(data, indices.cpu().numpy(), family, dtype=np.int16 if dtype == torch.int16 else np.int32)
    return values.copy_(torch.from_numpy(decoded)), []


def encode_segment_cuda(
    values: torch.Tensor, indices: torch.Tensor, family: TableFamily, *, chunk_symbols: int = CHUNK_SYMBOLS
) -> bytes:
    """Codes integers `values` (n,) with table ``indices[i]`` of `family` for symbol i, in 32 lanes.

    Both are tensors on one CUDA device; int16 or int32 values and uint8 or uint16 indices are taken as they are.
    `chunk_symbols` is a multiple of 32, or 0 for one chunk. The bytes are those that
    :func:`nvcodec.entropy.segment.encode_segment` writes with ``lanes_log2=5``. Runs in the current stream and waits.
    Raises what that function raises, and UsageError where there is no GPU.
    """
    return timed_encode(values, indices, family, chunk_symbols, is_timed=False)[0]


def decode_segment_cuda(
    data: bytes | memoryview, indices: torch.Tensor, family: TableFamily, *, dtype: torch.dtype = torch.int32
) -> torch.Tensor:
    """The symbols (n,) of a segment coded with `indices` (n,), as a tensor of `dtype` (int32 or int16) on their device.

    Raises what :func:`nvcodec.entropy.segment.decode_segment` raises, and UsageError where there is no GPU.
    """
    return timed_decode(bytes(data), indices, family, dtype, is_timed=False)[0]
