"""INDX and TAIL: every chunk of a sequence, and how to find it from the end (SPEC.md section 6)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from nvcodec.container import chunk as ch
from nvcodec.container import fields as f
from nvcodec.container.group import COUNT_MAX, GROUP_MIN

TAIL_SIZE = ch.FRAME_SIZE + 12
SEQUENCE_MIN = 8 + 55 + TAIL_SIZE  # signature, HEAD without extras, TAIL
_OTHER, _OTHER_CRITICAL = 0, 5
_KINDS = {ch.GRUP: 1, ch.TRAK: 2, ch.PKTS: 3, ch.META: 4}
_TYPES = {number: kind for kind, number in _KINDS.items()}


@dataclass(frozen=True)
class GroupRow:
    """What the index repeats of a group; numbers count within the sequence, -1 is the last group of the one before."""

    number: int
    first_frame: int
    frame_count: int
    depends_on: int | None
    pts_first: int


@dataclass(frozen=True)
class ChunkRow:
    """A chunk between HEAD and INDX. ``type`` is empty for a type that the index does not name."""

    type: bytes
    critical: bool
    offset: int  # from the file's start
    size: int  # of the whole chunk
    group: GroupRow | None = None
    damaged: bool = False


def pack_index(chunks: Sequence[ChunkRow], end_pts: int) -> bytes:
    """The payload of INDX."""
    out, previous = bytearray(f.uv(len(chunks))), 0
    for row in chunks:
        other = _OTHER_CRITICAL if row.critical else _OTHER
        out.append(_KINDS.get(row.type, other))
        out += f.uv(row.size)
        if row.group is not None:
            g = row.group
            depends = 0 if g.depends_on is None else g.number - g.depends_on
            out += f.uv(g.frame_count) + f.uv(depends) + f.sv(g.pts_first - previous)
            previous = g.pts_first
    return bytes(out) + f.sv(end_pts)


def parse_index(
    payload: bytes, start: int, end: int, newer: bool = False, leans_back: bool = False
) -> tuple[list[ChunkRow], int]:
    """The chunks that lie from byte ``start`` to ``end`` of the file without gaps, and the end pts.

    Raises :class:`FormatError`; the number of rows is bounded by the bytes of the chunks they stand for.
    """
    c = f.Cursor(payload, "index", newer)
    rows: list[ChunkRow] = []
    offset, number, frames, pts = start, 0, 0, 0
    for _ in range(c.uv(name="chunk count")):
        kind = c.u8()
        if kind > _OTHER_CRITICAL:
            raise c.reserved(f"kind {kind} is reserved")
        name = _TYPES.get(kind, b"")
        size = c.uv(end - offset, GROUP_MIN if name == ch.GRUP else ch.FRAME_SIZE, "a chunk's size")
        group = None
        if name == ch.GRUP:
            count, depends = c.uv(COUNT_MAX, 1, "frame count"), c.uv(number + leans_back, name="depends")
            pts = c.time(pts + c.sv())
            group = GroupRow(number, frames, count, number - depends if depends else None, pts)
            number, frames = number + 1, frames + count
        rows.append(ChunkRow(name, kind in (1, _OTHER_CRITICAL), offset, size, group))
        offset += size
    end_pts = c.time(c.sv())
    c.finish()
    if offset != end:
        raise c.fail(f"its chunks end at byte {offset}, not {end}")
    return rows, end_pts


def pack_tail(index_size: int, sequence_size: int) -> bytes:
    """The payload of TAIL. ``sequence_size`` counts from the signature to TAIL's last byte."""
    return struct.pack("<IQ", index_size, sequence_size)


def parse_tail(payload: bytes) -> tuple[int, int]:
    """Index size and sequence size."""
    c = f.Cursor(payload, "tail")
    index_size, sequence_size = c.unpack("IQ")
    c.finish()
    return index_size, sequence_size
