"""The pictures that rows name, found beside their results and checked: a file of results is not to be trusted."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from nvcodec.errors import InputError
from nvcodec.study.rows import Row

MOST_BYTES = 12_000_000  # of pictures in a page
MOST_OF_ONE = 1 << 24  # bytes of one picture
MOST_OF_A_ROW = 100  # pictures
_NAME = re.compile(r"[^./\\\0][^/\\\0]*\.pictures/[^./\\\0][^/\\\0]*\.(?:webp|png)")  # in a folder, and never up


@dataclass(frozen=True)
class Shelf:
    """Where pictures lie, by the key of their row, and how many bytes of them a page may hold (as base64)."""

    folders: Mapping[str, Path]  # of the file of results that the row stands in
    most_bytes: int = MOST_BYTES


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame of a clip as a picture: decoded from a point's file, or (``row`` None) the original."""

    clip: str
    frame: int
    row: Row | None
    folder: Path
    name: str  # relative to the folder
    size: tuple[int | None, int | None]  # width, height that it must have

    @property
    def label(self) -> str:
        """The curve it is of, or "original"."""
        return self.row.label if self.row is not None else "original"


def shots(rows: Iterable[Row], folders: Mapping[str, Path]) -> tuple[list[Shot], int]:
    """Every picture of the rows, each original once, none of them opened; and how many have a name that none may have.

    ``folders`` are by key; rows without one have no pictures.
    """
    found: dict[tuple[str, int, str], Shot] = {}
    refused: set[str] = set()
    for row in rows:
        folder = folders.get(row.key)
        if folder is None:
            continue
        for kind, of in ((row.source_pictures, None), (row.pictures, row)):
            for frame, name in islice(kind.items(), MOST_OF_A_ROW):
                if not _is_named_well(frame, name):
                    refused.add(repr(name))
                    continue
                shot = Shot(row.clip, int(frame), of, folder, name, (row.width, row.height))
                found.setdefault((row.clip, int(frame), row.key if of is not None else ""), shot)
    return list(found.values()), len(refused)


def _is_named_well(frame: Any, name: Any) -> bool:
    number = isinstance(frame, str) and re.fullmatch(r"[0-9]{1,9}", frame)
    return bool(number) and isinstance(name, str) and _NAME.fullmatch(name) is not None


def byte_count(shot: Shot) -> int:
    """Bytes on disk.

    Raises:
        InputError: it is not there, is no plain file, or is too large.
    """
    try:
        file = _file(shot)
        size = file.stat().st_size
    except OSError as error:
        raise InputError(f"{shot.name!r:.200}: {error.strerror or error}") from None
    if size > MOST_OF_ONE:
        raise InputError(f"{shot.name!r:.200} has {size} bytes, more than {MOST_OF_ONE}")
    return size


def load(shot: Shot) -> tuple[str, bytes]:
    """Its media type and its bytes, which are a whole WebP or PNG picture of the right size.

    Raises:
        InputError: it is not there or is something else, or Pillow is not installed.
    """
    byte_count(shot)
    try:
        data = _file(shot).read_bytes()
        return _checked(data, shot.size), data
    except ImportError:
        raise InputError("pictures need Pillow: pip install 'nvcodec[study]'") from None
    except (OSError, ValueError, SyntaxError, Warning) as error:
        raise InputError(f"{shot.name!r:.200} is not shown: {str(error) or type(error).__name__:.200}") from None


def _file(shot: Shot) -> Path:
    """The file itself; links that lead out of the folder are followed and found out."""
    base = shot.folder.resolve()
    file = (base / shot.name).resolve(strict=True)
    if file.parent.parent != base or not file.is_file():
        raise InputError(f"{shot.name!r:.200} is no file in a folder of pictures")
    return file


def _checked(data: bytes, size: tuple[int | None, int | None]) -> str:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=("WEBP", "PNG")) as image:
                if image.size != size:
                    raise ValueError(f"{image.width}x{image.height} pixels, not {size[0]}x{size[1]}")
                if getattr(image, "n_frames", 1) != 1:
                    raise ValueError("it moves")
                kind = image.format
                image.load()
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from None
        except Image.UnidentifiedImageError:
            raise ValueError("neither WebP nor PNG") from None
    return "image/png" if kind == "PNG" else "image/webp"
