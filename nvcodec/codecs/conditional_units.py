"""A frame of the conditional codec as bytes: the unit's payload (bitstream/CONDITIONAL.md, section 3)."""

from __future__ import annotations

from typing import NamedTuple

from nvcodec.container.fields import Cursor, uv
from nvcodec.models.integer import QUALITIES

_BOTH = 64  # beside the quality: a second field follows
_ZEROS = bytes(3)  # three empty segments: what no bytes at all stand for


class FramePayload(NamedTuple):
    """What a unit's payload holds; a frame that stands alone has no motion."""

    quality: int
    motion: tuple[bytes, ...]  # a field for each reference that it is predicted from
    latents: bytes  # as of :mod:`nvcodec.codecs.latent_units`


def pack_payload(frame: FramePayload) -> bytes:
    """The bytes of a unit."""
    head = bytes([frame.quality | (_BOTH if len(frame.motion) == 2 else 0)])
    latents = b"" if frame.latents == _ZEROS else frame.latents
    return head + b"".join(uv(len(field)) + field for field in frame.motion) + latents


def parse_payload(payload: bytes, references: int) -> FramePayload:
    """The parts of a unit that leans on so many others.

    Raises FormatError for reserved bits, a second field without a second reference, or lengths beyond the payload.
    """
    cursor = Cursor(payload, "a unit of the conditional codec")
    head = cursor.u8()
    fields = 1 + bool(head & _BOTH) if references else 0
    if head >= QUALITIES + _BOTH or fields > references or (head & _BOTH and not references):
        raise cursor.reserved(f"its first byte is {head} with {references} references")
    motion = tuple(cursor.take(cursor.uv(name="the length of a motion field")) for _ in range(fields))
    return FramePayload(head % _BOTH, motion, cursor.take(cursor.left) or _ZEROS)
