"""CRC32C (Castagnoli), SPEC.md section 1: the native routine where it is built, else its plain twin."""

from __future__ import annotations

from collections.abc import Callable

POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41, bits reversed


def _make_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _make_table()


def crc32c_python(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """CRC32C of ``data``, going on from ``value`` (the CRC of the bytes before, 0 at the start)."""
    table = _TABLE
    crc = value ^ 0xFFFFFFFF
    for byte in bytes(data):
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _choose() -> Callable[[bytes, int], int]:
    try:
        from nvcodec import _native
    except ImportError:
        return crc32c_python
    native: Callable[[bytes, int], int] | None = getattr(_native, "crc32c", None)
    return native or crc32c_python


_implementation = _choose()


def crc32c(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """CRC32C of ``data``, going on from ``value``; 0xE3069283 for ``b"123456789"``."""
    return _implementation(bytes(data), value)
