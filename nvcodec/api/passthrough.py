"""Packets of passed-through tracks on their way from a source to a file, each exactly once."""

from __future__ import annotations

from nvcodec.container import Reader as NvcReader
from nvcodec.container.chunk import PKTS
from nvcodec.container.writer import packets_size
from nvcodec.format import Packet
from nvcodec.video import Reader

GUESS = 1.03  # chunks of packets over their data, before any were seen


class PacketFeed:
    """Gives a source's packets in file order, without those that a resumed part holds already.

    How far a source is demuxed when a frame is out depends on where reading stops, so packets are counted, not timed.
    """

    def __init__(self, reader: Reader, expected: int = 0) -> None:
        """``expected``: bytes of all packets' data, as :func:`nvcodec.video.probe` counts them."""
        self._reader = reader
        self._expected = expected
        self._skip = 0
        self._waiting: list[Packet] = []
        self._data = 0  # bytes of packets in the file or taken for it
        self._chunks = 0  # bytes of their chunks

    def skip(self, old: NvcReader) -> None:
        """Leave out what ``old`` holds."""
        for packet in old.iter_packets():
            self._skip += 1
            self._data += len(packet.data)
        rows = (row for sequence in old.sequences for row in sequence.chunks)
        self._chunks += sum(row.size for row in rows if row.type == PKTS)

    def pull(self) -> None:
        """Move what the reader has demuxed here, so that it does not pile up there while frames are skipped."""
        packets = self._reader.take_packets()
        dropped = min(self._skip, len(packets))
        self._skip -= dropped
        self._waiting += packets[dropped:]

    def take(self) -> list[Packet]:
        """Packets that go before the group whose frames were just read."""
        self.pull()
        packets, self._waiting = self._waiting, []
        self._data += sum(len(packet.data) for packet in packets)
        self._chunks += packets_size(packets)
        return packets

    @property
    def file_bytes(self) -> int:
        """What all packets take in the file: those known as they are, the others at the same overhead."""
        left = max(0, self._expected - self._data)
        return self._chunks + int(left * max(1.0, self._chunks / self._data if self._data else GUESS))
