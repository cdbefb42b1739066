"""The probability tables of motion: 64 for flags, then the 160 tables of family ggd with shape 0.6 for differences."""

from __future__ import annotations

from functools import cache

import numpy as np

from nvcodec.entropy.tables import GGD, GGD_SCALES, PROBABILITY_BITS, Tables

FLAG_TABLES = 64


@cache
def motion_tables() -> Tables:
    """Flag table i gives 0 and -1 the chances 127 - 2i and 2i + 1 in 128, less one 16384th for the escape."""
    total = 1 << PROBABILITY_BITS
    ones = [(2 * i + 1) * total // 128 for i in range(FLAG_TABLES)]
    flags = [np.array([total - one - 1, one, 1], np.int64) for one in ones]
    rows = range(GGD_SCALES)  # of shape 0.6, GGD's first
    raw_bits = [0] * FLAG_TABLES + [int(GGD.tables.raw_bits[row]) for row in rows]
    return Tables.from_frequencies([*flags, *(GGD.tables.frequencies(row) for row in rows)], raw_bits)
