"""Numbers and strings inside a payload: a bounds-checked cursor to read them, functions to write them.

Notation of SPEC.md section 1: ``uv`` and ``sv`` are variable-length integers, ``str`` and ``bytes`` carry their length.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction

from nvcodec.errors import FormatError, UnsupportedError

U63_MAX = (1 << 63) - 1
TIME_BOUND = 1 << 62  # timestamps lie strictly inside (-TIME_BOUND, TIME_BOUND)


class Cursor:
    """Reads fields of ``data`` one after the other; every read past its end is a :class:`FormatError`."""

    def __init__(self, data: bytes, what: str, newer: bool = False) -> None:
        self.data = data
        self.what = what
        self.newer = newer  # the stream is of a later minor version
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def fail(self, message: str) -> FormatError:
        return FormatError(f"{self.what}: {message}")

    def reserved(self, message: str) -> FormatError:
        """The error for a reserved value: a later minor version may have given it a meaning."""
        return UnsupportedError(f"{self.what}: {message}") if self.newer else self.fail(message)

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise self.fail(f"a field of {count} bytes with {self.left} bytes left")
        self.at += count
        return self.data[self.at - count : self.at]

    def unpack(self, form: str) -> tuple[int, ...]:
        """Fixed-size little-endian integers, in :mod:`struct`'s letters."""
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def u8(self) -> int:
        return self.take(1)[0]

    def uv(self, most: int = U63_MAX, least: int = 0, name: str = "a number") -> int:
        """An unsigned variable-length integer within ``least..most``, in its shortest form."""
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift == 63:
                raise self.fail(f"{name} is longer than 9 bytes")
        if byte == 0 and shift > 7:
            raise self.fail(f"{name} is not in its shortest form")
        if not least <= value <= most:
            raise self.fail(f"{name} is {value}, outside {least}..{most}")
        return value

    def sv(self) -> int:
        """A signed variable-length integer."""
        value = self.uv()
        return (value >> 1) ^ -(value & 1)

    def blob(self, most: int, name: str) -> bytes:
        return self.take(self.uv(most, name=f"the length of {name}"))

    def text(self, most: int, name: str) -> str:
        try:
            return self.blob(most, name).decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(f"{name} is not UTF-8") from None

    def fraction(self, name: str, zero: bool = False) -> Fraction:
        """Two u32 in lowest terms; 0/1 only where ``zero``."""
        top, bottom = self.unpack("II")
        if bottom == 0 or math.gcd(top, bottom) != 1 or (top == 0 and not zero):
            raise self.fail(f"{name} is {top}/{bottom}, which is forbidden")
        return Fraction(top, bottom)

    def time(self, value: int) -> int:
        if not -TIME_BOUND < value < TIME_BOUND:
            raise self.fail("a timestamp is out of range")
        return value

    def finish(self) -> None:
        """All bytes must be used up, unless the stream is newer than this reader."""
        if self.left and not self.newer:
            raise self.fail(f"{self.left} bytes too many")


def uv(value: int) -> bytes:
    """``value`` (0 to 2^63-1) as a variable-length integer."""
    if not 0 <= value <= U63_MAX:
        raise FormatError(f"{value} cannot be written: numbers run from 0 to 2^63-1")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sv(value: int) -> bytes:
    """A signed ``value`` as a variable-length integer."""
    return uv(value << 1 if value >= 0 else (-value << 1) - 1)


def blob(data: bytes, most: int, name: str) -> bytes:
    if len(data) > most:
        raise FormatError(f"{name} has {len(data)} bytes, the format allows {most}")
    return uv(len(data)) + data


def text(value: str, most: int, name: str) -> bytes:
    return blob(value.encode("utf-8"), most, name)


def fraction(value: Fraction, name: str, zero: bool = False) -> bytes:
    """``value`` as two u32; raises :class:`FormatError` if it is negative, too fine, or 0 and not allowed to be."""
    top, bottom = value.numerator, value.denominator
    if not (0 if zero else 1) <= top < 1 << 32 or bottom >= 1 << 32:
        raise FormatError(f"{name} is {value}, which the format cannot hold")
    return struct.pack("<II", top, bottom)


def check_time(value: int) -> int:
    if not -TIME_BOUND < value < TIME_BOUND:
        raise FormatError(f"timestamp {value} is out of range")
    return value
