"""Frames of a study kept as pictures beside its rows, so that a report can show what was measured."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvcodec.api import files

LOSSLESS_PIXELS = 1 << 18
"""Pictures up to this size are kept without loss, larger ones as WebP of `QUALITY`: a third of the bytes."""
QUALITY = 95
_LONGEST = 60  # signs of a clip's and of a point's name in a file's name


def why_no_pictures() -> str | None:
    """Why no pictures can be kept here, in one line, or None where they can."""
    try:
        from PIL import features
    except ImportError:
        return "no pictures are kept: they need Pillow, pip install 'nvcodec[study]'"
    return None if features.check("webp") else "no pictures are kept: this Pillow writes no WebP"


def picture_folder(results: Path) -> Path:
    """Where the pictures of a file of results lie: ``r.pictures`` beside ``r.jsonl``."""
    return results.with_name(f"{results.stem}.pictures")


def chosen_frames(count: int, frames: int) -> tuple[int, ...]:
    """``count`` frame indices, each the middle of its share of the clip; all of a clip that has no more."""
    count = min(count, frames)
    return tuple((2 * i + 1) * frames // (2 * count) for i in range(count))


@dataclass(frozen=True)
class PictureJob:
    """What is kept of one point: ``count`` frames, the same of every point of a clip, and the source's own."""

    folder: Path
    count: int
    clip: str  # names that files are told by; foreign signs are replaced
    point: str

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; ``PictureJob.from_dict`` is the inverse."""
        return {**asdict(self), "folder": str(self.folder)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PictureJob:
        """The inverse of `as_dict`."""
        return cls(**{**values, "folder": Path(values["folder"])})


class Keeper:
    """Writes the pictures of one point. A picture that cannot be written is left out, with a note on stderr."""

    def __init__(self, job: PictureJob, frames: int) -> None:
        self.job, self.frames = job, chosen_frames(job.count, frames)
        self._kept: dict[str, dict[int, str]] = {"pictures": {}, "source_pictures": {}}

    def keep(self, index: int, source: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> None:
        """Takes frame ``index`` of both as RGB of shape (H, W, 3), if it is one of the chosen; safe in threads."""
        if index not in self.frames:
            return
        for kind, name, rgb in (
            ("source_pictures", "original", source),
            ("pictures", self.job.point, decoded),
        ):
            try:
                self._kept[kind][index] = self._written(f"{_plain(name)}_f{index}", rgb)
            except (OSError, ValueError, ImportError) as error:
                print(f"a picture of frame {index} is left out: {error}", file=sys.stderr)

    def as_dict(self) -> dict[str, dict[str, str]]:
        """The fields of a row: frame index to file name, relative to the folder of the results."""
        return {
            kind: {str(index): name for index, name in sorted(kept.items())}
            for kind, kept in self._kept.items()
            if kept
        }

    def _written(self, name: str, rgb: NDArray[np.uint8]) -> str:
        """The file's name, which ends in a digest of the pixels: the original is written by the first point alone."""
        digest = hashlib.sha256(repr(rgb.shape).encode() + np.ascontiguousarray(rgb).tobytes()).hexdigest()[:12]
        target = self.job.folder / f"{self._clip}_{name}-{digest}.webp"
        if not target.exists():
            self.job.folder.mkdir(parents=True, exist_ok=True)
            _save(rgb, target)
        return f"{self.job.folder.name}/{target.name}"

    @cached_property
    def _clip(self) -> str:
        return _plain(self.job.clip)


def _save(rgb: NDArray[np.uint8], target: Path) -> None:
    from PIL import Image

    small = rgb.shape[0] * rgb.shape[1] <= LOSSLESS_PIXELS
    how: dict[str, Any] = {"lossless": True, "quality": 50} if small else {"quality": QUALITY}
    part = files.private_part_path(target)
    try:
        Image.fromarray(rgb).save(part, "WEBP", method=4, **how)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _plain(name: str) -> str:
    plain = re.sub(r"[^\w.+-]+", "-", name, flags=re.ASCII)[:_LONGEST]
    return plain.strip("-._") or "clip"
