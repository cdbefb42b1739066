"""Finds the chunks of a file by reading it from its start: after a kill, or where something is damaged (SPEC.md 6)."""

from __future__ import annotations

from nvcodec.container import chunk as ch
from nvcodec.container.group import COUNT_MAX, HEAD_MAX, GroupHead, parse_head
from nvcodec.container.index import TAIL_SIZE, ChunkRow, GroupRow, pack_index, parse_tail
from nvcodec.container.layout import Damage, Sequence, check_signature, from_tail, read_head, read_index
from nvcodec.container.source import Source
from nvcodec.errors import DamagedError, FormatError, TruncatedError


def find_sequences(source: Source) -> list[Sequence]:
    """All sequences of a file, in order; reads no more than tails, headers and indexes where these are sound.

    Raises :class:`FormatError` (not an nvc file), :class:`TruncatedError` (less than a header), :class:`DamagedError`
    (the first header) or :class:`UnsupportedError`.
    """
    check_signature(source.read(0, min(len(ch.SIGNATURE), source.size)))
    found: list[Sequence] = []
    end = source.size
    while end > 0:
        sequence = from_tail(source, end)
        if sequence is None:
            break
        if not read_index(source, sequence):
            again = scan(source, sequence.start, end)
            if len(again) != 1 or not again[0].complete:
                break
            sequence = again[0]
        found.append(sequence)
        end = sequence.start
    return (scan(source, 0, end) if end else []) + found[::-1]


def scan(source: Source, start: int, end: int) -> list[Sequence]:
    """The sequences between ``start`` (a signature) and ``end``, every chunk's CRC judged."""
    return _Scan(source, end).run(start)


def row_of(head: GroupHead) -> GroupRow:
    return GroupRow(head.number, head.first_frame, head.frame_count, head.depends_on, head.timing.first)


class Order:
    """The groups of a sequence must follow one another; after damage some may be missing."""

    def __init__(self) -> None:
        self.number = 0
        self.frame = 0

    def follows(self, head: GroupHead, gap: bool) -> bool:
        """True if ``head`` may come next, with groups missing before it only if ``gap``."""
        missing = head.number - self.number
        if missing == 0 or not gap:
            return missing == 0 and head.first_frame == self.frame
        return missing > 0 and missing <= head.first_frame - self.frame <= missing * COUNT_MAX

    def advance(self, head: GroupHead) -> None:
        self.number = head.number + 1
        self.frame = head.first_frame + head.frame_count


