"""Quantisation steps as the stream has them (bitstream/FITTED.md, section 3)."""

from __future__ import annotations

import numpy as np

STEP_BIAS = 13 * 16  # a coded step exponent e stands for 2**((e - STEP_BIAS) / 16)
# round(2**(23 + k/16)): a step's float32 is one of these times a power of two, the same on every machine
_MANTISSAS = (
    8388608, 8760003, 9147842, 9552851, 9975792, 10417458, 10878679, 11360319,
    11863283, 12388516, 12937002, 13509772, 14107901, 14732511, 15384775, 16065917,
)  # fmt: skip


def step_size(exponent: int) -> np.float32:
    """The float32 step of a coded exponent 0..255, 2**(exponent/16 - 13), made without a library's pow."""
    octave, fraction = divmod(exponent - STEP_BIAS, 16)
    return np.float32(np.ldexp(np.float64(_MANTISSAS[fraction]), octave - 23))


def step_exponent(log2_step: float) -> int:
    """The nearest exponent that the stream can hold."""
    return max(0, min(255, round(log2_step * 16) + STEP_BIAS))
