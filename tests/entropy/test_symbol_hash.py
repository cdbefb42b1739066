"""The symbol hash against its definition, and the native checksum against its published check values."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from nvcodec.entropy.symbols import symbol_hash


def test_definition() -> None:
    content = struct.pack("<Q3i", 3, 1, -2, 2**31 - 1) + struct.pack("<Q", 0)
    arrays = [np.array([1, -2, 2**31 - 1], np.int32), np.empty(0, np.int32)]
    assert symbol_hash(arrays) == hashlib.blake2b(content, digest_size=8).digest()


def test_type_and_memory_layout_do_not_matter_but_borders_do() -> None:
    values = np.arange(12, dtype=np.int32)
    expected = symbol_hash([values])
    assert symbol_hash([values.astype(np.int64)]) == expected == symbol_hash([values.astype(">i4").reshape(3, 4)])
    assert symbol_hash([np.repeat(values, 2)[::2]]) == expected
    assert symbol_hash([values[:6], values[6:]]) != expected
    with pytest.raises(ValueError):
        symbol_hash([np.array([2**31])])


def test_crc32c() -> None:
    native = pytest.importorskip("nvcodec._native")
    vectors = {  # RFC 3720, appendix B.4, and the usual check string
        b"123456789": 0xE3069283,
        bytes(32): 0x8A9136AA,
        b"\xff" * 32: 0x62A8AB43,
        bytes(range(32)): 0x46DD794E,
        bytes(range(31, -1, -1)): 0x113FDB5C,
        b"": 0,
    }
    for data, expected in vectors.items():
        assert native.crc32c(data) == expected
        for cut in range(len(data) + 1):
            assert native.crc32c(memoryview(data)[cut:], native.crc32c(bytearray(data[:cut]))) == expected
    with pytest.raises(TypeError):
        native.crc32c("text")
