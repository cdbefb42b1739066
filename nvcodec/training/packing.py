"""Videos and pictures -> a packed corpus: square pieces of 8-bit 4:2:0 in flat files that training maps into memory.

A packed folder holds ``corpus.json`` and a file for each clip length. An item is ``frames`` pictures of ``size`` x
``size``, each its Y, U and V samples in raster order (I420). Whoever packs hands in the pictures, so that any decoder
will do.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import InputError, OutputError, UsageError
from nvcodec.training.settings import setting

Samples = NDArray[np.uint8]
Picture = tuple[Samples, Samples, Samples]  # y (H, W), u and v (ceil(H/2), ceil(W/2))
Read = Callable[[Path], Iterator[Picture]]

FORMAT = "nvcodec corpus 1"
INDEX = "corpus.json"
SCENE_CUT = 36.0  # mean absolute difference of successive lumas from which a clip is dropped
_MAX_SIDECAR = 64 << 20  # bytes


@dataclass(frozen=True)
class Packing:
    """How sources are cut."""

    size: int = setting(256, "side of a piece in luma samples, a multiple of 16")
    frames: int = setting(7, "pictures of a clip")
    every: int = setting(1, "of so many runs of --frames pictures, one is taken")
    limit: int = setting(0, "clips of one source at most (default: no limit)")
    stills: str = setting("", "videos of this name (a pattern) are lists of unrelated pictures")
    seed: int = setting(0, "of the places of the pieces (default: 0)")

    def __post_init__(self) -> None:
        if self.size < 16 or self.size % 16 or self.frames < 1 or self.every < 1 or self.limit < 0:
            raise UsageError("a piece is a multiple of 16 wide; frames and every are at least 1, limit at least 0")


@dataclass
class Packed:
    """What packing made of its sources."""

    items: dict[int, list[str]] = field(default_factory=dict)  # clip length -> source of each item
    skipped: list[str] = field(default_factory=list)  # a line for each source that gave nothing


def find_sources(places: Iterable[Path]) -> list[Path]:
    """All files below the given folders, and the given files, in the order of their names.

    Raises:
        InputError: a place is missing, or there is no file in any.
    """
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise InputError(f"{place}: no such file or folder")
        inside = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        found += [p for p in inside if p.suffix != ".json" and not p.name.startswith(".")]
    if not found:
        raise InputError("no files to pack")
    return found


def halve(picture: Picture) -> Picture:
    """Half the size by the mean of 2x2 samples; odd last rows and columns are dropped."""
    return _halved(picture[0]), _halved(picture[1]), _halved(picture[2])


def _halved(plane: Samples) -> Samples:
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    cells = plane[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return ((cells.sum((1, 3), dtype=np.uint16) + 2) >> 2).astype(np.uint8)


def _shrink(picture: Picture, size: int) -> Picture:
    """Halved while it stays twice as large as a piece: coding noise of the source is averaged away."""
    while min(picture[0].shape) >= 4 * size:
        picture = halve(picture)
    return picture


def cut_clips(pictures: Iterable[Picture], frames: int, packing: Packing, seed: int) -> Iterator[tuple[int, Samples]]:
    """(number of the run, item (frames, size * size * 3 / 2)) of one source; runs with a scene cut are left out."""
    rng = np.random.default_rng((packing.seed, seed))
    run: list[Picture] = []
    made = 0
    for index, picture in enumerate(pictures):
        number = index // frames
        if number % packing.every:
            continue
        run.append(_shrink(picture, packing.size))
        if len(run) < frames:
            continue
        if min(run[0][0].shape) >= packing.size and all(p[0].shape == run[0][0].shape for p in run):
            item = _piece(run, packing.size, rng)
            if not _has_cut(item, packing.size):
                yield number, item
                made += 1
        run = []
        if made == packing.limit != 0:
            return


def _piece(run: list[Picture], size: int, rng: np.random.Generator) -> Samples:
    """The same square out of each picture, at even coordinates."""
    height, width = run[0][0].shape
    y, x = (2 * int(rng.integers((side - size) // 2 + 1)) for side in (height, width))
    half = slice(y // 2, (y + size) // 2), slice(x // 2, (x + size) // 2)
    rows = [[p[0][y : y + size, x : x + size], p[1][half], p[2][half]] for p in run]
    return np.stack([np.concatenate([plane.reshape(-1) for plane in row]) for row in rows])


def _has_cut(item: Samples, size: int) -> bool:
    luma = item[:, : size * size].astype(np.int16)
    return len(luma) > 1 and float(np.abs(np.diff(luma, axis=0)).mean(1).max()) > SCENE_CUT


def sidecar_groups(source: Path) -> list[str]:
    """Where each clip of a joined file came from: key ``src`` of the list in the .json beside it; empty without one.

    Raises:
        InputError: there is such a file, and it is no list of rows with a ``src``.
    """
    path = source.with_suffix(".json")
    if not path.is_file():
        return []
    try:
        if path.stat().st_size > _MAX_SIDECAR:
            raise ValueError("too large")
        return [str(row["src"]) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not a list of rows with a src ({error})") from None


def pack(sources: Iterable[Path], folder: Path, read: Read, packing: Packing) -> Packed:
    """Cut all sources into ``folder``; a source that cannot be read is left out and named in the result.

    A source of one picture gives an item of one frame. The index is written last: a folder without it is not finished.

    Raises:
        OutputError: the folder cannot be written, or holds a corpus already.
        InputError: nothing could be cut.
    """
    if (folder / INDEX).exists():
        raise OutputError(f"{folder} holds a corpus already")
    packed = Packed()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = _Files(folder, stack)
            for source in sources:
                _pack_one(source, read, packing, packed, files)
        if not packed.items:
            raise InputError("; ".join(["nothing could be packed", *packed.skipped[:3]]))
        (folder / INDEX).write_text(json.dumps(_index(packed, packing)) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from None
    return packed


class _Files:
    """A file for each clip length, opened when its first item comes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._open: dict[int, BinaryIO] = {}

    def write(self, frames: int, item: Samples) -> None:
        if frames not in self._open:
            self._open[frames] = self._stack.enter_context((self._folder / file_name(frames)).open("wb"))
        self._open[frames].write(item.tobytes())


def file_name(frames: int) -> str:
    """The file of the items of ``frames`` pictures."""
    return f"clips{frames}.yuv"


def _pack_one(source: Path, read: Read, packing: Packing, packed: Packed, files: _Files) -> None:
    made = 0
    try:
        groups = sidecar_groups(source)
        pictures = iter(read(source))
        head = list(itertools.islice(pictures, 2))
        stills = len(head) < 2 or bool(packing.stills and fnmatch(source.name, packing.stills))
        frames = 1 if stills else packing.frames
        seed = int.from_bytes(hashlib.sha256(source.name.encode()).digest()[:4], "little")
        for number, item in cut_clips(itertools.chain(head, pictures), frames, packing, seed):
            files.write(frames, item)
            packed.items.setdefault(frames, []).append(groups[number] if number < len(groups) else source.name)
            made += 1
    except InputError as error:  # what was cut before stays
        packed.skipped.append(str(error))
        return
    if not made:
        packed.skipped.append(f"{source}: smaller or shorter than a clip")


def _index(packed: Packed, packing: Packing) -> dict[str, object]:
    arrays = [{"frames": frames, "sources": sources} for frames, sources in sorted(packed.items.items())]
    return {"format": FORMAT, "size": packing.size, "arrays": arrays}
