"""Bytes of a seekable file, counted: nothing is read or allocated beyond what the file has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from nvcodec.container import chunk as ch
from nvcodec.container.crc import crc32c
from nvcodec.errors import DamagedError, InputError, TruncatedError

PIECE = 1 << 20
SEARCH_FACTOR = 8  # bytes checked in scans, at most, as a multiple of the file's size
PLACES = re.compile(b"|".join(re.escape(t) for t in (*ch.CRITICAL, ch.SIGNATURE) if t != ch.HEAD))


class Source:
    """A seekable binary file; ``bytes_read`` counts what was asked of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        try:
            self.size = file.seek(0, 2)
        except OSError as error:
            raise InputError(f"cannot seek in the file: {error.strerror or error}") from error
        self.bytes_read = 0
        self._budget = SEARCH_FACTOR * self.size

    def read(self, offset: int, count: int) -> bytes:
        """Bytes ``offset .. offset + count``; raises TruncatedError if the file ends before, InputError."""
        if offset < 0 or offset + count > self.size:
            raise TruncatedError(f"the file ends at byte {self.size}, {offset + count} are needed")
        try:
            self.file.seek(offset)
            data = self.file.read(count)
        except OSError as error:
            raise InputError(f"cannot read at byte {offset}: {error.strerror or error}") from error
        self.bytes_read += len(data)
        if len(data) < count:
            raise TruncatedError(f"the file ends at byte {offset + len(data)}, it had {self.size} bytes before")
        return data

    def pieces(self, offset: int, count: int) -> Iterator[bytes]:
        """The same bytes in pieces of bounded size."""
        end = offset + count
        while offset < end:
            yield self.read(offset, min(PIECE, end - offset))
            offset += PIECE

    def starts_sequence(self, offset: int) -> bool:
        return offset + 8 <= self.size and self.read(offset, 8) == ch.SIGNATURE

    def header(self, offset: int, end: int) -> ch.ChunkHeader | None:
        """The chunk header at ``offset``; ``None`` if it is forbidden or its chunk does not end by ``end``."""
        if offset + ch.FRAME_SIZE > end:
            return None
        header = ch.parse_header(self.read(offset, ch.HEADER_SIZE))
        return header if header.plausible and offset + header.size <= end else None

    def crc_holds(self, offset: int, header: ch.ChunkHeader) -> bool:
        """True if the whole chunk at ``offset`` matches its CRC; reads it in pieces."""
        crc = 0
        for piece in self.pieces(offset, header.size - 4):
            crc = crc32c(piece, crc)
        return crc == int.from_bytes(self.read(offset + header.size - 4, 4), "little")

    def payload(self, offset: int, header: ch.ChunkHeader) -> bytes:
        """The payload of the chunk at ``offset``; raises :class:`DamagedError` if the CRC is wrong."""
        body = self.read(offset, header.size)
        if crc32c(memoryview(body)[:-4]) != int.from_bytes(body[-4:], "little"):
            raise DamagedError(f"{header.type.decode('latin-1')} chunk at byte {offset} does not match its CRC")
        return body[ch.HEADER_SIZE : -4]

    def search(self, offset: int, end: int) -> int | None:
        """The first signature or whole chunk of a known type at ``offset`` or later; ``None`` if there is none.

        The bytes checked over all scans of one source are bounded, whatever the file says.
        """
        overlap = len(ch.SIGNATURE) - 1
        while offset < end and self.spend(min(PIECE, end - offset)):
            window = self.read(offset, min(PIECE, end - offset))
            for match in PLACES.finditer(window):
                if self._is_place(offset + match.start(), end):
                    return offset + match.start()
            if offset + len(window) == end:
                break
            offset += len(window) - overlap
        return None

    def _is_place(self, offset: int, end: int) -> bool:
        if self.starts_sequence(offset):
            return True
        header = self.header(offset, end)
        return header is not None and header.known and self.scan_crc(offset, header)

    def spend(self, count: int) -> bool:
        """True if a scan may still read ``count`` bytes; crafted damage could make it read each many times."""
        self._budget -= count
        return self._budget >= 0

    def scan_crc(self, offset: int, header: ch.ChunkHeader) -> bool:
        """:meth:`crc_holds` within the scan's budget."""
        return self.spend(header.size) and self.crc_holds(offset, header)
