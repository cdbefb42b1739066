"""The coder on a GPU: the scalar coder's bytes, symbols and errors. Where there is no GPU, that it says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nvcodec.entropy import native
from nvcodec.entropy.bench_cuda import rows
from nvcodec.entropy.cuda import decode_segment_cuda, encode_segment_cuda, why_not
from nvcodec.entropy.segment import GAUSSIAN, GGD, TableFamily, decode_segment, encode_segment
from nvcodec.errors import FormatError, NvcodecError, UsageError

if not native.AVAILABLE:
    pytest.skip("the native coder was not built", allow_module_level=True)
from tests.entropy.test_warp import EACH_FAMILY, SIZES, chunkings, sample, scalar_decode, scalar_encode, small_segment

NATIVE = Path(__file__).resolve().parents[2] / "cuda_ext"
GPU = pytest.mark.skipif(why_not() != "", reason=why_not() or "-")


def on_gpu(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).cuda()


def test_without_a_gpu_it_says_so() -> None:
    tensor = torch.zeros(4, dtype=torch.int16)
    with pytest.raises(UsageError, match="GPU is not possible" if why_not() else "must be on a CUDA device"):
        encode_segment_cuda(tensor, tensor, GAUSSIAN)
    with pytest.raises(UsageError, match="GPU is not possible" if why_not() else "must be on a CUDA device"):
        decode_segment_cuda(b"", tensor, GAUSSIAN)
    if why_not():
        with pytest.raises(UsageError, match="GPU is not possible"):
            next(rows())


def test_without_the_module_it_says_so() -> None:
    script = "import sys; sys.modules['nvcodec._cuda'] = None; from nvcodec.entropy import cuda; print(cuda.why_not())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "built without CUDA" in done.stdout


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc here")
def test_the_module_that_was_built_imports() -> None:
    """Compiling it for sm_80 and sm_90 is a part of the build wherever nvcc is found."""
    module = pytest.importorskip("nvcodec._cuda", reason="the package was built before nvcc was there")
    assert module.device_count() == torch.cuda.device_count()
    assert callable(module.encode_segment) and callable(module.decode_segment)


def test_the_build_compiles_it_for_both_architectures() -> None:
    text = (NATIVE.parent / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "80-real 90" in text and "cuda_ext/coder_cuda.cu" in text


@GPU
@EACH_FAMILY
@pytest.mark.parametrize("count", SIZES)
def test_bytes_and_symbols(family: TableFamily, count: int) -> None:
    values, indices = sample(family, count, seed=count)
    for chunk_symbols in chunkings(count):
        data = scalar_encode(values, indices, family, chunk_symbols)
        assert encode_segment_cuda(on_gpu(values), on_gpu(indices), family, chunk_symbols=chunk_symbols) == data
        decoded = decode_segment_cuda(data, on_gpu(indices), family)
        assert decoded.is_cuda and np.array_equal(decoded.cpu().numpy(), values)


@GPU
@pytest.mark.parametrize("value_type", [np.int16, np.int32])
@pytest.mark.parametrize("index_type", [np.uint8, np.uint16, np.int64])
def test_types(value_type: type, index_type: type) -> None:
    values, indices = sample(GAUSSIAN, 300_000)
    values, indices = np.clip(values, -(2**15), 2**15 - 1).astype(value_type), indices.astype(index_type)
    data = scalar_encode(values, indices, GAUSSIAN, 4096)
    assert encode_segment_cuda(on_gpu(values), on_gpu(indices), GAUSSIAN, chunk_symbols=4096) == data
    dtype = torch.int16 if value_type == np.int16 else torch.int32
    decoded = decode_segment_cuda(data, on_gpu(indices), GAUSSIAN, dtype=dtype)
    assert decoded.dtype == dtype and np.array_equal(decoded.cpu().numpy(), values)


@GPU
def test_a_large_segment_and_a_stream_of_its_own() -> None:
    values, indices = sample(GAUSSIAN, 8_000_000)
    with torch.cuda.stream(torch.cuda.Stream()):
        device_values, device_indices = on_gpu(values), on_gpu(indices)
        data = encode_segment_cuda(device_values, device_indices, GAUSSIAN)
        decoded = decode_segment_cuda(data, device_indices, GAUSSIAN)
        assert torch.equal(decoded, device_values)
    assert data == encode_segment(values, indices, GAUSSIAN, lanes_log2=5, chunk_symbols=32768)


@GPU
@pytest.mark.parametrize("lanes_log2", [0, 3])
def test_fewer_lanes_go_to_the_cpu(lanes_log2: int) -> None:
    values, indices = sample(GGD, 1000)
    data = encode_segment(values, indices, GGD, lanes_log2=lanes_log2, chunk_symbols=0)
    assert np.array_equal(decode_segment_cuda(data, on_gpu(indices), GGD).cpu().numpy(), values)


@GPU
def test_what_cannot_be_coded() -> None:
    values, indices = on_gpu(np.zeros(100, np.int32)), on_gpu(np.zeros(100, np.uint8))
    assert encode_segment_cuda(values[:0], indices[:0], GAUSSIAN) == b""
    with pytest.raises(ValueError, match="too far out"):
        encode_segment_cuda(values + 2**30, indices, GAUSSIAN)
    with pytest.raises(ValueError):
        encode_segment_cuda(values, indices[:50], GAUSSIAN)
    with pytest.raises(TypeError):
        encode_segment_cuda(values.float(), indices, GAUSSIAN)
    for wrong in (indices + 64, indices.to(torch.int64) - 1):
        with pytest.raises(FormatError, match="outside the 64 tables"):
            encode_segment_cuda(values, wrong, GAUSSIAN)
        with pytest.raises(FormatError, match="outside the 64 tables"):
            decode_segment_cuda(encode_segment_cuda(values, indices, GAUSSIAN), wrong, GAUSSIAN)


def _outcome(data: bytes, indices: np.ndarray, device_indices: torch.Tensor | None) -> str | list[int]:
    try:
        if device_indices is None:
            return scalar_decode(data, indices, GGD).tolist()
        return decode_segment_cuda(data, device_indices, GGD).tolist()
    except NvcodecError as error:
        return f"{type(error).__name__}: {error}"


@GPU
@pytest.mark.parametrize("chunk_symbols", [0, 32])
def test_damage(chunk_symbols: int) -> None:
    data, indices, values = small_segment(chunk_symbols)
    device_indices = on_gpu(indices)
    assert _outcome(data, indices, device_indices) == values
    flips = [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    for damaged in flips + [data[:length] for length in range(len(data))]:
        assert _outcome(damaged, indices, device_indices) == _outcome(damaged, indices, None)


@GPU
def test_the_cpu_reads_what_the_gpu_writes_of_many_chunks() -> None:
    values, indices = sample(GGD, 200_000)
    data = encode_segment_cuda(on_gpu(values), on_gpu(indices), GGD, chunk_symbols=32)
    assert np.array_equal(decode_segment(data, indices, GGD), values)
