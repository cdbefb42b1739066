"""CRC32C: check value, the plain twin, going on in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.container.crc import crc32c, crc32c_python


def test_check_value() -> None:
    assert crc32c(b"123456789") == crc32c_python(b"123456789") == 0xE3069283
    assert crc32c(b"") == crc32c_python(b"") == 0
    assert crc32c_python(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c_python(b"\xff" * 32) == 0x62A8AB43


@given(st.binary(max_size=300), st.integers(0, 300))
def test_pieces(data: bytes, cut: int) -> None:
    assert crc32c(data) == crc32c(data[cut:], crc32c(data[:cut])) == crc32c_python(data)


def test_native_twin() -> None:
    native = pytest.importorskip("nvcodec._native")
    for size in (0, 1, 7, 8, 9, 63, 64, 1000):
        data = bytes(i * 37 & 255 for i in range(size))
        assert native.crc32c(data, 0) == crc32c_python(data)
        assert native.crc32c(data, 0x12345678) == crc32c_python(data, 0x12345678)
        assert crc32c(memoryview(data)) == crc32c(bytearray(data)) == crc32c_python(data)
