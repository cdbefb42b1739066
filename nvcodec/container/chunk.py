"""The framing of an nvc file: signature, chunk header, CRC (SPEC.md section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nvcodec.container.crc import crc32c
from nvcodec.errors import FormatError, UnsupportedError

SIGNATURE = b"\x89NVC\r\n\x1a\n"
HEADER_SIZE = 9  # type, flags, length
FRAME_SIZE = 13  # header and CRC
LENGTH_MAX = (1 << 31) - 1

HEAD, GRUP, TRAK, PKTS, META, INDX, TAIL = b"HEAD", b"GRUP", b"TRAK", b"PKTS", b"META", b"INDX", b"TAIL"
CRITICAL: dict[bytes, bool] = {HEAD: True, GRUP: True, TRAK: False, PKTS: False, META: False, INDX: False, TAIL: True}

_HEADER = struct.Struct("<4sBI")


@dataclass(frozen=True)
class ChunkHeader:
    """The first 9 bytes of a chunk; ``length`` counts the payload's bytes."""

    type: bytes
    flags: int
    length: int

    @property
    def size(self) -> int:
        """Bytes of the whole chunk."""
        return self.length + FRAME_SIZE

    @property
    def critical(self) -> bool:
        return bool(self.flags & 1)

    @property
    def plausible(self) -> bool:
        """True if type and length are not forbidden; says nothing about the CRC."""
        return self.type.isalnum() and self.type.isascii() and not self.type[:1].isdigit() and self.length <= LENGTH_MAX

    @property
    def known(self) -> bool:
        return self.plausible and CRITICAL.get(self.type) == self.critical and not self.flags & 0x0E

    def check(self, newer: bool) -> None:
        """Judge flags and type of a chunk whose CRC is right.

        Raises :class:`FormatError` for forbidden ones, :class:`UnsupportedError` for an unknown critical type.
        """
        name = self.type.decode("latin-1")
        if not self.plausible:
            raise FormatError(f"chunk type {self.type!r} or length {self.length} is forbidden")
        if self.flags & 0x0E:
            kind = UnsupportedError if newer else FormatError
            raise kind(f"chunk {name} has reserved flags 0x{self.flags:02x}")
        if self.type not in CRITICAL:
            if self.critical:
                raise UnsupportedError(f"chunk {name} is unknown to this reader and needed to decode")
        elif CRITICAL[self.type] != self.critical:
            raise FormatError(f"chunk {name} has the wrong critical flag")


def parse_header(data: bytes) -> ChunkHeader:
    """The chunk header in the first 9 bytes of ``data``."""
    return ChunkHeader(*_HEADER.unpack_from(data))


def pack_chunk(kind: bytes, payload: bytes, flags: int | None = None) -> bytes:
    """A whole chunk; ``flags`` default to what the known type demands."""
    if len(payload) > LENGTH_MAX:
        raise FormatError(f"a {kind.decode()} chunk of {len(payload)} bytes is longer than the format allows")
    body = _HEADER.pack(kind, int(CRITICAL[kind]) if flags is None else flags, len(payload)) + payload
    return body + struct.pack("<I", crc32c(body))
