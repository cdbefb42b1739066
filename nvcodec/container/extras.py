"""TRAK, PKTS and META: passed-through tracks, their packets, and strings about the stream (SPEC.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from nvcodec.container import fields as f
from nvcodec.errors import FormatError
from nvcodec.format import Packet, Track

KINDS = {"audio": 1, "subtitle": 2, "attachment": 3}
_KIND_NAMES = {number: name for name, number in KINDS.items()}
NAME_MAX = 64
TRACKS_MAX = 1024
PACKETS_MAX = 65535
META_MAX = 1 << 20
META_ENTRIES_MAX = 1024
_KEY, _PTS, _DTS, _DTS_IS_PTS = 1, 2, 4, 8


def pack_track(track: Track, number: int) -> bytes:
    """The payload of TRAK for track ``number`` of its sequence."""
    if track.kind not in KINDS:
        raise FormatError(f"a track of kind {track.kind!r} cannot be written")
    out = f.uv(number) + bytes([KINDS[track.kind]]) + f.fraction(track.timebase, "a track's time base")
    out += f.text(track.language, NAME_MAX, "a track's language") + f.text(track.codec, NAME_MAX, "a track's codec")
    return out + f.blob(track.parameters, f.U63_MAX, "a track's parameters")


def parse_track(payload: bytes, newer: bool = False) -> tuple[int, Track]:
    """A track and its number."""
    c = f.Cursor(payload, "track", newer)
    number = c.uv(TRACKS_MAX - 1, name="number")
    kind = c.u8()
    if kind not in _KIND_NAMES:
        raise c.reserved(f"kind {kind} is reserved")
    timebase = c.fraction("time base")
    language, codec = c.text(NAME_MAX, "language"), c.text(NAME_MAX, "codec")
    track = Track(_KIND_NAMES[kind], codec, timebase, language, c.blob(c.left, "parameters"))
    c.finish()
    return number, track


@dataclass
class _Clock:
    """Where a track's next pts and dts are expected."""

    pts: int = 0
    dts: int = 0

    def advance(self, pts: int | None, dts: int | None, duration: int) -> None:
        self.pts = self.pts if pts is None else pts + duration
        self.dts = self.dts if dts is None else dts + duration


def pack_packets(packets: list[Packet]) -> bytes:
    """The payload of one PKTS chunk: at most :data:`PACKETS_MAX` packets, their data at the end."""
    if not 1 <= len(packets) <= PACKETS_MAX:
        raise FormatError(f"{len(packets)} packets in one chunk")
    out, clocks = bytearray(f.uv(len(packets))), dict[int, _Clock]()
    for packet in packets:
        clock = clocks.setdefault(packet.track, _Clock())
        out += _pack_packet(packet, clock)
        clock.advance(packet.pts, packet.dts, packet.duration)
    return bytes(out) + b"".join(packet.data for packet in packets)


def _pack_packet(packet: Packet, clock: _Clock) -> bytes:
    pts, dts = packet.pts, packet.dts
    for moment in (pts, dts):
        f.check_time((moment or 0) + packet.duration)
        f.check_time(moment or 0)
    same = pts is not None and pts == dts
    flags = _KEY * packet.keyframe | _PTS * (pts is not None) | _DTS * (dts is not None and not same)
    out = bytes([flags | _DTS_IS_PTS * same]) + f.uv(packet.track)
    out += b"" if pts is None else f.sv(pts - clock.pts)
    if dts is not None and not same:
        out += f.sv(dts - (clock.dts if pts is None else pts))
    return out + f.uv(packet.duration) + f.uv(len(packet.data))


def parse_packets(payload: bytes, track_count: int, newer: bool = False) -> list[Packet]:
    """The packets of a PKTS payload; each must be of one of ``track_count`` tracks. Raises :class:`FormatError`."""
    c = f.Cursor(payload, "packets", newer)
    clocks = dict[int, _Clock]()
    rows = [_parse_packet(c, track_count, clocks) for _ in range(c.uv(PACKETS_MAX, 1, "packet count"))]
    packets = [Packet(track, c.take(size), pts, dts, duration, key) for track, size, pts, dts, duration, key in rows]
    c.newer = False  # data runs to the end in every minor version
    c.finish()
    return packets


_PacketRow = tuple[int, int, int | None, int | None, int, bool]


def _parse_packet(c: f.Cursor, track_count: int, clocks: dict[int, _Clock]) -> _PacketRow:
    flags = c.u8()
    if flags >> 4:
        raise c.reserved(f"reserved flags 0x{flags:02x}")
    if flags & _DTS_IS_PTS and (not flags & _PTS or flags & _DTS):
        raise c.fail(f"flags 0x{flags:02x} are forbidden")
    track = c.uv(name="track")
    if track >= track_count:
        raise c.fail(f"track {track} of {track_count}")
    clock = clocks.setdefault(track, _Clock())
    pts = c.time(c.sv() + clock.pts) if flags & _PTS else None
    dts = pts if flags & _DTS_IS_PTS else None
    if flags & _DTS:
        dts = c.time(c.sv() + (clock.dts if pts is None else pts))
    duration, size = c.uv(name="duration"), c.uv(name="size")
    for moment in (pts, dts):
        c.time((moment or 0) + duration)
    clock.advance(pts, dts, duration)
    return track, size, pts, dts, duration, bool(flags & _KEY)


def pack_metadata(entries: dict[str, str]) -> bytes:
    if len(entries) > META_ENTRIES_MAX or "" in entries:
        raise FormatError("metadata: too many entries, or an empty key")
    pairs = [text for pair in entries.items() for text in pair]
    out = f.uv(len(entries)) + b"".join(f.text(text, META_MAX, "metadata") for text in pairs)
    if len(out) > META_MAX:
        raise FormatError(f"metadata of {len(out)} bytes is longer than the format allows ({META_MAX})")
    return out


def parse_metadata(payload: bytes, newer: bool = False) -> dict[str, str]:
    c = f.Cursor(payload, "metadata", newer)
    if len(payload) > META_MAX:
        raise c.fail(f"{len(payload)} bytes are more than the format allows")
    entries: dict[str, str] = {}
    for _ in range(c.uv(META_ENTRIES_MAX, name="entry count")):
        key = c.text(META_MAX, "key")
        if not key or key in entries:
            raise c.fail(f"key {key!r} is empty or repeated")
        entries[key] = c.text(META_MAX, "value")
    c.finish()
    return entries
