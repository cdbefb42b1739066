"""Sequences of one file as one video: frames counted on, times moved on, tracks matched (SPEC.md 6, Joining)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nvcodec.container.header import SequenceHeader, difference
from nvcodec.container.index import GroupRow
from nvcodec.errors import UnsupportedError
from nvcodec.format import Packet, Track


@dataclass(frozen=True)
class GroupEntry:
    """A group as listed.

    ``number`` and ``depends_on`` count in its sequence, ``first_frame`` and ``pts_first`` in the whole video.
    ``depends_on`` -1 is the last group of the library's video before.
    """

    number: int
    first_frame: int
    frame_count: int
    depends_on: int | None
    offset: int  # of its chunk, in the file
    length: int  # of its whole chunk
    sequence: int
    pts_first: int
    damaged: bool = False


class Joined:
    """Grows as sequences and their chunks are met, in the order of the file."""

    def __init__(self) -> None:
        self.headers: list[SequenceHeader] = []
        self.metadata: dict[str, str] = {}
        self.tracks: list[Track] = []
        self.groups: list[GroupEntry] = []
        self.frame_count = 0
        self.bases: list[int] = []  # frames before each sequence
        self._end = 0  # pts where the video so far ends
        self._shifts: list[int | None] = []  # ticks to add, None: not known before the first group
        self._track_maps: list[list[int | None]] = []
        self._metadata_from: dict[str, int] = {}  # key -> sequence

    def start(self, header: SequenceHeader) -> None:
        self.headers.append(header)
        self.bases.append(self.frame_count)
        self._shifts.append(None)
        self._track_maps.append([])

    def difference(self, sequence: int) -> str:
        """What keeps a sequence from being one video with the first; empty if nothing does."""
        return difference(self.headers[0], self.headers[sequence])

    def check_same(self, sequence: int) -> None:
        different = self.difference(sequence)
        if different:
            raise UnsupportedError(f"sequence {sequence} is another video than the first: {different}")

    def add_metadata(self, entries: dict[str, str]) -> None:
        """Later chunks of a sequence override, later sequences only fill in."""
        current = len(self.headers) - 1
        for key, value in entries.items():
            if self._metadata_from.setdefault(key, current) == current:
                self.metadata[key] = value

    def add_track(self, number: int, track: Track, gap: bool) -> bool:
        """Track ``number`` of the current sequence; ``False`` if it does not follow. Some may be missing if ``gap``."""
        local = self._track_maps[-1]
        if number < len(local) or (number > len(local) and not gap):
            return False
        local += [None] * (number - len(local))
        same = len(self.headers) > 1 and self.tracks[number : number + 1] == [track]
        if not same:
            self.tracks.append(track)
        local.append(number if same else len(self.tracks) - 1)
        return True

    @property
    def track_count(self) -> int:
        """Tracks of the current sequence, lost ones too."""
        return len(self._track_maps[-1])

    def add_group(self, row: GroupRow, offset: int, length: int, damaged: bool = False) -> GroupEntry:
        sequence = len(self.headers) - 1
        if self._shifts[sequence] is None:
            late = sequence > 0 and row.pts_first < self._end and not self.difference(sequence)
            self._shifts[sequence] = self._end - row.pts_first if late else 0
        entry = GroupEntry(
            row.number, self.bases[sequence] + row.first_frame, row.frame_count, row.depends_on, offset, length,
            sequence, row.pts_first + self.shift(sequence), damaged,
        )  # fmt: skip
        self.groups.append(entry)
        self.frame_count = entry.first_frame + entry.frame_count
        return entry

    def finish_group(self, end_pts: int) -> None:
        """Tell where the last group added ends, in its own sequence's time."""
        self._end = end_pts + self.shift(len(self.headers) - 1)

    def shift(self, sequence: int) -> int:
        """Ticks by which times of a sequence are moved on."""
        return self._shifts[sequence] or 0

    def place_packet(self, packet: Packet, sequence: int) -> Packet | None:
        """The packet with the joined video's track number and times; ``None`` if its track is lost."""
        local = self._track_maps[sequence]
        track = local[packet.track] if packet.track < len(local) else None
        if track is None:
            return None
        ticks = round(self.shift(sequence) * self.headers[sequence].format.timebase / self.tracks[track].timebase)
        if ticks == 0 and track == packet.track:
            return packet
        pts = None if packet.pts is None else packet.pts + ticks
        dts = None if packet.dts is None else packet.dts + ticks
        return replace(packet, track=track, pts=pts, dts=dts)
