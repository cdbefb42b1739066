"""Reads an nvc file from a pipe: one pass, in the order of the file, with memory bounded by the largest chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from nvcodec.container import chunk as ch
from nvcodec.container import extras
from nvcodec.container.crc import crc32c
from nvcodec.container.group import Group, parse_head, split_payload
from nvcodec.container.header import SequenceHeader, parse_header, videos_missing
from nvcodec.container.join import GroupEntry, Joined
from nvcodec.container.layout import Damage, check_head_chunk, check_signature, lost_videos
from nvcodec.container.limits import DEFAULT, LEVELS, Limits, check_amount
from nvcodec.container.scan import Order, row_of
from nvcodec.container.source import PLACES, SEARCH_FACTOR
from nvcodec.errors import DamagedError, FormatError, InputError, TruncatedError
from nvcodec.format import Packet, Track

PIECE = 1 << 20


class StreamReader:
    """The attributes of :class:`~nvcodec.container.reader.Reader`, growing as the stream is read.

    Opening reads up to the first group or packets, so that header, tracks and metadata written before them are known.
    After damage it goes on at the next chunk if the lengths hold, else at what the damaged chunk still holds whole.
    """

    def __init__(self, file: BinaryIO, *, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self.bytes_read = 0  # of the stream, as far as it was taken apart
        self.passthrough_bytes = 0
        self.damage: list[Damage] = []
        self._file = file
        self._untaken: list[memoryview] = []  # bytes put back, the next ones last
        self._searched = 0  # bytes of damaged chunks, each time they were
        self._arrived = 0  # bytes that came out of the pipe
        self._open = False  # in a sequence whose tail was not met
        self._cut = False  # a sequence lacked its tail
        self._joined = Joined()
        self._order = Order()
        self._hurt = False
        check_signature(self._take(len(ch.SIGNATURE)))
        self._begin()
        self._ahead = self._next()

    @property
    def header(self) -> SequenceHeader:
        return self._joined.headers[0]

    @property
    def truncated(self) -> bool:
        """True if a sequence lacked its end, or the current one has not come to its own."""
        return self._cut or self._open

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
            wanted = count - len(out)
            if self._untaken:
                view = self._untaken.pop()
                out += view[:wanted]
                self._untake(view[wanted:], taken=False)
                continue
            try:
                piece = self._file.read(min(PIECE, wanted))
            except OSError as error:
                raise InputError(f"cannot read the stream: {error.strerror or error}") from error
            if not piece:
                break
            self._arrived += len(piece)
            out += piece
        self.bytes_read += len(out)
        return bytes(out)

    def _untake(self, data: bytes | memoryview, taken: bool = True) -> None:
        if data:
            self._untaken.append(memoryview(data))
        self.bytes_read -= len(data) if taken else 0

    def _begin(self) -> None:
        """Read the HEAD behind a signature; raises as :func:`~nvcodec.container.layout.read_head` does."""
        at = self.bytes_read - len(ch.SIGNATURE)
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
        self._cut |= self._open
        self._follow(at, header)
        self._joined.start(header)
        self._order, self._hurt, self._open = Order(), False, True

    def _follow(self, at: int, header: SequenceHeader) -> None:
        """Judge the number of a library's video; raises :class:`FormatError`."""
        before = self._joined.headers[-1] if self._joined.headers else None
        lost = videos_missing(before, header, self._cut or any(damage.kind != "index" for damage in self.damage))
        if lost:
            self.damage.append(lost_videos(at, header, lost))

    def _next(self) -> Group | list[Packet] | None:
        """The next group or packets; ``None`` at the end."""
        while True:
            at = self.bytes_read
            start = self._take(ch.HEADER_SIZE)
            if not start:
                return None
            if start.startswith(ch.SIGNATURE):
                self._untake(start[len(ch.SIGNATURE) :])
                if not self._begin_next(at):
                    return None
                continue
            header, body = self._chunk(start)
            if header is None or not _crc_holds(body):
                if not self._recover(at, header, body):
                    return None
                continue
            item = self._accept(at, header, body[ch.HEADER_SIZE : -4])
            if item is not None:
                return item

    def _begin_next(self, at: int) -> bool:
        try:
            self._begin()
        except (DamagedError, TruncatedError) as error:
            self._cut = True
            if isinstance(error, DamagedError):
                self.damage.append(Damage(at, "header", str(error)))
            return False
        return True

    def _chunk(self, start: bytes) -> tuple[ch.ChunkHeader | None, bytes]:
        """The chunk that begins with the 9 bytes ``start``, and all its bytes; no header if it is unreadable or cut."""
        header = ch.parse_header(start) if len(start) == ch.HEADER_SIZE else None
        if header is None or not header.plausible or not self._open:
            return None, start
        if header.length > self.limits.chunk_bytes:
            start += self._take(len(ch.SIGNATURE))
            if self._hurt or ch.SIGNATURE in start:  # damage, or a cut with another sequence behind it
                return None, start
        check_amount("chunk_bytes", header.length, self.limits)
        body = start + self._take(header.length + 4)
        return (header if len(body) == header.size else None), body

    def _recover(self, at: int, header: ch.ChunkHeader | None, body: bytes) -> bool:
        """Find where to go on after damage or a cut at ``at``; ``False`` if nothing is left."""
        place = None
        self._searched += len(body)
        affordable = self._searched <= SEARCH_FACTOR * self._arrived
        if affordable and (header is None or not self._plausible_next()):
            place = find_place(body, 1)
            if place is not None:
                self._untake(memoryview(body)[place:])
        if header is not None:
            message = f"{header.type.decode()} chunk at byte {at} does not match its CRC"
            self.damage.append(Damage(at, "crc", message))
        elif place is not None or not self._open:
            self.damage.append(Damage(at, "header", f"unreadable from byte {at} on"))
        self._hurt = True
        return affordable and (header is not None or place is not None)

    def _plausible_next(self) -> bool:
        start = self._take(ch.HEADER_SIZE)
        self._untake(start)
        if not start or start.startswith(ch.SIGNATURE):
            return True
        return len(start) == ch.HEADER_SIZE and ch.parse_header(start).known

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
            known = extras.TRACKS_MAX if self._hurt else self._joined.track_count
            packets = extras.parse_packets(payload, known, newer)
            placed = (self._joined.place_packet(packet, number) for packet in packets)
            return [packet for packet in placed if packet is not None]
        if header.type == ch.TRAK:
            self._add_track(at, *extras.parse_track(payload, newer))
        elif header.type == ch.META:
            self._joined.add_metadata(extras.parse_metadata(payload, newer))
        elif header.type == ch.TAIL:
            self._open = False
        return None

    def _add_track(self, at: int, number: int, track: Track) -> None:
        if not self._joined.add_track(number, track, gap=self._hurt):
            if not self._hurt:
                raise FormatError(f"track {number} at byte {at} does not follow the track before")
            self.damage.append(Damage(at, "order", f"track {number} does not follow the track before"))

    def _group(self, at: int, header: ch.ChunkHeader, payload: bytes) -> Group | None:
        number = len(self._joined.headers) - 1
        self._joined.check_same(number)
        sequence = self._joined.headers[number]
        head = parse_head(payload, sequence.newer, sequence.leans_back)
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
        return replace(group, pts=[pts + shift for pts in group.pts], sequence=number)


def find_place(data: bytes, start: int) -> int | None:
    """The first signature, or whole chunk of a known type, that begins in ``data`` at ``start`` or later."""
    budget = len(data)
    for match in PLACES.finditer(data, start):
        at = match.start()
        if match.group() == ch.SIGNATURE:
            return at
        if at + ch.FRAME_SIZE <= len(data) and budget > 0:
            header = ch.parse_header(data[at : at + ch.HEADER_SIZE])
            if header.known and at + header.size <= len(data):
                budget -= header.size
                if _crc_holds(data[at : at + header.size]):
                    return at
    return None


def _crc_holds(chunk: bytes) -> bool:
    return crc32c(memoryview(chunk)[:-4]) == int.from_bytes(chunk[-4:], "little")
