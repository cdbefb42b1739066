"""GRUP, one group of frames: its head, its units (SPEC.md section 4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from nvcodec.container import fields as f
from nvcodec.container.crc import crc32c
from nvcodec.container.timing import Timing, make_timing, pack_timing, parse_timing
from nvcodec.errors import FormatError

HASH_SIZE = 8
COUNT_MAX = 65535  # frames, units
CONFIG_MAX = 65535
REFERENCES_MAX = 16
HEAD_MAX = 1 << 20  # bytes of a group's head
GROUP_MIN = 40  # bytes that any GRUP chunk has at least
_FOLLOWS, _ONE, _PREVIOUS = 1, 2, 4


@dataclass(frozen=True)
class Unit:
    """What is decoded at once: frames ``first .. first + count - 1`` of the group, after the units ``references``."""

    first: int
    count: int
    references: tuple[int, ...]
    payload: bytes


@dataclass
class Group:
    """A group of frames, coded. Group and frame numbers count within the sequence.

    ``depends_on`` -1 is the last group of the sequence before, where that is the library's video before (SPEC.md 4).
    Hashes have 8 bytes, all zero = absent; ``pts`` and ``durations`` are in display order, in the sequence's time base.
    """

    number: int
    first_frame: int
    frame_count: int
    depends_on: int | None
    config: bytes
    units: list[Unit]
    symbol_hash: bytes
    picture_hash: bytes
    pts: list[int]
    durations: list[int]
    sequence: int = field(default=0, compare=False)  # of a file of several, which readers know


@dataclass(frozen=True)
class UnitSpan:
    """A row of the unit table: a :class:`Unit` with ``length`` bytes at ``offset`` of the group's payload."""

    first: int
    count: int
    references: tuple[int, ...]
    offset: int
    length: int


@dataclass(frozen=True)
class GroupHead:
    """All that a group says before its unit payloads; ``size`` is the head's length in bytes."""

    number: int
    first_frame: int
    frame_count: int
    depends_on: int | None
    symbol_hash: bytes
    picture_hash: bytes
    timing: Timing
    config: bytes
    units: tuple[UnitSpan, ...]
    size: int

    @property
    def length(self) -> int:
        """Bytes of the whole payload, by the unit table."""
        return self.units[-1].offset + self.units[-1].length


def _check_cover(spans: Iterable[tuple[int, int]], frame_count: int) -> None:
    """The runs (first, count) must show each of ``frame_count`` frames once; empty runs must begin at 0."""
    end = 0
    for first, count in sorted(spans):
        if count == 0 and first:
            raise FormatError("group: a unit that shows nothing has a first frame")
        if count and first != end:
            raise FormatError(f"group: frame {min(first, end)} is shown twice or not at all")
        end += count
    if end != frame_count:
        raise FormatError(f"group: the units show {end} frames, the group has {frame_count}")


def pack_group(group: Group, leans_back: bool = False) -> bytes:
    """The payload of GRUP; raises :class:`FormatError` for a group that breaks the format.

    ``leans_back``: of its sequence's header, that it may lean on the sequence before.
    """
    _validate(group, leans_back)
    depends = 0 if group.depends_on is None else group.number - group.depends_on
    head = f.uv(group.number) + f.uv(group.first_frame) + f.uv(group.frame_count) + f.uv(depends)
    head += group.symbol_hash + group.picture_hash + pack_timing(make_timing(group.pts, group.durations))
    head += f.blob(group.config, CONFIG_MAX, "a group's config") + f.uv(len(group.units)) + pack_table(group.units)
    if len(head) + 4 > HEAD_MAX:
        raise FormatError(f"group {group.number}: a head of {len(head)} bytes is longer than the format allows")
    return head + struct.pack("<I", crc32c(head)) + b"".join(unit.payload for unit in group.units)


def _validate(group: Group, leans_back: bool) -> None:
    name = f"group {group.number}"
    if not 1 <= group.frame_count <= COUNT_MAX or not 1 <= len(group.units) <= COUNT_MAX:
        raise FormatError(f"{name}: {group.frame_count} frames in {len(group.units)} units")
    if len(group.pts) != group.frame_count:
        raise FormatError(f"{name}: {len(group.pts)} timestamps for {group.frame_count} frames")
    if group.depends_on is not None and not -int(leans_back) <= group.depends_on < group.number:
        raise FormatError(f"{name} cannot lean on group {group.depends_on}")
    if len(group.symbol_hash) != HASH_SIZE or len(group.picture_hash) != HASH_SIZE:
        raise FormatError(f"{name}: hashes must have {HASH_SIZE} bytes")
    for index, unit in enumerate(group.units):
        refs = unit.references
        if len(refs) > REFERENCES_MAX or len(set(refs)) < len(refs) or not all(0 <= r < index for r in refs):
            raise FormatError(f"{name}: unit {index} cannot refer to units {refs}")
        if unit.first < 0 or unit.count < 0:
            raise FormatError(f"{name}: unit {index} shows frames {unit.first} + {unit.count}")
    _check_cover([(u.first, u.count) for u in group.units], group.frame_count)


