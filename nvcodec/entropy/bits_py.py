"""Bit strings, first bit in the lowest bit of the first byte, and Exp-Golomb codes (ITU-T H.264 9.1, order k)."""

from __future__ import annotations

from typing import Protocol

from nvcodec.errors import DamagedError

MAX_PREFIX = 20  # longest unary part of an Exp-Golomb code


class BitSource(Protocol):
    """What bits can be taken from."""

    def take(self, count: int) -> int: ...


class BitWriter:
    """Collects bits, lowest first."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._pending = 0
        self._filled = 0

    def put(self, value: int, count: int) -> None:
        """Appends the `count` low bits of `value`, which must be below 2**count."""
        self._pending |= value << self._filled
        self._filled += count
        while self._filled >= 8:
            self._bytes.append(self._pending & 0xFF)
            self._pending >>= 8
            self._filled -= 8

    def finish(self) -> bytes:
        """The bytes so far, the last one padded with zero bits."""
        if self._filled:
            self.put(0, 8 - self._filled)
        return bytes(self._bytes)


class BitReader:
    """Takes bits from bit `start` of `data` on, which lies within it or at its end."""

    def __init__(self, data: bytes, start: int, name: str = "the raw and escape bits of a segment") -> None:
        self._data = data
        self._position = start
        self._name = name

    def take(self, count: int) -> int:
        """The next `count` bits. Raises DamagedError past the end."""
        end = self._position + count
        if end > 8 * len(self._data):
            raise DamagedError(f"{self._name} run out")
        window = int.from_bytes(self._data[self._position >> 3 : (end + 7) >> 3], "little")
        value = window >> (self._position & 7) & ((1 << count) - 1)
        self._position = end
        return value

    def finish(self) -> int:
        """Bytes taken. Raises DamagedError unless the last one is padded with zeros."""
        padding = -self._position % 8
        if self.take(padding):
            raise DamagedError(f"{self._name} are not padded with zeros")
        return self._position >> 3

    def only_padding_left(self) -> bool:
        """True if less than a byte is left and all of it is zero."""
        left = 8 * len(self._data) - self._position
        return left < 8 and self.take(left) == 0


def put_exp_golomb(bits: BitWriter, value: int, order: int) -> None:
    """The prefix in unary (zeros, then a one), then the low bits of value + 2**order."""
    biased = value + (1 << order)
    prefix = biased.bit_length() - 1 - order
    bits.put(1 << prefix, prefix + 1)
    low = prefix + order
    bits.put(biased & ((1 << low) - 1), low)


def take_exp_golomb(bits: BitSource, order: int) -> int:
    """Inverse of :func:`put_exp_golomb`. Raises DamagedError past the end or beyond a prefix of 20."""
    prefix = 0
    while bits.take(1) == 0:
        prefix += 1
        if prefix > MAX_PREFIX:
            raise DamagedError("an Exp-Golomb code is too long")
    low = prefix + order
    return (1 << low | bits.take(low)) - (1 << order)
