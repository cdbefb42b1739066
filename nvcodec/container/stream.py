"""Reads an nvc file from a pipe: one pass, in the order of the file, with memory bounded by the largest chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from nvcodec.container import chunk as ch
from nvcodec.container import extras
from nvcodec.container.crc import crc32c
from nvcodec.container.group import Group, parse_head, split_payload
from nvcodec.container.header import SequenceHeader, parse_header
from nvcodec.container.join import GroupEntry, Joined
from nvcodec.container.layout import Damage, check_head_chunk, check_signature
from nvcodec.container.limits import DEFAULT, LEVELS, Limits, check_amount
from nvcodec.container.scan import Order, row_of
from nvcodec.errors import DamagedError, FormatError, TruncatedError
from nvcodec.format import Packet, Track

PIECE = 1 << 20


class StreamReader:
    """The attributes of :class:`~nvcodec.container.reader.Reader`, growing as the stream is read.

    Opening reads up to the first group or packets, so that header, tracks and metadata written before them are known.
    After damage the stream goes on at the next chunk, as long as the lengths hold; there is no search.
    """

    def __init__(self, file: BinaryIO, *, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self.bytes_read = 0
        self.passthrough_bytes = 0
        self.damage: list[Damage] = []
        self.truncated = True  # until a tail says otherwise
        self._file = file
        self._joined = Joined()
        self._order = Order()
        self._local_tracks = 0
        self._hurt = False
        check_signature(self._take(len(ch.SIGNATURE)))
        self._begin()
        self._ahead = self._next()

    @property
    def header(self) -> SequenceHeader:
        return self._joined.headers[0]

    @property
    def headers(self) -> list[SequenceHeader]:
        return self._joined.headers

    @property
    def metadata(self) -> dict[str, str]:
        return self._joined.metadata

    @property
    def tracks(self) -> list[Track]:
        return self._joined.tracks

    @property
    def groups(self) -> list[GroupEntry]:
        """Groups met so far."""
        return self._joined.groups

    @property
    def frame_count(self) -> int:
        """Frames met so far."""
        return self._joined.frame_count

    @property
    def file_size(self) -> int:
        """Bytes met so far."""
        return self.bytes_read

    def iter_items(self) -> Iterator[Group | list[Packet]]:
        """Whole groups and lists of packets as they come; what is damaged goes to ``damage``."""
        while self._ahead is not None:
            item, self._ahead = self._ahead, None
            yield item
            self._ahead = self._next()

    def iter_groups(self) -> Iterator[Group]:
        """Whole groups as they come; packets are dropped."""
        return (item for item in self.iter_items() if isinstance(item, Group))

    def iter_packets(self) -> Iterator[Packet]:
        """Packets as they come; groups are dropped."""
        return (packet for item in self.iter_items() if not isinstance(item, Group) for packet in item)

    def _take(self, count: int) -> bytes:
        """Up to ``count`` bytes, fewer only at the end; allocates no more than arrives."""
        out = bytearray()
        while len(out) < count:
            piece = self._file.read(min(PIECE, count - len(out)))
            if not piece:
                break
            out += piece
        self.bytes_read += len(out)
        return bytes(out)

    def _begin(self) -> None:
        """Read the HEAD behind a signature; raises as :func:`~nvcodec.container.layout.read_head` does."""
        start = self._take(ch.HEADER_SIZE)
        if len(start) < ch.HEADER_SIZE:
            raise TruncatedError("the stream ends before its header does")
        check_head_chunk(ch.parse_header(start))
        body = start + self._take(ch.parse_header(start).length + 4)
        if len(body) < ch.parse_header(start).size:
            raise TruncatedError("the stream ends before its header does")
        if not _crc_holds(body):
            raise DamagedError("the sequence header does not match its CRC")
        header = parse_header(body[ch.HEADER_SIZE : -4])
        ch.parse_header(start).check(header.newer)
        check_amount("pixels", header.format.width * header.format.height, self.limits)
        self._joined.start(header)
        self._order, self._local_tracks, self._hurt, self.truncated = Order(), 0, False, True

    def _next(self) -> Group | list[Packet] | None:
        """The next group or packets; ``None`` at the end."""
        while True:
            at = self.bytes_read
            start = self._take(len(ch.SIGNATURE))
            if len(start) < len(ch.SIGNATURE):
                self.truncated |= bool(start)
                return None
            if start == ch.SIGNATURE:
                try:
                    self._begin()
                except TruncatedError:
                    self.truncated = True
                    return None
                continue
            header, body = self._chunk(start)
            if header is None:
                if not self.truncated:
                    self.damage.append(Damage(at, "header", f"unreadable from byte {at} on"))
                return None
            if not _crc_holds(body):
                self._hurt = True
                message = f"{header.type.decode()} chunk at byte {at} does not match its CRC"
                self.damage.append(Damage(at, "crc", message))
                if header.type == ch.TRAK:
                    self._add_track(None)
                continue
            item = self._accept(at, header, body[ch.HEADER_SIZE : -4])
            if item is not None:
                return item

    def _chunk(self, start: bytes) -> tuple[ch.ChunkHeader | None, bytes]:
        """The chunk that begins with the 8 bytes ``start``; no header if it is unreadable or cut."""
        start += self._take(ch.HEADER_SIZE - len(start))
        header = ch.parse_header(start) if len(start) == ch.HEADER_SIZE else None
        if header is None or not header.plausible or not self.truncated:
            return None, start
        check_amount("chunk_bytes", header.length, self.limits)
        body = start + self._take(header.length + 4)
        return (header if len(body) == header.size else None), body

    def _accept(self, at: int, header: ch.ChunkHeader, payload: bytes) -> Group | list[Packet] | None:
        newer = self._joined.headers[-1].newer
        header.check(newer)
        if header.type == ch.HEAD:
            raise FormatError(f"HEAD chunk at byte {at} is out of place")
        if header.type in (ch.TRAK, ch.PKTS):
            self.passthrough_bytes += header.size
        if header.type == ch.GRUP:
            return self._group(at, header, payload)
        if header.type == ch.PKTS:
            number = len(self._joined.headers) - 1
            packets = extras.parse_packets(payload, self._local_tracks, newer)
            placed = (self._joined.place_packet(packet, number) for packet in packets)
            return [packet for packet in placed if packet is not None]
        if header.type == ch.TRAK:
            self._add_track(extras.parse_track(payload, newer))
        elif header.type == ch.META:
            self._joined.add_metadata(extras.parse_metadata(payload, newer))
        elif header.type == ch.TAIL:
            self.truncated = False
        return None

    def _add_track(self, track: Track | None) -> None:
        if self._local_tracks >= extras.TRACKS_MAX:
            raise FormatError(f"more than {extras.TRACKS_MAX} tracks")
        self._local_tracks += 1
        self._joined.add_track(track)

    def _group(self, at: int, header: ch.ChunkHeader, payload: bytes) -> Group | None:
        number = len(self._joined.headers) - 1
        self._joined.check_same(number)
        sequence = self._joined.headers[number]
        head = parse_head(payload, sequence.newer)
        if not self._order.follows(head, gap=self._hurt):
            if not self._hurt:
                raise FormatError(f"group {head.number} at byte {at} does not follow the group before")
            self.damage.append(Damage(at, "order", f"group {head.number} does not follow the group before"))
            return None
        self._order.advance(head)
        check_amount("frames", head.frame_count, self.limits)
        level = LEVELS.get(sequence.level)
        if level and (head.frame_count > level.frames or len(payload) > level.chunk_bytes):
            raise FormatError(f"group {head.number} is over the stream's level {sequence.level}")
        group = split_payload(head, payload)
        self._joined.add_group(row_of(head), at, header.size)
        self._joined.finish_group(head.timing.end)
        shift = self._joined.shift(number)
        return replace(group, pts=[pts + shift for pts in group.pts]) if shift else group


def _crc_holds(chunk: bytes) -> bool:
    return crc32c(memoryview(chunk)[:-4]) == int.from_bytes(chunk[-4:], "little")
