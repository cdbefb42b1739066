"""All that an nvc file says, as plain data for JSON: what test vectors compare and ``info --json`` builds on."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from nvcodec.container.header import SequenceHeader
from nvcodec.errors import DamagedError
from nvcodec.format import Packet, Track

if TYPE_CHECKING:
    from nvcodec.container.reader import Reader

JSON = dict[str, Any]


def digest(data: bytes) -> str:
    """First 16 hex digits of the SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def describe_header(header: SequenceHeader) -> JSON:
    """The sequence header, fractions as ``"num/den"``; ``video`` in libraries alone."""
    out: JSON = {"codec_id": header.codec_id, "level": header.level, "minor": header.minor}
    out |= {} if header.video is None else {"video": header.video}
    return out | _plain(asdict(header.format))


def describe_track(track: Track) -> JSON:
    return {
        "kind": track.kind,
        "codec": track.codec,
        "timebase": _plain(track.timebase),
        "language": track.language,
        "parameters": track.parameters.hex(),
    }


def _describe_packet(packet: Packet) -> list[Any]:
    p = packet
    return [p.track, p.pts, p.dts, p.duration, p.keyframe, len(p.data), digest(p.data)]


def describe(reader: Reader) -> JSON:
    """Reads every chunk and lists it all, damage too. Raises the other errors of :meth:`Reader.read_group`."""
    for _ in reader.verify():
        pass
    return {
        "sequences": [
            {"offset": s.start, "complete": s.complete, "header": describe_header(s.header)} for s in reader.sequences
        ],
        "frame_count": reader.frame_count,
        "truncated": reader.truncated,
        "metadata": reader.metadata,
        "tracks": [describe_track(track) for track in reader.tracks],
        "groups": [_describe_group(reader, index) for index in range(len(reader.groups))],
        "packets": [_describe_packet(packet) for packet in reader.iter_packets()],
        "passthrough_bytes": reader.passthrough_bytes,
        "damage": sorted([d.offset, d.kind] for d in reader.damage),
    }


def _describe_group(reader: Reader, index: int) -> JSON:
    entry = reader.groups[index]
    out = {key: getattr(entry, key) for key in ("sequence", "number", "first_frame", "frame_count", "depends_on")}
    out |= {"offset": entry.offset, "length": entry.length}
    try:
        group = reader.read_group(index)
    except DamagedError:
        return out | {"damaged": True}
    units = [[u.first, u.count, list(u.references), len(u.payload), digest(u.payload)] for u in group.units]
    return out | {
        "damaged": False,
        "config": group.config.hex(),
        "symbol_hash": group.symbol_hash.hex(),
        "picture_hash": group.picture_hash.hex(),
        "pts": group.pts,
        "durations": group.durations,
        "units": units,
    }
