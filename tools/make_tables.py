"""Makes the frozen base tables of the entropy coder: ``python tools/make_tables.py`` (needs mpmath, offline).

For each shape of the generalised Gaussian with unit standard deviation it writes P(X > i/64) for i = 0..1280 as
unsigned 32-bit little-endian numbers in units of 2**-32, rounded to nearest; the last one is 0 by definition.
Everything that the coder does with them afterwards is integer arithmetic (see bitstream/CODER.md).
"""

from __future__ import annotations

import argparse
import hashlib
import struct
from fractions import Fraction
from pathlib import Path

import mpmath

SHAPES = ("0.6", "0.8", "1", "1.25", "1.5", "2")
STEPS_PER_SIGMA = 64
CELLS = 20 * STEPS_PER_SIGMA
TARGET = Path(__file__).resolve().parents[1] / "nvcodec" / "entropy" / "base_tables.bin"


def upper_tail(shape: str) -> list[int]:
    """P(X > i/64) in units of 2**-32 for a generalised Gaussian of unit variance.

    The density is proportional to exp(-(|x|/a)**shape) with a**2 = Gamma(1/shape) / Gamma(3/shape).
    """
    beta = mpmath.mpf(Fraction(shape).numerator) / Fraction(shape).denominator
    a = mpmath.sqrt(mpmath.gamma(1 / beta) / mpmath.gamma(3 / beta))
    tail = []
    for i in range(CELLS):
        x = mpmath.mpf(i) / STEPS_PER_SIGMA
        q = mpmath.gammainc(1 / beta, (x / a) ** beta, mpmath.inf, regularized=True) / 2
        tail.append(int(mpmath.nint(q * 2**32)))
    return [*tail, 0]


def gaussian_reciprocals(count: int = 64, low: str = "0.11", high: str = "64") -> list[int]:
    """round(2**30 / sigma_k) for `count` standard deviations, log-spaced from `low` to `high`."""
    ratio = mpmath.mpf(high) / mpmath.mpf(low)
    return [int(mpmath.nint(2**30 / (mpmath.mpf(low) * ratio ** (mpmath.mpf(k) / (count - 1))))) for k in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=TARGET)
    args = parser.parse_args()
    mpmath.mp.dps = 40
    data = b"".join(struct.pack(f"<{CELLS + 1}I", *upper_tail(shape)) for shape in SHAPES)
    args.output.write_bytes(data)
    print(f"{args.output}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
    print("reciprocals of the Gaussian family:", gaussian_reciprocals())
    octave = [int(mpmath.nint(2**30 * mpmath.mpf(2) ** (-mpmath.mpf(j) / 8))) for j in range(8)]
    print("eighth-octave mantissas:", octave)


if __name__ == "__main__":
    main()
