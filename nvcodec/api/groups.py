"""From a group of the container to pictures, with every check on the way."""

from __future__ import annotations

from dataclasses import dataclass

from nvcodec.codecs.base import Codec, GroupDecoder, GroupState, may_lean
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import codec_name, get_codec
from nvcodec.container import Group, SequenceHeader, check_cost
from nvcodec.container import Reader as NvcReader
from nvcodec.container.limits import DEFAULT, Limits
from nvcodec.errors import DamagedError, FormatError
from nvcodec.video import Picture


@dataclass
class OpenGroup:
    """A group whose symbols are decoded and proven."""

    group: Group
    decoder: GroupDecoder

    @property
    def state(self) -> GroupState | None:
        """For a group that leans on this one."""
        return getattr(self.decoder, "state", None)

    @property
    def independent(self) -> bool:
        """Whether frames may be made in several threads at once."""
        return bool(getattr(self.decoder, "independent", False))

    def picture(self, frame: int) -> Picture:
        """Frame ``frame`` of the group, 0-based."""
        return Picture(*self.decoder.planes(frame), self.group.pts[frame], self.group.durations[frame])

    def picture_hash(self) -> bytes:
        """Of all frames; decodes them all."""
        pictures = PictureHash()
        for frame in range(self.group.frame_count):
            pictures.update(self.decoder.planes(frame))
        return pictures.digest()


class GroupOpener:
    """Opens groups in the order of the stream, and keeps of the latest what the next one may lean on."""

    def __init__(self, device: str = "cpu", limits: Limits = DEFAULT) -> None:
        self._device, self._limits = device, limits
        self._latest: tuple[int, int, GroupState | None] | None = None  # sequence, number, state

    def start_from(self, opened: OpenGroup) -> None:
        """As if it had opened this group."""
        self._latest = opened.group.sequence, opened.group.number, opened.state

    def start_behind(self, state: GroupState | None) -> None:
        """As if it had opened all videos of a library before the one to come, which left ``state``."""
        self._latest = None if state is None else (0, -1, state)

    @property
    def state(self) -> GroupState | None:
        """Of the latest group."""
        return None if self._latest is None else self._latest[2]

    def next_video(self) -> None:
        """Groups to come are of the next video of a library."""
        self.start_behind(self.state)

    def open(self, header: SequenceHeader, group: Group) -> OpenGroup:
        """As :func:`open_group`; DamagedError for a group whose support was not opened just before."""
        latest, self._latest = self._latest, None
        previous = None
        if group.depends_on is not None:
            check_support(header, group)
            if latest is None or latest[:2] != (group.sequence, group.depends_on):
                raise DamagedError(f"group {group.number} leans on {_support(group)}, which was not decoded")
            previous = latest[2]
        opened = open_group(header, group, self._device, self._limits, previous)
        self._latest = group.sequence, group.number, opened.state
        return opened


def _support(group: Group) -> str:
    """What a group leans on, in words."""
    return "the video before" if group.depends_on == -1 else f"group {group.depends_on}"


def check_support(header: SequenceHeader, group: Group) -> None:
    """Raise :class:`FormatError` for a group that leans on what none of its codec may lean on."""
    codec = get_codec(codec_name(header.codec_id))
    if not may_lean(codec):
        raise FormatError(f"groups of codec {codec.name} stand alone, but {group.number} leans on {_support(group)}")
    if group.depends_on != group.number - 1:
        raise FormatError(f"group {group.number} leans on {_support(group)}, not on the one before it")


def open_group(
    header: SequenceHeader,
    group: Group,
    device: str = "cpu",
    limits: Limits = DEFAULT,
    previous: GroupState | None = None,
) -> OpenGroup:
    """Check the cost, decode the symbols, compare their hash (where the stream has one).

    ``previous`` is the state of the group that it leans on. Raises LimitError (before allocating), FormatError,
    DamagedError, UnsupportedError.
    """
    codec: Codec = get_codec(codec_name(header.codec_id))
    check_cost(codec.cost(group.config, header.format, group.frame_count), limits)
    before: tuple[GroupState, ...] = ()
    if group.depends_on is not None:
        check_support(header, group)
        if previous is None:
            raise DamagedError(f"group {group.number} leans on {_support(group)}, which left nothing to lean on")
        before = (previous,)
    decoder = codec.open_group(group.config, group.units, header.format, group.frame_count, device, *before)
    if any(group.symbol_hash) and decoder.symbol_hash != group.symbol_hash:  # all zeros: none was given
        raise DamagedError(f"group {group.number}: the decoded symbols do not match their hash")
    return OpenGroup(group, decoder)


def open_after(
    reader: NvcReader,
    index: int,
    open_now: tuple[int, OpenGroup] | None = None,
    device: str = "cpu",
    before: GroupState | None = None,
) -> OpenGroup:
    """Group ``index`` of a file, through all that it leans on, or from the one of these that is ``open_now``.

    ``before`` is what a library's videos before this one left. Raises what :func:`open_group` does.
    """
    opener, needed = GroupOpener(device, reader.limits), reader.chain(index)
    opener.start_behind(before)
    if open_now is not None and open_now[0] in needed:
        opener.start_from(open_now[1])
        needed = needed[needed.index(open_now[0]) + 1 :]
    for at in needed:
        opened = opener.open(reader.header, reader.read_group(at))
    return opened
