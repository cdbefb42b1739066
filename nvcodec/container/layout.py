"""Where the chunks of a file lie, found from its end by tails and indexes where these are sound (SPEC.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from nvcodec.container import chunk as ch
from nvcodec.container.header import SequenceHeader, parse_header, videos_missing
from nvcodec.container.index import TAIL_SIZE, ChunkRow, GroupRow, parse_index, parse_tail
from nvcodec.container.source import Source
from nvcodec.errors import DamagedError, FormatError, TruncatedError, UnsupportedError
from nvcodec.format import Track

HEADER_CHUNK_MAX = 4096  # a longer HEAD is taken for damage


@dataclass(frozen=True)
class Damage:
    """A damaged place. ``kind``: ``crc`` a chunk, ``header`` unreadable bytes, ``order`` a stray chunk, ``index``."""

    offset: int
    kind: str
    message: str


@dataclass
class Sequence:
    """A sequence as found: where its chunks lie, before any of them is decoded. Offsets count from the file's start."""

    start: int
    header: SequenceHeader
    chunks_start: int  # behind HEAD
    chunks_end: int  # behind the last chunk before INDX
    end: int
    chunks: list[ChunkRow] = field(default_factory=list)
    end_pts: int = 0
    complete: bool = False  # has its TAIL
    indexed: bool = False  # rows come from the index; the chunks themselves were not looked at
    tracks: list[Track | None] = field(default_factory=list)  # None: its chunk is lost
    damage: list[Damage] = field(default_factory=list)

    @property
    def groups(self) -> list[GroupRow]:
        return [row.group for row in self.chunks if row.group is not None]

    @property
    def hurt(self) -> bool:
        """True if something other than the index is known to be damaged."""
        return any(damage.kind != "index" for damage in self.damage)


def check_signature(start: bytes) -> None:
    """Judge the first 8 bytes (fewer, if the file has no more): :class:`FormatError`, :class:`TruncatedError`."""
    if not start or not ch.SIGNATURE.startswith(start):
        raise FormatError("not an nvc file" if start else "not an nvc file: it is empty")
    if len(start) < len(ch.SIGNATURE):
        raise TruncatedError("the file ends before its header does")


def check_head_chunk(header: ch.ChunkHeader) -> None:
    """The chunk behind a signature must look like HEAD; raises :class:`DamagedError`."""
    if header.type != ch.HEAD or header.length > HEADER_CHUNK_MAX:
        raise DamagedError("the sequence header is damaged")


def read_head(source: Source, start: int, end: int) -> tuple[SequenceHeader, int]:
    """The sequence header behind the signature at ``start``, and where its chunk ends.

    Raises :class:`TruncatedError` if it does not end by ``end``, :class:`DamagedError`, :class:`UnsupportedError`.
    """
    at = start + len(ch.SIGNATURE)
    if at + ch.HEADER_SIZE > end:
        raise TruncatedError("the file ends before its header does")
    header = ch.parse_header(source.read(at, ch.HEADER_SIZE))
    check_head_chunk(header)
    if at + header.size > end:
        raise TruncatedError("the file ends before its header does")
    parsed = parse_header(source.payload(at, header))
    header.check(parsed.newer)
    return parsed, at + header.size


def from_tail(source: Source, end: int) -> Sequence | None:
    """The sequence that ends at ``end`` with a tail that can be believed, its chunks not yet listed; else ``None``."""
    header = source.header(end - TAIL_SIZE, end) if end > TAIL_SIZE else None
    if header is None or header.type != ch.TAIL or header.size != TAIL_SIZE:
        return None
    try:
        index_size, size = parse_tail(source.payload(end - TAIL_SIZE, header))
        if size > end or not source.starts_sequence(end - size):
            return None
        head, chunks_start = read_head(source, end - size, end - TAIL_SIZE)
    except (DamagedError, TruncatedError):
        return None
    header.check(head.newer)
    index_start = end - TAIL_SIZE - index_size
    return Sequence(end - size, head, chunks_start, index_start, end, complete=True, indexed=index_size > 0)


def read_index(source: Source, sequence: Sequence) -> bool:
    """Fill the rows of a sequence that :func:`from_tail` found; ``False`` if its index is not sound.

    Raises :class:`UnsupportedError` if the index names a critical chunk that this reader does not know.
    """
    at, tail = sequence.chunks_end, sequence.end - TAIL_SIZE
    header = source.header(at, tail) if sequence.indexed and at >= sequence.chunks_start else None
    if header is None or header.type != ch.INDX or at + header.size != tail:
        return False
    newer, leans_back = sequence.header.newer, sequence.header.leans_back
    try:
        payload = source.payload(at, header)
        sequence.chunks, sequence.end_pts = parse_index(payload, sequence.chunks_start, at, newer, leans_back)
    except FormatError:
        return False
    header.check(newer)
    if any(row.critical and not row.type for row in sequence.chunks):
        raise UnsupportedError("the stream holds a chunk that is unknown to this reader and needed to decode")
    return True


def check_videos(sequences: list[Sequence], only: int | None = None) -> list[Damage]:
    """Judge the numbers of a library's videos (SPEC.md 6.3): in order from 0, or video ``only`` alone.

    Videos lost behind damage are listed. Raises :class:`FormatError`.
    """
    if only is not None:
        if [sequence.header.video for sequence in sequences] != [only]:
            raise FormatError(f"the bytes of video {only} of a library hold other sequences")
        return []
    out: list[Damage] = []
    before, hurt = None, False
    for sequence in sequences:
        lost = videos_missing(before, sequence.header, hurt)
        if lost:
            out.append(lost_videos(sequence.start, sequence.header, lost))
        before, hurt = sequence.header, hurt or sequence.hurt or not sequence.complete
    return out


def lost_videos(offset: int, header: SequenceHeader, count: int) -> Damage:
    """``count`` videos are missing before the sequence at ``offset``."""
    return Damage(offset, "order", f"{count} videos are lost before video {header.video}")
