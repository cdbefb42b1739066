"""Going on with the part that an interrupted encode left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, BinaryIO

from nvcodec.api.files import check_free, named, open_source, part_path
from nvcodec.api.grouping import Piece
from nvcodec.api.passthrough import PacketFeed
from nvcodec.api.settings import EncodeSettings
from nvcodec.container import Reader as NvcReader
from nvcodec.errors import FormatError, ResumeError, TruncatedError


def check_same(old: NvcReader, metadata: dict[str, str]) -> NvcReader:
    """Raise :class:`ResumeError`, naming what differs, unless the part came from this source with these settings."""
    differences = [
        f"{key} was {old.metadata.get(key, 'not given')}, is {value}"
        for key, value in metadata.items()
        if key != "settings" and old.metadata.get(key) != value
    ]
    before, now = _settings(old.metadata), _settings(metadata)
    differences += [
        f"{key} was {before.get(key, 'not given')}, is {now.get(key, 'not given')}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if differences:
        raise ResumeError(f"cannot resume, the part was made otherwise: {'; '.join(differences)}")
    return old


EXCLUSIVE = (("quality", "bpp", "size", "psnr"), ("preset", "time_budget"))  # one of each, at most


def adopt(target: Path, given: dict[str, Any]) -> dict[str, Any]:
    """``given`` settings, and those of the part of ``target`` where nothing was given (None, or a field's default).

    The part's are text from a file: what does not read as its field's type is left out, and found by the comparison.
    Raises TypeError for a setting that does not exist, UsageError for one that is out of bounds.
    """
    EncodeSettings(**given)
    part = part_path(target)
    if not part.is_file():
        return given
    with open_source(part) as file, suppress(FormatError):
        stored = _settings(NvcReader(file).metadata)
        if given.get("codec", "auto") not in ("auto", stored.get("codec")):
            return given  # another codec's settings mean nothing to this one; the comparison names it
        out = {field.name: given[field.name] for field in fields(EncodeSettings) if _chosen(field, given)}
        for field in fields(EncodeSettings):
            rivals = next((names for names in EXCLUSIVE if field.name in names), (field.name,))
            if isinstance(stored.get(field.name), str) and not any(name in out and name in given for name in rivals):
                with suppress(ValueError):
                    out[field.name] = _value(str(field.type), stored[field.name])
        return {**out, "device": given.get("device", "auto")}
    return given


def _chosen(field: Field[Any], given: dict[str, Any]) -> bool:
    return given.get(field.name, field.default) != field.default


def _value(annotation: str, text: str) -> Any:
    """Text of a part's metadata as a setting's type; raises ValueError."""
    if annotation.startswith("bool"):
        return text == "True"
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
    return kinds[annotation.partition(" ")[0]](text)


def find_part(target: Path, resume: bool, overwrite: bool, append: bool = False) -> tuple[Path, bool]:
    """Where work on ``target`` goes, and whether to go on with what lies there. Raises :class:`ResumeError`.

    What was to be appended to a library is never gone on with.
    """
    part = part_path(target)
    if resume and not part.exists():
        raise ResumeError(f"nothing to resume: there is no {part}")
    if part.is_file():
        check_free(part)
    if part.exists() and not resume and not overwrite:
        ways = "-y drops it" if append else "--resume goes on with it, -y starts anew"
        raise ResumeError(f"{part} is left from an earlier encode: {ways}")
    return part, resume and has_header(part)


def has_header(part: Path) -> bool:
    """False if the encode was stopped before a whole header stood in the file: then nothing is lost by starting anew.

    Raises FormatError and its kin for a file that is no part of ours.
    """
    with open_source(part) as file, named(part):
        try:
            reader = NvcReader(file) if part.stat().st_size else None
        except TruncatedError:
            return False
        return reader is not None and bool(reader.groups or reader.metadata)


def cut_to_groups(file: BinaryIO) -> NvcReader | None:
    """Cut a part behind its last whole group; None if it has no group.

    What was written behind it goes too, packets of the lost group as well; so does all from the first damage on.
    """
    reader = NvcReader(file)
    sound = min((damage.offset for damage in reader.damage if damage.kind != "index"), default=reader.file_size)
    ends = [entry.offset + entry.length for entry in reader.groups if not entry.damaged]
    end = max((end for end in ends if end <= sound), default=0)
    try:
        file.seek(end)
        file.truncate()
    except OSError as error:
        raise ResumeError(f"the part cannot be changed: {error.strerror or error}") from error
    if end:
        return NvcReader(file)
    file.seek(0)
    return None


def _settings(metadata: dict[str, str]) -> dict[str, str]:
    try:
        found = json.loads(metadata.get("settings", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def without_written(pieces: Iterator[Piece], feed: PacketFeed, old: NvcReader) -> Iterator[Piece]:
    """The groups that ``old`` does not hold yet. All are cut from the beginning, so that they are cut as they were.

    Raises :class:`ResumeError` where the source does not have what ``old`` has.
    """
    feed.skip(old)
    done = 0
    for entry in old.groups:
        piece = next(pieces, None)
        done += len(piece.pictures) if piece else 0
        if done != entry.first_frame + entry.frame_count:
            raise ResumeError(
                f"cannot resume: the part's groups end at frame {entry.first_frame + entry.frame_count}, "
                f"the source's at frame {done}"
            )
        feed.pull()
    return pieces
