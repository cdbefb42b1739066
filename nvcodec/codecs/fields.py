"""Small numbers of a codec's config: one varint a number, read with their bounds (bitstream/FITTED.md, section 2)."""

from __future__ import annotations

from nvcodec.errors import FormatError


class FieldWriter:
    """Numbers -> bytes: unsigned LEB128, low seven bits first."""

    def __init__(self) -> None:
        self.data = bytearray()

    def put(self, *values: int) -> None:
        for value in values:
            if value < 0:
                raise ValueError("a config holds no negative numbers")
            while value > 0x7F:
                self.data.append(value & 0x7F | 0x80)
                value >>= 7
            self.data.append(value)


class FieldReader:
    """Bytes -> numbers, each with its name and its bounds. Raises :class:`FormatError`."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def get(self, name: str, low: int, high: int) -> int:
        value = 0
        for shift in range(0, 28, 7):
            if self._at >= len(self._data):
                raise FormatError(f"the network's description ends before its {name}")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte == 0 and shift:
                raise FormatError(f"the network's {name} is not in the shortest form")
            if byte < 0x80:
                break
        else:
            raise FormatError(f"the network's {name} is longer than four bytes")
        if not low <= value <= high:
            raise FormatError(f"the network's {name} is {value}, outside {low}..{high}")
        return value

    @property
    def at(self) -> int:
        """Bytes read so far."""
        return self._at

    def end(self) -> None:
        if self._at != len(self._data):
            raise FormatError("the network's description goes on after its last field")
