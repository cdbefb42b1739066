"""Writes an nvc file chunk by chunk, never seeking back (SPEC.md sections 2 and 6)."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from nvcodec.container import chunk as ch
from nvcodec.container import extras
from nvcodec.container.group import Group, pack_group
from nvcodec.container.header import SequenceHeader, pack_header
from nvcodec.container.index import TAIL_SIZE, ChunkRow, GroupRow, pack_index, pack_tail
from nvcodec.container.limits import LEVELS
from nvcodec.errors import FormatError, OutputError, ResumeError
from nvcodec.format import Packet, Track

if TYPE_CHECKING:
    from nvcodec.container.reader import Reader

BATCH_BYTES = 1 << 20  # data of a PKTS chunk, unless one packet is larger


class Writer:
    """One sequence, written to ``file`` (a pipe will do). What is written is a valid shorter video after every call.

    As a context manager it closes on success; on an exception it leaves the file without an index.
    Raises :class:`FormatError` for what the format cannot hold and :class:`OutputError` if the file takes no more.
    """

    def __init__(self, file: BinaryIO, header: SequenceHeader) -> None:
        self._start(file, header)
        head = ch.pack_chunk(ch.HEAD, pack_header(header))
        self._put(ch.SIGNATURE + head)

    def _start(self, file: BinaryIO, header: SequenceHeader) -> None:
        self.header = header
        self.bytes_written = 0  # of this sequence; after resume, of the whole file
        self.passthrough_bytes = 0  # of TRAK and PKTS chunks
        self.frame_count = 0
        self.tracks: list[Track] = []
        self._file = file
        self._before = 0  # bytes of earlier sequences in bytes_written
        self._rows: list[ChunkRow] = []
        self._groups = 0
        self._end_pts = 0
        self._closed = False

    @classmethod
    def resume(cls, file: BinaryIO, state: Reader) -> Writer:
        """Go on with the last sequence of ``file`` (open for reading and writing), which ``state`` has read.

        Index, tail and a cut chunk at the end are cut off, all else stays.
        Raises :class:`ResumeError` if that sequence is damaged.
        """
        last = state.sequences[-1]
        if last.hurt:
            raise ResumeError("the file to go on with is damaged; start anew or keep its whole groups")
        writer = cls.__new__(cls)
        writer._start(file, last.header)
        writer._before, writer.bytes_written = last.start, last.chunks_end
        writer._rows, writer._end_pts = list(last.chunks), last.end_pts
        writer.tracks = [track for track in last.tracks if track is not None]
        writer.passthrough_bytes = state.passthrough_bytes
        for row in last.chunks:
            writer._groups += row.group is not None
            writer.frame_count += row.group.frame_count if row.group else 0
        file.seek(last.chunks_end)
        file.truncate()
        return writer

    @property
    def group_count(self) -> int:
        return self._groups

    def write_metadata(self, entries: dict[str, str]) -> None:
        """Strings about the stream; a later call overrides an earlier one key by key."""
        self._chunk(ch.META, extras.pack_metadata(entries))

    def write_track(self, track: Track) -> int:
        """Describe a passed-through track before its packets; returns its number."""
        if len(self.tracks) >= extras.TRACKS_MAX:
            raise FormatError(f"a file holds at most {extras.TRACKS_MAX} tracks")
        self._chunk(ch.TRAK, extras.pack_track(track, len(self.tracks)))
        self.tracks.append(track)
        return len(self.tracks) - 1

    def write_packets(self, packets: list[Packet]) -> None:
        """Packets of tracks written before, in the order they are to be muxed; large lists become several chunks."""
        for packet in packets:
            if not 0 <= packet.track < len(self.tracks):
                raise FormatError(f"a packet of track {packet.track}, which was not written before")
        for batch in _batches(packets):
            self._chunk(ch.PKTS, extras.pack_packets(batch))

    def write_group(self, group: Group) -> None:
        """The next group; its number and first frame must follow on the group before."""
        if (group.number, group.first_frame) != (self._groups, self.frame_count):
            raise FormatError(
                f"group {group.number} at frame {group.first_frame} cannot follow "
                f"{self._groups} groups of {self.frame_count} frames"
            )
        payload = pack_group(group, self.header.leans_back)
        level = LEVELS.get(self.header.level)
        if level and (group.frame_count > level.frames or len(payload) > level.chunk_bytes):
            raise FormatError(f"group {group.number} is over level {self.header.level} of its sequence")
        row = GroupRow(group.number, group.first_frame, group.frame_count, group.depends_on, group.pts[0])
        self._chunk(ch.GRUP, payload, row)
        self._groups += 1
        self.frame_count += group.frame_count
        self._end_pts = group.pts[-1] + group.durations[-1]

    def close(self) -> None:
        """Write index and tail; the file object stays open. A second call does nothing."""
        if self._closed:
            return
        index = ch.pack_chunk(ch.INDX, pack_index(self._rows, self._end_pts))
        size = self.bytes_written - self._before + len(index) + TAIL_SIZE
        self._put(index + ch.pack_chunk(ch.TAIL, pack_tail(len(index), size)))
        self._closed = True

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _chunk(self, kind: bytes, payload: bytes, group: GroupRow | None = None) -> None:
        data = ch.pack_chunk(kind, payload)
        offset = self.bytes_written
        self._put(data)
        self._rows.append(ChunkRow(kind, ch.CRITICAL[kind], offset, len(data), group))
        if kind in (ch.TRAK, ch.PKTS):
            self.passthrough_bytes += len(data)

    def _put(self, data: bytes) -> None:
        if self._closed:
            raise FormatError("the file was closed, nothing can be added")
        try:
            view = memoryview(data)
            while view:  # a raw pipe may take a part
                view = view[self._file.write(view) :]
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write: {error.strerror or error}") from error
        self.bytes_written += len(data)


def group_size(group: Group) -> int:
    """Bytes of the chunk that :meth:`Writer.write_group` makes of ``group``."""
    return ch.FRAME_SIZE + len(pack_group(group, leans_back=True))


def packets_size(packets: list[Packet]) -> int:
    """Bytes of the chunks that :meth:`Writer.write_packets` makes of ``packets``."""
    return sum(ch.FRAME_SIZE + len(extras.pack_packets(batch)) for batch in _batches(packets))


def _batches(packets: list[Packet]) -> Iterator[list[Packet]]:
    """Runs of packets that fit one chunk each."""
    batch: list[Packet] = []
    size = 0
    for packet in packets:
        if batch and (len(batch) == extras.PACKETS_MAX or size + len(packet.data) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(packet)
        size += len(packet.data)
    if batch:
        yield batch
