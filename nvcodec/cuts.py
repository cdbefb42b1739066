"""Cuts of a scene: where a picture has so little of the one before that it is coded alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nvcodec.format import Planes

CUT = 0.6  # of `changed`
STANDS_OUT = 3.0  # times the mean of the changes beside it
FEWEST_CELLS = 300  # smaller pictures change as a whole under mere motion
GRAIN = 1  # of 8-bit luma: means that differ by less may be noise
_CELL = 8  # luma samples


def local_means(luma: NDArray[np.integer]) -> NDArray[np.int64]:
    """Sums of luma over whole 8x8 cells; of a picture smaller than one, over all of it."""
    rows, columns = (max(1, size // _CELL) for size in luma.shape)
    cell = min(_CELL, luma.shape[0]), min(_CELL, luma.shape[1])
    cut = luma[: rows * cell[0], : columns * cell[1]]
    sums: NDArray[np.int64] = cut.reshape(rows, cell[0], columns, cell[1]).sum((1, 3), np.int64)
    return sums


def changed(a: NDArray[np.int64], b: NDArray[np.int64], grain: int = GRAIN) -> float:
    """How far two pictures' local means are from being the same: 0 of equal ones, about 1 of strangers.

    Local means tell a cut from motion, under which all detail changes, too. ``grain`` is what luma may stray by on a
    plain ground, where pictures have nothing else.
    """
    a, b = a - int(a.mean()), b - int(b.mean())
    energy = float((a * a).sum() + (b * b).sum()) + 2.0 * a.size * (grain * _CELL * _CELL) ** 2
    return float(((a - b) ** 2).sum()) / energy


def grain_of(planes: Planes) -> int:
    """What noise may move a mean of luma by, in the planes' own scale."""
    return GRAIN * (1 if planes[0].dtype == np.uint8 else 4)


class CutFinder:
    """Finds cuts in a row of pictures that is read once, with the next picture known.

    A cut stands out from the changes before and behind it; fast motion and flashes, which change back, do not.
    """

    def __init__(self, first: Planes) -> None:
        self._means, self._change = local_means(first[0]), 0.0  # of the latest picture

    def is_cut(self, planes: Planes, following: Planes | None) -> bool:
        """Whether ``planes``, the next picture of the row, begins a scene; ``following`` comes behind it, if any."""
        means, grain = local_means(planes[0]), grain_of(planes)
        change, usual = changed(means, self._means, grain), self._change
        if change > CUT and following is not None:
            usual = (usual + changed(local_means(following[0]), means, grain)) / 2
        self._means, self._change = means, change
        return means.size >= FEWEST_CELLS and change > max(CUT, STANDS_OUT * usual)


def scenes(frames: Sequence[Planes]) -> list[range]:
    """Runs of frames without a cut between them, in order."""
    means = [local_means(planes[0]) for planes in frames]
    grain = grain_of(frames[0])
    cuts = [t for t in range(1, len(frames)) if changed(means[t], means[t - 1], grain) > CUT]
    return [range(a, b) for a, b in zip([0, *cuts], [*cuts, len(frames)], strict=True)]
