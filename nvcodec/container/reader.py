"""Reads an nvc file lazily: header, tail and index at first, then what is asked for (SPEC.md section 6)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from nvcodec.container import chunk as ch
from nvcodec.container import extras
from nvcodec.container.group import HEAD_MAX, Group, GroupHead, UnitSpan, parse_head, split_payload
from nvcodec.container.header import SequenceHeader
from nvcodec.container.index import ChunkRow, GroupRow
from nvcodec.container.join import GroupEntry, Joined
from nvcodec.container.layout import Damage, Sequence, check_videos
from nvcodec.container.limits import DEFAULT, LEVELS, Limits, check_amount
from nvcodec.container.scan import find_sequences, row_of
from nvcodec.container.source import Source
from nvcodec.container.stream import StreamReader
from nvcodec.container.verify import ChunkResult, verify_chunks
from nvcodec.errors import DamagedError, FormatError
from nvcodec.format import Packet, Track

FIRST_LOOK = 4096  # bytes read in the hope that they hold a group's head


def check_level(header: SequenceHeader, frames: int, chunk_bytes: int) -> None:
    """A stream must stay within the level it declares; raises :class:`FormatError`."""
    level = LEVELS.get(header.level)
    if level and (frames > level.frames or chunk_bytes > level.chunk_bytes):
        raise FormatError(f"{frames} frames in {chunk_bytes} bytes are over the stream's level {header.level}")


class Reader:
    """An nvc file that can seek. Sequences of one kind that follow each other are one video.

    Those of a library never are: frames of the first video alone can be read here, see :mod:`.library` for all.
    ``video`` says that the file holds that video of a library alone.
    Opening reads the ends, the index, tracks and metadata; a file without a sound index is scanned once.
    Damage is listed in ``damage``, a missing end in ``truncated``; neither stops the reader. Raises
    :class:`FormatError`, :class:`TruncatedError` or :class:`DamagedError` (nothing to read),
    :class:`UnsupportedError` and :class:`LimitError`.
    """

    def __init__(self, file: BinaryIO, *, limits: Limits = DEFAULT, video: int | None = None) -> None:
        self.limits = limits
        self._source = Source(file)
        self.sequences: list[Sequence] = find_sequences(self._source)
        self._joined = Joined()
        self.damage: list[Damage] = check_videos(self.sequences, video)
        self._tracks_before: dict[int, int] = {}  # by the offset of a PKTS chunk
        for sequence in self.sequences:
            self._load(sequence)

    @classmethod
    def from_stream(cls, file: BinaryIO, *, limits: Limits = DEFAULT) -> StreamReader:
        """A reader for a pipe: one pass, memory bounded by the largest chunk."""
        return StreamReader(file, limits=limits)

    @property
    def header(self) -> SequenceHeader:
        """Of the first sequence; it holds for all whose frames can be read."""
        return self.sequences[0].header

    @property
    def headers(self) -> list[SequenceHeader]:
        return [sequence.header for sequence in self.sequences]

    @property
    def metadata(self) -> dict[str, str]:
        return self._joined.metadata

    @property
    def tracks(self) -> list[Track]:
        return self._joined.tracks

    @property
    def groups(self) -> list[GroupEntry]:
        """All groups in the order of the file; those known to be damaged are marked."""
        return self._joined.groups

    @property
    def frame_count(self) -> int:
        return self._joined.frame_count

    @property
    def truncated(self) -> bool:
        """True if a sequence lacks its end: the encode was stopped, or the file cut."""
        return not all(sequence.complete for sequence in self.sequences)

    @property
    def passthrough_bytes(self) -> int:
        """Bytes of the chunks of passed-through tracks and packets."""
        rows = (row for sequence in self.sequences for row in sequence.chunks)
        return sum(row.size for row in rows if row.type in (ch.TRAK, ch.PKTS))

    @property
    def file_size(self) -> int:
        return self._source.size

    @property
    def bytes_read(self) -> int:
        """Bytes read from the file so far."""
        return self._source.bytes_read

    def group_of_frame(self, frame: int) -> int:
        """Index in ``groups`` of the group that shows ``frame`` (0-based in the video).

        Raises :class:`IndexError` past the end, :class:`DamagedError` if the frame is lost.
        """
        if not 0 <= frame < self.frame_count:
            raise IndexError(f"frame {frame} of {self.frame_count}")
        index = bisect_right(self.groups, frame, key=lambda entry: entry.first_frame) - 1
        if index < 0 or frame >= self.groups[index].first_frame + self.groups[index].frame_count:
            raise DamagedError(f"frame {frame} was in a damaged part of the file")
        return index

    def chain(self, index: int) -> list[int]:
        """Indices of the groups to decode, in order, for group ``index``: those it leans on, then itself.

        It ends at a group that leans on the sequence before (``depends_on`` -1).
        """
        out = [index]
        while (leans_on := self.groups[out[-1]].depends_on) is not None and leans_on >= 0:
            wanted = (self.groups[out[-1]].sequence, leans_on)
            at = bisect_right(self.groups, wanted, key=lambda entry: (entry.sequence, entry.number)) - 1
            if at < 0 or (self.groups[at].sequence, self.groups[at].number) != wanted:
                number = self.groups[out[-1]].number
                raise DamagedError(f"group {number} leans on group {leans_on}, which was in a damaged part of the file")
            out.append(at)
        return out[::-1]

    def read_group(self, index: int) -> Group:
        """The group at ``groups[index]``, its CRC checked. Numbers are as coded, ``pts`` in the joined video's time.

        Raises :class:`DamagedError`, :class:`LimitError`, :class:`UnsupportedError` (of an unlike sequence).
        """
        entry = self.groups[index]
        self._allow(entry)
        payload = self._payload(self._row(entry), self.sequences[entry.sequence].header.newer)
        group = split_payload(self._parse_head(entry, payload), payload)
        shift = self._joined.shift(entry.sequence)
        return replace(group, pts=[pts + shift for pts in group.pts], sequence=entry.sequence)

    def read_head(self, index: int) -> GroupHead:
        """What the group says before its payloads (its own CRC checked), without reading those."""
        entry = self.groups[index]
        self._allow(entry)
        length = entry.length - ch.FRAME_SIZE
        look = min(FIRST_LOOK, length)
        try:
            return self._parse_head(entry, self._source.read(entry.offset + ch.HEADER_SIZE, look))
        except FormatError:
            if look == length:
                raise
        data = self._source.read(entry.offset + ch.HEADER_SIZE, min(HEAD_MAX, length))
        return self._parse_head(entry, data)

    def read_unit(self, index: int, span: UnitSpan) -> bytes:
        """The payload of one unit of :meth:`read_head`, alone; no CRC guards it."""
        entry = self.groups[index]
        check_amount("chunk_bytes", span.length, self.limits)
        if span.offset + span.length > entry.length - ch.FRAME_SIZE:
            raise DamagedError(f"group {entry.number}: a unit ends behind its chunk")
        return self._source.read(entry.offset + ch.HEADER_SIZE + span.offset, span.length)

    def iter_items(self) -> Iterator[Group | list[Packet]]:
        """Whole groups and lists of packets in the order of the file; what is damaged goes to ``damage``."""
        at = 0
        for number, sequence in enumerate(self.sequences):
            for row in sequence.chunks:
                try:
                    if row.group is not None:
                        at += 1
                        yield self.read_group(at - 1)
                    elif row.type == ch.PKTS:
                        yield self._packets(number, row)
                except DamagedError as error:
                    self.note(Damage(row.offset, "crc", str(error)))

    def iter_groups(self) -> Iterator[Group]:
        """All whole groups; a damaged one is skipped and goes to ``damage``."""
        for index, entry in enumerate(self.groups):
            try:
                yield self.read_group(index)
            except DamagedError as error:
                self.note(Damage(entry.offset, "crc", str(error)))

    def iter_packets(self) -> Iterator[Packet]:
        """Packets of all tracks, in the order of the file and in the joined video's time; reads no groups."""
        for number, sequence in enumerate(self.sequences):
            for row in sequence.chunks:
                if row.type == ch.PKTS:
                    try:
                        packets = self._packets(number, row)
                    except DamagedError as error:
                        self.note(Damage(row.offset, "crc", str(error)))
                        continue
                    yield from packets

    def verify(self) -> Iterator[ChunkResult]:
        """Read every chunk and judge it; what is found goes to ``damage`` too."""
        for result in verify_chunks(self._source, self.sequences, self.damage):
            if result.damage is not None:
                self.note(result.damage)
            yield result

    def note(self, damage: Damage) -> None:
        """Add to ``damage`` unless that place is listed already."""
        if all((known.offset, known.kind) != (damage.offset, damage.kind) for known in self.damage):
            self.damage.append(damage)

    def _load(self, sequence: Sequence) -> None:
        size = sequence.header.format
        check_amount("pixels", size.width * size.height, self.limits)
        self._joined.start(sequence.header)
        self.damage += sequence.damage
        for row in sequence.chunks:
            if row.group is not None:
                self._joined.add_group(row.group, row.offset, row.size, row.damaged)
            elif row.type in (ch.TRAK, ch.META):
                self._load_extra(sequence, row)
            elif row.type == ch.PKTS:
                self._tracks_before[row.offset] = self._joined.track_count
        if sequence.groups:
            self._joined.finish_group(sequence.end_pts)

    def _load_extra(self, sequence: Sequence, row: ChunkRow) -> None:
        newer = sequence.header.newer
        try:
            payload = self._payload(row, newer)
        except DamagedError as error:
            sequence.damage.append(Damage(row.offset, "crc", str(error)))
            self.note(sequence.damage[-1])
            return
        if row.type == ch.META:
            self._joined.add_metadata(extras.parse_metadata(payload, newer))
            return
        number, track = extras.parse_track(payload, newer)
        if self._joined.add_track(number, track, gap=sequence.hurt):
            sequence.tracks += [None] * (number - len(sequence.tracks)) + [track]
        elif sequence.hurt:
            self.note(Damage(row.offset, "order", f"track {number} does not follow the track before"))
        else:
            raise FormatError(f"track {number} at byte {row.offset} does not follow the track before")

    def _row(self, entry: GroupEntry) -> ChunkRow:
        return ChunkRow(ch.GRUP, True, entry.offset, entry.length, None, entry.damaged)

    def _payload(self, row: ChunkRow, newer: bool) -> bytes:
        """The payload of a listed chunk, once it is known to be affordable and what the list says."""
        check_amount("chunk_bytes", row.size - ch.FRAME_SIZE, self.limits)
        header = ch.ChunkHeader(row.type, int(row.critical), row.size - ch.FRAME_SIZE)
        payload = self._source.payload(row.offset, header)
        found = ch.parse_header(self._source.read(row.offset, ch.HEADER_SIZE))
        if (found.type, found.length) != (header.type, header.length):
            raise FormatError(f"the index is wrong about the chunk at byte {row.offset}")
        found.check(newer)
        return payload

    def _packets(self, number: int, row: ChunkRow) -> list[Packet]:
        sequence = self.sequences[number]
        newer = sequence.header.newer
        known = extras.TRACKS_MAX if sequence.hurt else self._tracks_before[row.offset]
        packets = extras.parse_packets(self._payload(row, newer), known, newer)
        placed = (self._joined.place_packet(packet, number) for packet in packets)
        return [packet for packet in placed if packet is not None]

    def _allow(self, entry: GroupEntry) -> None:
        self._joined.check_same(entry.sequence)
        check_amount("frames", entry.frame_count, self.limits)
        check_amount("chunk_bytes", entry.length - ch.FRAME_SIZE, self.limits)
        header = self.sequences[entry.sequence].header
        check_level(header, entry.frame_count, entry.length - ch.FRAME_SIZE)

    def _parse_head(self, entry: GroupEntry, payload: bytes) -> GroupHead:
        header = self.sequences[entry.sequence].header
        head = parse_head(payload, header.newer, header.leans_back)
        first = entry.first_frame - self._joined.bases[entry.sequence]
        pts = entry.pts_first - self._joined.shift(entry.sequence)
        if row_of(head) != GroupRow(entry.number, first, entry.frame_count, entry.depends_on, pts):
            raise FormatError(f"group {head.number} at byte {entry.offset} is not the one that the index names")
        return head
