"""Fields for tests: noise, and what a film's motion looks like."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from nvcodec.motion.field import VECTOR_HIGH, VECTOR_LOW, MotionField, grid_shape, settle


def make_field(seed: int, width: int, height: int, spread: int, wholeness: float = 0.8) -> MotionField:
    """Smooth motion plus jumps of up to `spread` quarters; a share of the blocks is whole."""
    rng = np.random.default_rng(seed)
    rows, columns = grid_shape(width, height)
    base = rng.integers(-spread, spread + 1, (2 * rows, 2 * columns, 2))
    base[rng.random(base.shape[:2]) < rng.random()] = rng.integers(-spread, spread + 1, 2)
    parts = np.clip(base, VECTOR_LOW, VECTOR_HIGH).astype(np.int16)
    whole = np.repeat(np.repeat(rng.random((rows, columns)) < wholeness, 2, 0), 2, 1)
    repeated = np.repeat(np.repeat(parts[::2, ::2], 2, 0), 2, 1)
    return MotionField(width, height, settle(np.where(whole[..., None], repeated, parts), width, height))


SIDES = st.integers(1, 100)
SPREADS = st.sampled_from([0, 1, 6, 100, 5000])
SEEDS = st.integers(0, 2**32)
