"""Reads and judges every chunk of a file, whatever its index says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nvcodec.container import chunk as ch
from nvcodec.container.group import HEAD_MAX, parse_head
from nvcodec.container.index import TAIL_SIZE, ChunkRow
from nvcodec.container.layout import Damage, Sequence
from nvcodec.container.scan import row_of
from nvcodec.container.source import Source
from nvcodec.errors import FormatError


@dataclass(frozen=True)
class ChunkResult:
    """What was found of one chunk, or of a damaged place (then ``type`` is empty). ``group`` counts in its sequence."""

    offset: int
    size: int
    type: str
    sequence: int
    group: int | None
    damage: Damage | None

    @property
    def ok(self) -> bool:
        return self.damage is None


def verify_chunks(source: Source, sequences: list[Sequence], known: list[Damage]) -> Iterator[ChunkResult]:
    """One result a chunk, in the order of the file, and one for each ``known`` damage that is not a chunk's."""
    reported = set()
    for number, sequence in enumerate(sequences):
        for row in _all_rows(source, sequence):
            damage = _judge(source, sequence, row)
            reported.add(row.offset)
            found = ch.parse_header(source.read(row.offset, ch.HEADER_SIZE)).type
            name = (row.type or found).decode("latin-1")
            group = None if row.group is None else row.group.number
            yield ChunkResult(row.offset, row.size, name, number, group, damage)
    for damage in list(known):
        if damage.offset not in reported:
            yield ChunkResult(damage.offset, 0, "", _sequence_at(sequences, damage.offset), None, damage)


def _all_rows(source: Source, sequence: Sequence) -> Iterator[ChunkRow]:
    head_at = sequence.start + len(ch.SIGNATURE)
    yield ChunkRow(ch.HEAD, True, head_at, sequence.chunks_start - head_at)
    yield from sequence.chunks
    tail_at = sequence.end - TAIL_SIZE
    if sequence.indexed and sequence.complete and tail_at > sequence.chunks_end:
        yield ChunkRow(ch.INDX, False, sequence.chunks_end, tail_at - sequence.chunks_end)
    if sequence.complete:
        yield ChunkRow(ch.TAIL, True, tail_at, TAIL_SIZE)


def _judge(source: Source, sequence: Sequence, row: ChunkRow) -> Damage | None:
    where = f"chunk at byte {row.offset}"
    length = row.size - ch.FRAME_SIZE
    if not source.crc_holds(row.offset, ch.ChunkHeader(row.type, 0, length)):
        return Damage(row.offset, "crc", f"{row.type.decode('latin-1')} {where} does not match its CRC")
    header = ch.parse_header(source.read(row.offset, ch.HEADER_SIZE))
    if header.length != length or (row.type and row.type != header.type):
        return Damage(row.offset, "index", f"the index is wrong about the {where}")
    try:
        header.check(sequence.header.newer)
        if row.group is not None:
            payload = source.read(row.offset + ch.HEADER_SIZE, min(length, HEAD_MAX))
            head = parse_head(payload, sequence.header.newer, sequence.header.leans_back)
            if row_of(head) != row.group or head.length != length:
                return Damage(row.offset, "index", f"the {where} is not the group that the index names")
    except FormatError as error:
        return Damage(row.offset, "order", f"{where}: {error}")
    return None


def _sequence_at(sequences: list[Sequence], offset: int) -> int:
    starts = [number for number, sequence in enumerate(sequences) if sequence.start <= offset]
    return starts[-1] if starts else 0
