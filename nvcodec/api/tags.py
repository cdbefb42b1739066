"""What of a group goes into the file beside its payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from nvcodec.codecs.base import GroupPayload
from nvcodec.container import Group, Writer
from nvcodec.format import Packet
from nvcodec.video import Picture


@dataclass(frozen=True)
class Tag:
    """Times of a group's frames, in the stream's time base, and the packets that were read with it."""

    pts: list[int]
    durations: list[int]
    packets: list[Packet]

    @classmethod
    def of(cls, pictures: list[Picture], packets: list[Packet]) -> Self:
        return cls([p.pts for p in pictures], [p.duration for p in pictures], packets)


def group_of(payload: GroupPayload, tag: Tag, writer: Writer | None) -> Group:
    """The payload as the group that follows on ``writer``'s."""
    number, first = (writer.group_count, writer.frame_count) if writer else (0, 0)
    return Group(
        number, first, len(tag.pts), number - 1 if payload.leans else None, payload.config, payload.units,
        payload.symbol_hash, payload.picture_hash, tag.pts, tag.durations,
    )  # fmt: skip
