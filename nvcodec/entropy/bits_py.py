"""Bit strings of the slow coder, first bit in the lowest bit of the first byte."""

from __future__ import annotations

from nvcodec.errors import DamagedError


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

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._position = start

    def take(self, count: int) -> int:
        """The next `count` bits. Raises DamagedError past the end."""
        end = self._position + count
        if end > 8 * len(self._data):
            raise DamagedError("the raw and escape bits of a segment run out")
        window = int.from_bytes(self._data[self._position >> 3 : (end + 7) >> 3], "little")
        value = window >> (self._position & 7) & ((1 << count) - 1)
        self._position = end
        return value

    def only_padding_left(self) -> bool:
        """True if less than a byte is left and all of it is zero."""
        left = 8 * len(self._data) - self._position
        return left < 8 and self.take(left) == 0
