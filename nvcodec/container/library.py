"""Several videos in one file, the later ones leaning on the earlier ones' groups (SPEC.md section 6.3)."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from nvcodec.container import chunk as ch
from nvcodec.container.describe import JSON, describe
from nvcodec.container.header import SequenceHeader, videos_missing
from nvcodec.container.layout import Damage, Sequence, check_signature, check_videos, read_head
from nvcodec.container.limits import DEFAULT, Limits
from nvcodec.container.reader import Reader
from nvcodec.container.scan import find_sequences
from nvcodec.container.source import Source
from nvcodec.container.stream import StreamReader
from nvcodec.container.writer import Writer
from nvcodec.errors import DamagedError, FormatError, ResumeError, UsageError


class View(io.RawIOBase):
    """Bytes ``start .. end`` of a seekable file as a file of their own; reading moves the position in ``file``."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._size = file, start, end - start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        at = offset + (0, self._at, self._size)[whence]
        if at < 0:
            raise ValueError(f"seek to {at}")
        self._at = at
        return at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        count = left if size is None or size < 0 else min(size, left)
        self._file.seek(self._start + self._at)
        data = self._file.read(count)
        self._at += len(data)
        return data

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


class Library:
    """A file of numbered videos, as :func:`open_library` finds it.

    ``videos`` are the headers of the videos found, in order; ``len`` counts lost ones too, up to the last one found.
    ``damage`` is of the whole file, as far as opening it shows; offsets count from its start.
    """

    def __init__(self, file: BinaryIO, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self._file = file
        source = Source(file)
        self.sequences: list[Sequence] = find_sequences(source)
        gaps = check_videos(self.sequences)
        if self.sequences[0].header.video is None:
            raise UsageError("the file holds one video, it is no library")
        self.file_size = source.size
        self.damage: list[Damage] = [damage for sequence in self.sequences for damage in sequence.damage] + gaps
        self._places = {sequence.header.video: place for place, sequence in enumerate(self.sequences)}

    @property
    def videos(self) -> list[SequenceHeader]:
        return [sequence.header for sequence in self.sequences]

    @property
    def truncated(self) -> bool:
        """True if a video lacks its end."""
        return not all(sequence.complete for sequence in self.sequences)

    def __len__(self) -> int:
        return (self.sequences[-1].header.video or 0) + 1

    def video(self, number: int) -> Reader:
        """A reader of video ``number`` as if it were the whole file: offsets, sizes and frames count from its start.

        A group with ``depends_on`` -1 leans on the last group of video ``number`` - 1. Raises :class:`IndexError`
        behind the last video, :class:`DamagedError` for a lost one, and as :class:`Reader` does.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"video {number} of {len(self)}")
        if number not in self._places:
            raise DamagedError(f"video {number} was in a damaged part of the file")
        start, end = self.span(number)
        return Reader(cast(BinaryIO, View(self._file, start, end)), limits=self.limits, video=number)

    def check_end(self) -> None:
        """Raise :class:`ResumeError` unless a video can be appended."""
        last = self.sequences[-1]
        if not last.complete or last.hurt or last.end != self.file_size:
            raise ResumeError(f"video {last.header.video} has no sound end: none can be appended to the library")

    def span(self, number: int) -> tuple[int, int]:
        """Where a video's bytes lie: up to the next one found, so that what is damaged between them is seen."""
        place = self._places[number]
        behind = self.sequences[place + 1 : place + 2]
        return self.sequences[place].start, behind[0].start if behind else self.file_size


def open_library(file: BinaryIO, *, limits: Limits = DEFAULT) -> Library:
    """The library in a file that can seek, which must stay open.

    Reads no more than tails, headers and indexes where these are sound; ``limits`` hold for each video when it is
    asked for. Raises :class:`UsageError` if it is no library, and as :class:`Reader` does.
    """
    return Library(file, limits)


def is_library(source: Reader | StreamReader | BinaryIO) -> bool:
    """Whether a reader's file, or a file that can seek, holds numbered videos; of a file reads the first header only.

    Raises as :class:`Reader` does if there is none.
    """
    if isinstance(source, (Reader, StreamReader)):
        return source.header.video is not None
    bytes_ = Source(source)
    check_signature(bytes_.read(0, min(len(ch.SIGNATURE), bytes_.size)))
    return read_head(bytes_, 0, bytes_.size)[0].video is not None


def last_group(reader: Reader) -> int:
    """Index of the last group of a library's video, which groups of the next one lean on as -1.

    Raises :class:`DamagedError` if that group is not there, or if it may have been lost: one before it would be taken
    for it and show other pictures.
    """
    sequence, number = reader.sequences[-1], reader.header.video
    lost = not sequence.complete or not reader.groups
    if not lost:
        read = {row.offset for row in sequence.chunks if row.type != ch.GRUP or row.group is not None}
        places = [damage.offset for damage in reader.damage if damage.kind != "index" and damage.offset not in read]
        lost = any(offset >= reader.groups[-1].offset for offset in places)
    if lost:
        raise DamagedError(f"the last group of video {number} is lost")
    return len(reader.groups) - 1


def append_video(file: BinaryIO, header: SequenceHeader) -> Writer:
    """A writer of one more video behind those of ``file``, which is open for reading and writing.

    Raises :class:`ResumeError` if the last video is cut or damaged, :class:`FormatError` if ``header`` is not that of
    the next video, and as :func:`open_library` does. Nothing is written then.
    """
    library = open_library(file)
    library.check_end()
    if header.video is None or videos_missing(library.sequences[-1].header, header, hurt=False):
        raise FormatError("only a video of the library can be appended to it")
    file.seek(library.file_size)
    return Writer(file, header)


def describe_file(file: BinaryIO, *, limits: Limits = DEFAULT) -> JSON:
    """:func:`describe` of a file, for a library of each video: what test vectors hold.

    ``damage`` of a library has offsets of the whole file, those in ``videos`` count from each video's start.
    """
    try:
        library = open_library(file, limits=limits)
    except UsageError:
        return describe(Reader(file, limits=limits))
    numbers = [header.video or 0 for header in library.videos]
    videos = [describe(library.video(number)) for number in numbers]
    damage = [[d.offset, d.kind] for d in check_videos(library.sequences)]
    for number, video in zip(numbers, videos, strict=True):
        damage += [[library.span(number)[0] + offset, kind] for offset, kind in video["damage"]]
    return {"videos": videos, "truncated": any(v["truncated"] for v in videos), "damage": sorted(damage)}
