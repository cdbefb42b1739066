"""HEAD, the sequence header: the facts of the stream (SPEC.md section 3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields

from nvcodec.container import fields as f
from nvcodec.container.limits import LEVELS
from nvcodec.errors import FormatError, UnsupportedError
from nvcodec.format import Colour, ContentLight, MasteringDisplay, VideoFormat

MAJOR, MINOR = 1, 0


@dataclass(frozen=True)
class SequenceHeader:
    """What holds for a whole sequence. ``level`` 0 means unknown or unlimited.

    ``video`` is the sequence's number in a library, a file of several videos; ``None`` in all other files.
    """

    format: VideoFormat
    codec_id: int
    level: int = 0
    minor: int = MINOR
    video: int | None = None

    @property
    def newer(self) -> bool:
        """True if the stream is of a later minor version than this reader knows."""
        return self.minor > MINOR

    @property
    def leans_back(self) -> bool:
        """True if its groups may lean on the last group of the sequence before it."""
        return self.video is not None and self.video > 0


def _check(value: int, allowed: range | tuple[int, ...], name: str) -> int:
    if value not in allowed:
        raise FormatError(f"sequence header: {name} {value} is forbidden or reserved")
    return value


def pack_header(header: SequenceHeader) -> bytes:
    """The payload of HEAD; raises :class:`FormatError` for what the format cannot hold."""
    v, colour = header.format, header.format.colour
    _validate(header)
    siting_to_range = (v.bit_depth, v.chroma_siting, colour.primaries, colour.transfer, colour.matrix)
    out = struct.pack("<BBHBHHB", MAJOR, header.minor, header.codec_id, header.level, v.width, v.height, 1)
    out += struct.pack("<7B", *siting_to_range, int(colour.full_range), v.rotation // 90)
    out += f.fraction(v.timebase, "time base") + f.fraction(v.frame_rate, "frame rate", zero=True)
    out += f.fraction(v.sample_aspect, "sample aspect")
    out += bytes([(v.mastering is not None) | (v.content_light is not None) << 1 | (header.video is not None) << 2])
    try:
        if v.mastering is not None:
            m = v.mastering
            points = [n for point in (*m.primaries, m.white_point) for n in point]
            out += struct.pack("<8H2I", *points, m.max_luminance, m.min_luminance)
        if v.content_light is not None:
            out += struct.pack("<2H", v.content_light.max_content, v.content_light.max_average)
    except struct.error:
        raise FormatError("sequence header: mastering display or light level is out of range") from None
    return out if header.video is None else out + struct.pack("<H", header.video)


def _validate(header: SequenceHeader) -> None:
    v, colour = header.format, header.format.colour
    _check(header.codec_id, range(1, 1 << 16), "codec id")
    _check(header.level, (0, *LEVELS), "level")
    _check(v.width, range(1, 1 << 16), "width")
    _check(v.height, range(1, 1 << 16), "height")
    _check(v.bit_depth, (8, 10), "bit depth")
    _check(v.chroma_siting, range(7), "chroma siting")
    _check(v.rotation, (0, 90, 180, 270), "rotation")
    _check(header.video or 0, range(1 << 16), "video")
    for field in fields(Colour):
        _check(int(getattr(colour, field.name)), range(256), field.name)
    if header.level and v.width * v.height > LEVELS[header.level].pixels:
        raise FormatError(f"sequence header: {v.width}x{v.height} is over level {header.level}")


def parse_header(payload: bytes) -> SequenceHeader:
    """The header in HEAD's payload.

    Raises :class:`UnsupportedError` for a higher major version or what a higher minor one reserves for itself,
    :class:`FormatError` for a forbidden field.
    """
    c = f.Cursor(payload, "sequence header")
    major, minor = c.unpack("BB")
    if major > MAJOR:
        raise UnsupportedError(f"the stream is of version {major}.{minor}, this reader knows up to {MAJOR}.x")
    if major == 0:
        raise FormatError("sequence header: major version 0 is forbidden")
    try:
        header = _parse_fields(c, minor)
    except FormatError as error:
        if minor > MINOR:
            raise UnsupportedError(f"{error} (the stream is of version {major}.{minor})") from None
        raise
    c.newer = header.newer
    c.finish()
    return header


def _parse_fields(c: f.Cursor, minor: int) -> SequenceHeader:
    codec_id, level, width, height, chroma = c.unpack("HBHHB")
    _check(chroma, (1,), "chroma format")
    depth, siting, primaries, transfer, matrix, full_range, rotation = c.unpack("7B")
    _check(full_range, (0, 1), "colour range")
    timebase, rate = c.fraction("time base"), c.fraction("frame rate", zero=True)
    aspect = c.fraction("sample aspect")
    extras = _check(c.u8(), range(8), "extras")
    mastering = _parse_mastering(c) if extras & 1 else None
    light = ContentLight(*c.unpack("2H")) if extras & 2 else None
    number = c.unpack("H")[0] if extras & 4 else None
    colour = Colour(primaries, transfer, matrix, bool(full_range))
    video = VideoFormat(width, height, depth, siting, colour, timebase, rate, aspect, rotation * 90, mastering, light)
    if minor > MINOR and level not in LEVELS:
        level = 0
    header = SequenceHeader(video, codec_id, level, minor, number)
    _validate(header)
    return header


def _parse_mastering(c: f.Cursor) -> MasteringDisplay:
    n = c.unpack("8H2I")
    return MasteringDisplay(((n[0], n[1]), (n[2], n[3]), (n[4], n[5])), (n[6], n[7]), n[8], n[9])


def difference(a: SequenceHeader, b: SequenceHeader) -> str:
    """What keeps two sequences from being one video, as ``"width 640 / 320, ..."``; empty if nothing does."""
    parts = [] if a.video == b.video else [f"video {a.video} / {b.video}"]
    parts += [] if a.codec_id == b.codec_id else [f"codec id {a.codec_id} / {b.codec_id}"]
    for field in fields(VideoFormat):
        mine, other = getattr(a.format, field.name), getattr(b.format, field.name)
        if mine != other:
            parts.append(f"{field.name} {mine} / {other}")
    return ", ".join(parts)


def videos_missing(before: SequenceHeader | None, header: SequenceHeader, hurt: bool) -> int:
    """How many videos of a library are lost between two sequences of a file (``before``: ``None`` for the first one).

    Raises :class:`FormatError` if these cannot follow each other; some may be lost only if the file is ``hurt``
    before ``header``.
    """
    number = header.video
    if number is None and (before is None or before.video is None):
        return 0
    if number is None or (before is not None and before.video is None):
        raise FormatError("some sequences of the file are videos of a library, others are not")
    if before is not None and before.codec_id != header.codec_id:
        raise FormatError(f"codec ids of a library differ: {before.codec_id} / {header.codec_id}")
    due = 0 if before is None or before.video is None else before.video + 1
    if number < due or (number > due and (before is None or not hurt)):
        raise FormatError(f"video {number} of a library where video {due} is due")
    return number - due