class _Scan:
    def __init__(self, source: Source, end: int) -> None:
        self.source = source
        self.end = end
        self.done: list[Sequence] = []
        self.open = False  # the last of ``done`` still takes chunks
        self.order = Order()
        self.index_size = 0  # of the INDX of the open sequence, once it was met

    def run(self, start: int) -> list[Sequence]:
        at: int | None = start
        while at is not None and at < self.end:
            at = self._begin(at) if self.source.starts_sequence(at) else self._step(at)
        return self.done

    def _begin(self, at: int) -> int | None:
        try:
            header, behind = read_head(self.source, at, self.end)
        except (DamagedError, TruncatedError) as error:
            if not self.done:
                raise
            self.open = False
            return self._search(at, "header", str(error))
        self.done.append(Sequence(at, header, behind, behind, behind))
        self.open, self.order, self.index_size = True, Order(), 0
        return behind

    def _search(self, at: int, kind: str, message: str) -> int | None:
        """Where to go on behind the unreadable byte ``at``.

        Nothing found behind it in an open sequence is a cut end, not damage.
        """
        found = self.source.search(at + 1, self.end)
        if found is not None or kind == "crc" or not self.open:
            self.done[-1].damage.append(Damage(at, kind, message))
        return found

    def _step(self, at: int) -> int | None:
        header = self.source.header(at, self.end)
        if header is None or not self.open:
            return self._search(at, "header", f"unreadable from byte {at} on")
        behind = at + header.size
        if self.source.scan_crc(at, header):
            self._accept(at, header)
            return behind
        message = f"{header.type.decode('latin-1')} chunk at byte {at} does not match its CRC"
        if not self._plausible(behind):
            return self._search(at, "crc", message)
        kind = "index" if header.type == ch.INDX and self.source.header(behind, self.end) else "crc"
        self.done[-1].damage.append(Damage(at, kind, message))
        if kind == "crc":
            self._add(at, header, self._damaged_group(at, header), damaged=True)
        return behind

    def _plausible(self, at: int) -> bool:
        """True if the scan can go on at ``at`` without a search."""
        if at == self.end or self.source.starts_sequence(at):
            return True
        header = self.source.header(at, self.end)
        return header is not None and (header.known or self.source.scan_crc(at, header))

    def _add(self, at: int, header: ch.ChunkHeader, head: GroupHead | None = None, damaged: bool = False) -> None:
        sequence = self.done[-1]
        row = None if head is None else row_of(head)
        sequence.chunks.append(ChunkRow(header.type, header.critical, at, header.size, row, damaged))
        sequence.chunks_end = sequence.end = at + header.size
        if head is not None:
            self.order.advance(head)
            sequence.end_pts = head.timing.end

    def _head(self, at: int, header: ch.ChunkHeader) -> GroupHead:
        payload = self.source.read(at + ch.HEADER_SIZE, min(header.length, HEAD_MAX))
        sequence = self.done[-1].header
        head = parse_head(payload, sequence.newer, sequence.leans_back)
        if head.length != header.length:
            raise FormatError(f"group {head.number}: units end at byte {head.length}, the payload at {header.length}")
        return head

    def _damaged_group(self, at: int, header: ch.ChunkHeader) -> GroupHead | None:
        if header.type != ch.GRUP:
            return None
        try:
            head = self._head(at, header)
        except FormatError:
            return None
        return head if self.order.follows(head, gap=True) else None

    def _accept(self, at: int, header: ch.ChunkHeader) -> None:
        """Take a chunk whose CRC is right; raises :class:`FormatError` if it breaks the format."""
        sequence = self.done[-1]
        header.check(sequence.header.newer)
        if header.type == ch.HEAD or (self.index_size and header.type != ch.TAIL):
            self._stray(at, f"{header.type.decode()} chunk at byte {at} is out of place")
        elif header.type == ch.GRUP:
            head = self._head(at, header)
            if self.order.follows(head, gap=sequence.hurt):
                self._add(at, header, head)
            else:
                self._stray(at, f"group {head.number} at byte {at} does not follow the group before")
        elif header.type == ch.INDX:
            self._take_index(at, header)
        elif header.type == ch.TAIL:
            self._take_tail(at, header)
        else:
            self._add(at, header)

    def _stray(self, at: int, message: str) -> None:
        if not self.done[-1].hurt:
            raise FormatError(message)
        self.done[-1].damage.append(Damage(at, "order", message))

    def _take_index(self, at: int, header: ch.ChunkHeader) -> None:
        sequence = self.done[-1]
        self.index_size = header.size
        expected = pack_index(sequence.chunks, sequence.end_pts)
        same = header.length >= len(expected) and self.source.read(at + ch.HEADER_SIZE, len(expected)) == expected
        if (not same or (header.length > len(expected) and not sequence.header.newer)) and not sequence.hurt:
            sequence.damage.append(Damage(at, "index", f"the index at byte {at} does not list the chunks before it"))

    def _take_tail(self, at: int, header: ch.ChunkHeader) -> None:
        sequence = self.done[-1]
        if header.size != TAIL_SIZE:
            raise FormatError(f"a tail of {header.size} bytes")
        index_size, size = parse_tail(self.source.read(at + ch.HEADER_SIZE, header.length))
        if size != at + TAIL_SIZE - sequence.start:
            self._stray(at, f"the tail at byte {at} belongs to another sequence")
            return
        if index_size != self.index_size and not sequence.damage:
            sequence.damage.append(Damage(at, "index", "the tail does not point to the index"))
        sequence.complete, sequence.end, self.open = True, at + TAIL_SIZE, False
