"""A packed corpus mapped into memory, and the batches of a training: which ones is a function of seed and step."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.errors import InputError, UsageError
from nvcodec.training.packing import FORMAT, INDEX, file_name

Frames = tuple[Tensor, Tensor, Tensor]
"""Clips of 4:2:0 samples: y (N, T, H, W), u and v (N, T, H/2, W/2), uint8."""

_MAX_INDEX = 64 << 20  # bytes
_MAX_SIZE, _MAX_FRAMES = 4096, 256
_NAMED = 12  # families of sources in a summary


@dataclass(frozen=True)
class Items:
    """Items of one clip length of one packed folder."""

    samples: NDArray[np.uint8]  # (items, frames, size * size * 3 / 2), mapped
    size: int
    sources: tuple[str, ...]  # one an item

    @property
    def frames(self) -> int:
        return self.samples.shape[1]

    @property
    def summary(self) -> str:
        """A line for logs and model cards: how many items of how many sources, and the largest families of them."""
        what = "pictures" if self.frames == 1 else f"clips of {self.frames} pictures"
        families = Counter(source.partition("/")[0][:40] for source in self.sources).most_common()
        named = ", ".join(f"{name} {count}" for name, count in families[:_NAMED])
        more = f" and {len(families) - _NAMED} more" * (len(families) > _NAMED)
        digest = hashlib.sha256("\n".join(self.sources).encode()).hexdigest()[:8]
        size, sources = f"{self.size}x{self.size}", len(set(self.sources))
        return f"{len(self.sources)} {what} of {size} from {sources} sources ({named}{more}; index {digest})"


def open_corpus(folder: Path) -> list[Items]:
    """The items of a packed folder.

    Raises:
        InputError: there is no finished corpus, or its index and files do not fit each other.
    """
    path = folder / INDEX
    try:
        if path.stat().st_size > _MAX_INDEX:
            raise ValueError("too large")
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise ValueError(f"not of the form {FORMAT!r}")
        return [_map(folder, entry, index["size"]) for entry in index["arrays"]]
    except OSError as error:
        hint = "python -m nvcodec.training pack makes one"
        raise InputError(f"{folder}: no packed corpus ({error.strerror or error}); {hint}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None


def _map(folder: Path, entry: dict[str, Any], size: Any) -> Items:
    frames, sources = entry["frames"], tuple(str(s) for s in entry["sources"])
    whole = all(type(value) is int for value in (size, frames))
    if not whole or not 16 <= size <= _MAX_SIZE or size % 16 or not 1 <= frames <= _MAX_FRAMES or not sources:
        raise ValueError("impossible sizes")
    path = folder / file_name(frames)
    shape = (len(sources), frames, size * size * 3 // 2)
    if path.stat().st_size != shape[0] * shape[1] * shape[2]:
        raise ValueError(f"{path.name} is not as long as the index says")
    return Items(np.memmap(path, np.uint8, "r", shape=shape), size, sources)


@dataclass(frozen=True)
class Split:
    """Which items train and which validate: no source is in both."""

    training: list[tuple[Items, NDArray[np.int64]]]
    validation: list[tuple[Items, NDArray[np.int64]]]


def split_corpus(all_items: Sequence[Items], held_out: int) -> Split:
    """Hold out about ``held_out`` sources of each kind of item, chosen by a hash of their names.

    One item of each held-out source validates; where there are too few sources, the last items are held out instead.
    """
    training, validation = [], []
    for items in all_items:
        names = sorted(set(items.sources), key=lambda name: hashlib.sha256(name.encode()).digest())
        if len(names) >= 4 * held_out:
            chosen = set(names[:held_out])
            rows = np.array([i for i, name in enumerate(items.sources) if name not in chosen])
            kept = np.array(sorted(items.sources.index(name) for name in chosen), np.int64)
        else:
            count = min(held_out, len(items.sources) // 4)
            rows, kept = np.split(np.arange(len(items.sources)), [len(items.sources) - count])
        training.append((items, rows))
        validation.append((items, kept))
    return Split(training, validation)


def planes(samples: NDArray[np.uint8], size: int) -> Frames:
    """Y, U and V of items (N, T, size * size * 3 / 2)."""
    whole, quarter, half = size * size, size * size // 4, size // 2
    clips = torch.from_numpy(np.array(samples))
    lead = clips.shape[:2]
    u, v = clips[..., whole : whole + quarter], clips[..., whole + quarter :]
    return clips[..., :whole].view(*lead, size, size), u.view(*lead, half, half), v.view(*lead, half, half)


class Sampler:
    """Random batches of clips of one length.

    Of the parts of the corpus that have clips of ``frames`` pictures at least, stills are taken with the probability
    ``stills`` (where ``frames`` is 1 and there are any), the others by their numbers of items.
    """

    def __init__(self, split: Split, *, batch: int, frames: int, crop: int, stills: float, seed: int) -> None:
        parts = [(items, rows) for items, rows in split.training if items.frames >= frames and len(rows)]
        if not parts:
            raise UsageError(f"the corpus has no clips of {frames} pictures")
        if crop % 16 or not 16 <= crop <= min(items.size for items, _ in parts):
            raise UsageError(f"a crop is a multiple of 16 and no larger than the corpus' pieces, not {crop}")
        self._parts, self._batch, self._frames, self._crop, self._seed = parts, batch, frames, crop, seed
        self._shares = self._part_shares(stills)

    def _part_shares(self, stills: float) -> NDArray[np.float64]:
        single = np.array([items.frames == 1 for items, _ in self._parts])
        shares = np.array([float(len(rows)) for _, rows in self._parts])
        if single.any() and not single.all():
            shares[single] *= stills / shares[single].sum()
            shares[~single] *= (1 - stills) / shares[~single].sum()
        return shares / shares.sum()

    def batch(self, step: int) -> tuple[Frames, Tensor]:
        """(frames, quality (N,) uniform in 0..63) of a step."""
        rng = np.random.default_rng((self._seed, step))
        clips = [self._clip(rng) for _ in range(self._batch)]
        y, u, v = (torch.from_numpy(np.stack(list(plane))) for plane in zip(*clips, strict=True))
        return (y, u, v), torch.from_numpy(rng.uniform(0, 63, self._batch).astype(np.float32))

    def _clip(self, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
        items, rows = self._parts[rng.choice(len(self._parts), p=self._shares)]
        row = rows[rng.integers(len(rows))]
        first = int(rng.integers(items.frames - self._frames + 1))
        y, x = (2 * int(rng.integers((items.size - self._crop) // 2 + 1)) for _ in range(2))
        size, flips = items.size, tuple(axis for axis in (0, 1, 2) if rng.random() < 0.5)
        samples = items.samples[row, first : first + self._frames]
        cuts = []
        for start, side, top, left, crop in (
            (0, size, y, x, self._crop),
            (size * size, size // 2, y // 2, x // 2, self._crop // 2),
            (size * size * 5 // 4, size // 2, y // 2, x // 2, self._crop // 2),
        ):
            plane = samples[:, start : start + side * side].reshape(self._frames, side, side)
            piece = plane[:, top : top + crop, left : left + crop]
            cuts.append(np.ascontiguousarray(np.flip(piece, flips)))
        return cuts
