"""From a group of the container to pictures, with every check on the way."""

from __future__ import annotations

from dataclasses import dataclass

from nvcodec.codecs.base import Codec, GroupDecoder
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import codec_name, get_codec
from nvcodec.container import Group, SequenceHeader, check_cost
from nvcodec.container.limits import DEFAULT, Limits
from nvcodec.errors import DamagedError
from nvcodec.video import Picture


@dataclass
class OpenGroup:
    """A group whose symbols are decoded and proven."""

    group: Group
    decoder: GroupDecoder

    def picture(self, frame: int) -> Picture:
        """Frame ``frame`` of the group, 0-based."""
        return Picture(*self.decoder.planes(frame), self.group.pts[frame], self.group.durations[frame])

    def picture_hash(self) -> bytes:
        """Of all frames; decodes them all."""
        pictures = PictureHash()
        for frame in range(self.group.frame_count):
            pictures.update(self.decoder.planes(frame))
        return pictures.digest()


def open_group(header: SequenceHeader, group: Group, device: str = "cpu", limits: Limits = DEFAULT) -> OpenGroup:
    """Check the cost, decode the symbols, compare their hash (where the stream has one).

    Raises LimitError (before allocating), FormatError, DamagedError, UnsupportedError.
    """
    codec: Codec = get_codec(codec_name(header.codec_id))
    check_cost(codec.cost(group.config, header.format, group.frame_count), limits)
    decoder = codec.open_group(group.config, group.units, header.format, group.frame_count, device)
    if any(group.symbol_hash) and decoder.symbol_hash != group.symbol_hash:  # all zeros: none was given
        raise DamagedError(f"group {group.number}: the decoded symbols do not match their hash")
    return OpenGroup(group, decoder)
