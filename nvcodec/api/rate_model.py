"""What groups took at their qualities, a forecast for those to come: one quality for all that is left of a file.

It is estimated anew before each group, from all before it. So groups of one file may get unlike qualities: where the
pictures become easier or harder to code, those behind make up for what was forecast of the ones before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nvcodec.codecs.goal_search import RATE_SLOPE


@dataclass
class RateModel:
    """Bytes a frame at quality 0, by the codec's usual rise of rate with quality."""

    _bytes: float = 0.0
    _frames: int = 0

    def add(self, size: int, frames: int, quality: float) -> None:
        """Count a group of so many payload bytes."""
        self._bytes += size * 2.0 ** (-RATE_SLOPE * quality)
        self._frames += frames

    @property
    def log2_rate(self) -> float | None:
        """None before the first group."""
        return math.log2(self._bytes / self._frames) if self._bytes else None
