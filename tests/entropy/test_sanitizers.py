"""The coder under a memory check: arrays that end where memory ends, and what tools/fuzz_coder.sh starts from.

The whole check, a build with sanitizers that is fuzzed, is ``make fuzz``: it takes minutes and a compiler.
"""

from __future__ import annotations

import ctypes
import importlib.util
import mmap
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nvcodec.entropy import native
from nvcodec.entropy.chain import ChainDecoder
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GAUSSIAN, GGD, TableFamily
from nvcodec.errors import FormatError

ROOT = Path(__file__).resolve().parents[2]
PAGE = mmap.PAGESIZE
KINDS = [(np.uint16, np.int32, True), (np.uint16, np.int16, False), (np.uint8, np.int16, True)]


class Fence:
    """Memory between two pages that must not be touched."""

    def __init__(self) -> None:
        self._protect = ctypes.CDLL(None, use_errno=True).mprotect
        self._protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def copy(self, array: np.ndarray, at_end: bool) -> np.ndarray:
        """A copy that touches the page behind it, or the one before."""
        size = -(-array.nbytes // PAGE) * PAGE
        memory = mmap.mmap(-1, size + 2 * PAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for page in (address, address + PAGE + size):
            assert self._protect(page, PAGE, 0) == 0
        start = PAGE + (size - array.nbytes if at_end else 0)
        out: np.ndarray = np.frombuffer(memory, array.dtype, len(array), start)
        out[:] = array
        return out


def fenced_runs(simd: str) -> None:
    """Codes, decodes and decodes what was cut or changed; ends the process if anything outside is touched."""
    fence, rng, tables = Fence(), np.random.default_rng(1), native._table_set(GGD.tables)
    for count, chunk, last in [(33, 0, 1), (700, 0, 64), (700, 96, 900), (4500, 1120, 200), (5000, 0, 1)]:
        for width, kind, at_end in KINDS:
            indices = rng.integers(0, min(last, 256 if width is np.uint8 else last), count).astype(width)
            values = rng.integers(-300, 300, count).astype(kind)
            at, here = fence.copy(indices, at_end), fence.copy(values, at_end)
            data = native._native.encode_segment(here, at, tables, 5, chunk, 2, simd)
            for length in [len(data), *rng.integers(0, len(data), 12)]:
                part = np.frombuffer(data, np.uint8)[:length].copy()
                part[: length // 9 : 7] ^= np.uint8(length != len(data))
                out = fence.copy(np.zeros(count, kind), at_end)
                try:
                    native._native.decode_segment(fence.copy(part, at_end), at, tables, out, 2, simd)
                except FormatError:
                    continue
                assert length < len(data) or np.array_equal(out, values)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages with mprotect")


@linux
@pytest.mark.parametrize("simd", native.simd_names())
def test_nothing_outside_the_arrays_is_touched(simd: str) -> None:
    code = f"from tests.entropy.test_sanitizers import fenced_runs; fenced_runs({simd!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@linux
def test_a_fence_ends_the_process() -> None:
    code = (
        "import ctypes, numpy as np; from tests.entropy.test_sanitizers import Fence\n"
        "ctypes.string_at(Fence().copy(np.zeros(8, np.uint8), True).ctypes.data, 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode < 0


def corpus() -> Any:
    """tools/coder_corpus.py as a module."""
    spec = importlib.util.spec_from_file_location("coder_corpus", ROOT / "tools" / "coder_corpus.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed_inputs(tools: Any) -> Iterator[tuple[str, bytes]]:
    for maker in (tools.examples(), tools.layouts(1), tools.layouts(33), tools.layouts(70)):
        yield from maker


def test_the_fuzzer_starts_from_what_decodes() -> None:
    tools = corpus()
    inputs = dict(listed_inputs(tools))
    assert len(inputs) == 4 + 3 * 9
    for name, data in inputs.items():
        count = int.from_bytes(data[6:8], "little")
        family: TableFamily = [GAUSSIAN, GGD][data[1] & 3]
        indices = np.frombuffer(data, "<u2", count, 9)
        payload = data[9 + 2 * count :]
        if data[0] & tools.CHAIN:
            decoder = ChainDecoder(payload, family)
            decoder.decode(indices)
            decoder.finish()
        else:
            values = decode_segment(payload, indices, family)
            if not name.startswith("example"):
                layout = {"lanes_log2": payload[0] & 7, "chunk_symbols": 32 * payload[1] if payload[0] & 8 else 0}
                assert encode_segment(values, indices, family, **layout) == payload


def test_without_sanitizers_nothing_is_fuzzed_and_that_is_said() -> None:
    command, environment = ["sh", "tools/fuzz_coder.sh", "vectors"], {"PATH": "/usr/bin:/bin", "CXX": "false"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 77 and "skipped" in done.stderr
