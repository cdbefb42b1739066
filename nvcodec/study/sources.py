"""Clips made ready for a study: cut without loss, and as the 4:2:0 pictures that every encoder gets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from nvcodec.api import files
from nvcodec.errors import InputError, OutputError
from nvcodec.study.coded import Source
from nvcodec.study.cutting import cut, holds_420, to_420, window_of
from nvcodec.study.rawfiles import is_raw, raw_to_y4m
from nvcodec.video import Reader, SourceInfo, probe

_PIECE = 1 << 20  # bytes of a clip's start and of its end that its digest covers
_NO_RATE = Fraction(25)


def prepare(clip: Path, folder: Path, frames: int | None = None, crop: tuple[int, int] | None = None) -> Source:
    """A clip as every encoder of a study gets it: its first ``frames`` frames, the middle ``crop`` of each picture.

    ``crop`` is (width, height). What has to be made is made in ``folder``, without loss, under a name that says all
    that it depends on; a later call finds it there. A file of 4:2:0 pictures that is taken whole is used where it lies.

    Raises:
        InputError: the clip cannot be read, is smaller than the crop, or is a raw file whose name does not say enough.
        OutputError: the folder cannot be written.
    """
    clip = Path(clip)
    files.check_source(clip, pipe=False)
    prefix = f"{clip.stem[:80]}-{clip_digest(clip)}" + (f"-{frames}f" if frames else "")
    piece = clip
    if is_raw(clip):
        piece = _made(folder / f"{prefix}.y4m", lambda part: raw_to_y4m(clip, part, frames))
    info = probe(piece)
    window = window_of(info, clip, frames, crop)
    if window is not None:
        whole, prefix = piece, prefix + (f"-{window.width}x{window.height}" if crop else "")
        piece = _made(folder / f"{prefix}.mkv", lambda part: cut(whole, part, info, window))
        info = probe(piece)
    pictures = piece
    if not holds_420(info):
        pictures = _made(folder / f"{prefix}-420.mkv", lambda part: to_420(piece, part))
    return _described(clip.name, piece, pictures, info)


def _made(target: Path, make: Callable[[Path], None]) -> Path:
    """``target``, made unless it is there; a half-made one never has its name."""
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target.parent}: {error.strerror or error}") from None
    part = files.private_part_path(target)
    try:
        make(part)
        files.finish(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _described(name: str, clip: Path, pictures: Path, info: SourceInfo) -> Source:
    with Reader(clip, audio=False, limit=1) as reader:
        next(iter(reader), None)  # what the headers do not tell, such as interlacing, shows here and not in an encode
    frames = probe(pictures).frame_count if pictures != clip else info.frame_count
    if frames is None:
        with Reader(pictures, audio=False) as reader:
            frames = sum(1 for _ in reader)
    if not frames:
        raise InputError(f"{clip}: no frames")
    return Source(name, clip, pictures, info.format, frames, info.format.frame_rate or _NO_RATE)


def clip_digest(path: Path) -> str:
    """12 hexadecimal digits of SHA-256 over a file's size, its first and its last MiB.

    Raises:
        InputError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with files.open_source(path) as file:
        size = file.seek(0, os.SEEK_END)
        digest.update(str(size).encode())
        for start in (0, max(0, size - _PIECE)):
            file.seek(start)
            digest.update(file.read(_PIECE))
    return digest.hexdigest()[:12]
