"""Going on with the part that an interrupted encode left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from nvcodec.container import Reader as NvcReader
from nvcodec.errors import ResumeError
from nvcodec.video import Picture, Reader


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


def cut_to_groups(file: BinaryIO) -> NvcReader | None:
    """Cut a part behind its last whole group (packets of the group that was lost go too); None if it has no group."""
    entries = NvcReader(file).groups
    file.seek(entries[-1].offset + entries[-1].length if entries else 0)
    file.truncate()
    if entries:
        return NvcReader(file)
    file.seek(0)
    return None


def _settings(metadata: dict[str, str]) -> dict[str, str]:
    try:
        found = json.loads(metadata.get("settings", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def skip_written(pictures: Iterator[Picture], reader: Reader, frames: int) -> int:
    """Read past ``frames`` frames and the packets that were written with them; returns ``frames``."""
    for done in range(frames):
        if next(pictures, None) is None:
            raise ResumeError(f"cannot resume: the source ends after {done} frames, the part has {frames}")
    reader.take_packets()
    return frames
