"""Crops of a real clip as planes, for fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Crop = Callable[..., list[tuple[np.ndarray, np.ndarray, np.ndarray]]]


@pytest.fixture(scope="session")
def crop(carphone: Path, planes_of: Callable[..., list[list[np.ndarray]]]) -> Crop:
    """``crop(width, height, frames, bit_depth=8)``: planes from the middle of the clip, 10 bits by scaling up."""
    decoded = planes_of(carphone, 12)

    def make(width: int, height: int, frames: int, bit_depth: int = 8):
        x, y = (176 - width) // 4 * 2, (144 - height) // 4 * 2
        half = slice(y // 2, y // 2 + (height + 1) // 2), slice(x // 2, x // 2 + (width + 1) // 2)
        cuts = [(slice(y, y + height), slice(x, x + width)), half, half]
        out = []
        for planes in decoded[:frames]:
            pieces = [np.ascontiguousarray(p[cut]) for p, cut in zip(planes, cuts, strict=True)]
            wide = [p.astype(np.uint16) * 1023 // 255 for p in pieces]
            out.append(tuple(w.astype(np.uint16) for w in wide) if bit_depth == 10 else tuple(pieces))
        return out

    return make