def pack_table(units: list[Unit]) -> bytes:
    """The rows of units, which stand before their payloads."""
    out, end = bytearray(), 0
    for index, unit in enumerate(units):
        follows = unit.first == end or unit.count == 0
        previous = index > 0 and unit.references == (index - 1,)
        out.append(_FOLLOWS * follows | _ONE * (unit.count == 1) | _PREVIOUS * previous)
        out += b"" if follows else f.uv(unit.first)
        out += b"" if unit.count == 1 else f.uv(unit.count)
        if not previous:
            out += f.uv(len(unit.references)) + b"".join(f.uv(index - r) for r in unit.references)
        out += f.uv(len(unit.payload))
        end = unit.first + unit.count if unit.count else end
    return bytes(out)


def parse_head(data: bytes, newer: bool = False, leans_back: bool = False) -> GroupHead:
    """The head at the start of ``data`` (a GRUP payload, or at least its first :data:`HEAD_MAX` bytes).

    ``newer`` and ``leans_back`` are those of the sequence's header.
    Allocates no more than a small multiple of ``data``. Raises :class:`FormatError`; a wrong head_crc is one too.
    """
    c = f.Cursor(data[:HEAD_MAX], "group", newer)
    number, first_frame = c.uv(name="number"), c.uv(name="first frame")
    c.what = f"group {number}"
    count = c.uv(COUNT_MAX, 1, "frame count")
    depends = c.uv(number + leans_back, name="depends")
    symbol_hash, picture_hash = c.take(HASH_SIZE), c.take(HASH_SIZE)
    timing = parse_timing(c, count)
    config = c.blob(CONFIG_MAX, "config")
    rows = list(_parse_table(c, c.uv(COUNT_MAX, 1, "unit count")))
    crc = crc32c(c.data[: c.at])
    if c.unpack("I")[0] != crc:
        raise c.fail("the head does not match its CRC")
    _check_cover([(row[0], row[1]) for row in rows], count)
    spans, offset = [], c.at
    for first, shown, references, length in rows:
        spans.append(UnitSpan(first, shown, references, offset, length))
        offset += length
    leans = number - depends if depends else None
    return GroupHead(number, first_frame, count, leans, symbol_hash, picture_hash, timing, config, tuple(spans), c.at)


_Row = tuple[int, int, tuple[int, ...], int]


def _parse_table(c: f.Cursor, unit_count: int) -> Iterable[_Row]:
    end = 0
    for index in range(unit_count):
        flags = c.u8()
        if flags >> 3:
            raise c.reserved(f"unit {index} has reserved flags 0x{flags:02x}")
        first = -1 if flags & _FOLLOWS else c.uv(COUNT_MAX, name="first")
        count = 1 if flags & _ONE else c.uv(COUNT_MAX, name="count")
        if first < 0:
            first = end if count else 0
        references = (index - 1,) if flags & _PREVIOUS else _parse_references(c, index)
        if references and references[0] < 0:
            raise c.fail("unit 0 refers to the unit before it")
        yield first, count, references, c.uv(name="unit length")
        end = first + count if count else end


def _parse_references(c: f.Cursor, index: int) -> tuple[int, ...]:
    count = c.uv(REFERENCES_MAX, name="references")
    references = tuple(index - c.uv(index, 1, "a reference") for _ in range(count))
    if len(set(references)) < count:
        raise c.fail(f"unit {index} refers to one unit twice")
    return references


def split_payload(head: GroupHead, payload: bytes) -> Group:
    """The group of ``head``, with payloads and times; the caller has checked the limits.

    Raises :class:`FormatError` if the payload is not as long as the unit table says.
    """
    if head.length != len(payload):
        raise FormatError(f"group {head.number}: units end at byte {head.length}, the payload at {len(payload)}")
    units = [Unit(u.first, u.count, u.references, payload[u.offset : u.offset + u.length]) for u in head.units]
    pts, durations = head.timing.expand()
    return Group(
        head.number, head.first_frame, head.frame_count, head.depends_on, head.config, units,
        head.symbol_hash, head.picture_hash, pts, durations,
    )  # fmt: skip
