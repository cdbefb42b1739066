"""Files of several videos: which one is meant, what it builds on, and what may be appended."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from nvcodec.api import files
from nvcodec.api.groups import GroupOpener
from nvcodec.codecs.base import Codec, GroupState
from nvcodec.codecs.registry import codec_name, get_codec
from nvcodec.container import Library, is_library, last_group, open_library
from nvcodec.container import Reader as NvcReader
from nvcodec.container.limits import DEFAULT, Limits
from nvcodec.errors import DamagedError, FormatError, InputError, UsageError


def holds_library(codec: Codec) -> bool:
    """Whether files of the codec are libraries."""
    return bool(getattr(codec, "library", False))


class OneVideo:
    """A video of a file, which must stay open: number ``video`` of a library, or the only one.

    Raises :class:`UsageError` where that does not say which one, FormatError and its kin for the file.
    """

    def __init__(self, file: BinaryIO, video: int | None = None, limits: Limits = DEFAULT) -> None:
        self.library: Library | None = open_library(file, limits=limits) if is_library(file) else None
        self.number = _chosen(1 if self.library is None else len(self.library), video)
        self.reader = NvcReader(file, limits=limits) if self.library is None else self.library.video(self.number)

    def before(self, device: str = "cpu") -> GroupState | None:
        """What its first group may lean on: the state of all videos before it. Raises :class:`DamagedError`."""
        return None if self.library is None else state_before(self.library, self.number, device)


def _chosen(count: int, video: int | None) -> int:
    if video is None and count > 1:
        raise UsageError(f"the file holds {count} videos; --video 0 to {count - 1} chooses one")
    if video is not None and not 0 <= video < count:
        held = "one video" if count == 1 else f"{count} videos"
        raise UsageError(f"there is no video {video}: the file holds {held}, counted from 0")
    return video or 0


def state_before(library: Library, number: int, device: str = "cpu") -> GroupState | None:
    """What video ``number`` builds on: symbols of all groups before it are decoded, no pictures."""
    opener = GroupOpener(device, library.limits)
    for before in range(number):
        try:
            reader = library.video(before)
            for index in range(last_group(reader) + 1):
                opener.open(reader.header, reader.read_group(index))
        except DamagedError as error:
            raise DamagedError(f"video {number} builds on video {before}, which is damaged: {error}") from error
        opener.next_video()
    return opener.state


def check_append(target: Path, codec: str) -> str:
    """The codec of a library that a video is to be appended to.

    Raises :class:`InputError` where there is none, :class:`UsageError` if the file is no library or of another codec
    than ``codec`` ("auto": any), ResumeError if its last video is cut, FormatError and its kin.
    """
    if not target.exists():
        raise InputError(f"there is no library {target} to append to; encode with --codec pfnr makes one")
    files.check_source(target, pipe=False)
    with files.open_source(target) as file, files.named(target):
        reader_id = NvcReader(file).header.codec_id
        found = codec_name(reader_id)
        if not is_library(file):
            raise UsageError(f"{target} is no library but one video of codec {found}: only codec pfnr makes libraries")
        open_library(file).check_end()
    if not holds_library(get_codec(found)):
        raise FormatError(f"{target} is a library of codec {found}, which makes none")
    if codec not in ("auto", found):
        raise UsageError(f"{target} is a library of codec {found}: nothing of {codec} can be appended")
    return found
