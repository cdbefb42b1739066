"""Integer probability tables of the coder: families of discretised Gaussians and generalised Gaussians.

A table gives every quantised value a frequency out of ``2**14``. Tables come from frozen base tables
(``base_tables.bin``, made offline by ``tools/make_tables.py``) by integer arithmetic alone, so that every machine has
the same ones; ``bitstream/CODER.md`` is normative and states their hash. Standard deviations are in quantisation steps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PROBABILITY_BITS = 14
MAX_ALPHABET = 256  # symbols of a table, the escape included
MAX_RAW_BITS = 16
SHAPES = (0.6, 0.8, 1.0, 1.25, 1.5, 2.0)  # rows of the base tables; 1 is Laplace, 2 is Gauss
BASE_SHA256 = "af8962982bad45488a18b76ffd067b038df40ab620a0b2dbebcce287a9611e7c"
TABLES_SHA256 = {
    "gaussian": "af74aa05df667e7faed5f99250abe0533b9981731028837c7e106383974c6deb",
    "ggd": "b890801edd906b82809e607809ab7cde820f2f8eef5d3ab1c1d8b026384aa4c5",
}

LATENT_TABLES = range(335, 399)  # of GGD: Laplace, sigma .115 to 27; for latents of trained codecs
GGD_SCALES = 160  # per shape: 2**(k/8 - 5), k = 0..159
_ROW = 20 * 64 + 1  # a base row is P(X > i/64) for i = 0..1280 in units of 2**-32
_HALF_SLOT = 1 << 17  # half of one frequency unit, in units of 2**-32
_MIN_CODED = 3  # 0, -1 and 1 never need the escape
_OCTAVE = (1073741824, 984625594, 902905651, 827968132, 759250125, 696235434, 638450708, 585461881)  # 2**(30 - j/8)
_GAUSSIAN_RECIPROCALS = (  # 2**30 / sigma for 64 log-spaced sigma from 0.11 to 64
    9761289309, 8823109564, 7975100410, 7208595347, 6515760832, 5889516220, 5323461403, 4811811404,
    4349337252, 3931312544, 3553465142, 3211933515, 2903227270, 2624191485, 2371974465, 2143998598,
    1937934010, 1751674759, 1583317308, 1431141076, 1293590848, 1169260886, 1056880559, 955301362,
    863485172, 780493646, 705478624, 637673467, 576385218, 520987522, 470914225, 425653586,
    384743051, 347764520, 314340080, 284128139, 256819936, 232136387, 209825231, 189658450,
    171429944, 154953422, 140060496, 126598962, 114431248, 103433000, 93491819, 84506107,
    76384033, 69042589, 62406749, 56408694, 50987126, 46086637, 41657146, 37653383,
    34034430, 30763304, 27806572, 25134019, 22718332, 20534821, 18561173, 16777216,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tables:
    """Tables in the form the coders read; table ``t`` owns ``cumulative[offsets[t]:offsets[t + 1]]``.

    ``cumulative`` (uint16) rises from 0 to 2**14; the last symbol of each table is the escape. ``raw_bits`` (uint8) low
    bits of a value travel outside the model.
    """

    cumulative: NDArray[np.uint16]
    offsets: NDArray[np.uint32]
    raw_bits: NDArray[np.uint8]

    @classmethod
    def from_frequencies(cls, frequencies: Sequence[NDArray[np.int64]], raw_bits: Sequence[int]) -> Tables:
        """Raises ValueError unless each table has 2 to 256 frequencies of at least 1 that sum to 2**14."""
        for row, raw in zip(frequencies, raw_bits, strict=True):
            if not 2 <= len(row) <= MAX_ALPHABET or row.min() < 1 or row.sum() != 1 << PROBABILITY_BITS:
                raise ValueError("a table needs 2 to 256 frequencies of at least 1 that sum to 16384")
            if not 0 <= raw <= MAX_RAW_BITS:
                raise ValueError(f"a table has 0 to {MAX_RAW_BITS} raw bits, not {raw}")
        cumulative = np.concatenate([np.concatenate([[0], np.cumsum(row)]) for row in frequencies])
        offsets = np.concatenate([[0], np.cumsum([len(row) + 1 for row in frequencies])])
        return cls(cumulative.astype(np.uint16), offsets.astype(np.uint32), np.array(raw_bits, np.uint8))

    @property
    def size(self) -> int:
        return len(self.raw_bits)

    @cached_property
    def escapes(self) -> NDArray[np.int64]:
        """The escape symbol of each table, (size,)."""
        offsets = self.offsets.astype(np.int64)
        return offsets[1:] - offsets[:-1] - 2

    def frequencies(self, index: int) -> NDArray[np.int64]:
        """Frequencies of one table in symbol order 0, -1, 1, -2, 2, ..., escape."""
        row = self.cumulative[self.offsets[index] : self.offsets[index + 1]].astype(np.int64)
        return row[1:] - row[:-1]

    @cached_property
    def symbol_bits(self) -> NDArray[np.float64]:
        """Cost of each coded symbol in bits, (size, 256); the escape and what lies beyond it cost 0 here."""
        bits = np.zeros((self.size, MAX_ALPHABET))
        for index in range(self.size):
            coded = self.frequencies(index)[:-1]
            bits[index, : len(coded)] = PROBABILITY_BITS - np.log2(coded)
        return bits

    @cached_property
    def escape_bits(self) -> NDArray[np.float64]:
        """Cost of the escape symbol alone in bits, (size,)."""
        return np.array([PROBABILITY_BITS - np.log2(self.frequencies(i)[-1]) for i in range(self.size)])

    def sha256(self) -> str:
        """Hash over raw bits (u8), alphabet size (u16 LE) and frequencies (u16 LE) of each table in order."""
        digest = hashlib.sha256()
        for index, raw in enumerate(self.raw_bits):
            row = self.frequencies(index).astype("<u2")
            digest.update(bytes([raw]) + len(row).to_bytes(2, "little") + row.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class TableFamily:
    """A named list of tables that an index per symbol chooses from. Tables are made at first use."""

    name: str
    reciprocals: tuple[int, ...]  # 2**30 / sigma, one a table
    make: Callable[[], Tables]

    @property
    def size(self) -> int:
        """Number of tables: a valid index is below it."""
        return len(self.reciprocals)

    def sigma(self, index: int) -> float:
        """Standard deviation of a table in quantisation steps."""
        return float((1 << 30) / self.reciprocals[index])

    @cached_property
    def tables(self) -> Tables:
        return self.make()


@cache
def base_tables() -> NDArray[np.int64]:
    """The frozen upper tails, (6 shapes, 1281). Raises RuntimeError if the package's file was altered."""
    data = Path(__file__).with_name("base_tables.bin").read_bytes()
    if hashlib.sha256(data).hexdigest() != BASE_SHA256:
        raise RuntimeError("base_tables.bin does not have its published hash: reinstall nvcodec")
    return np.frombuffer(data, "<u4").astype(np.int64).reshape(len(SHAPES), _ROW)


def _above(row: NDArray[np.int64], edges: NDArray[np.int64], reciprocal: int) -> NDArray[np.int64]:
    """P(X > edge/2) in units of 2**-32 for odd doubled edges, by linear interpolation of a base row."""
    position = (np.abs(edges) * reciprocal) >> 9  # 1/64 sigma in units of 2**-16
    cell = np.minimum(position >> 16, _ROW - 2)
    inside = row[cell] - (((row[cell] - row[cell + 1]) * (position & 0xFFFF)) >> 16)
    tail = np.where(position >> 16 >= _ROW - 1, 0, inside)
    return np.where(edges > 0, tail, (1 << 32) - tail)


def _frequencies(shape: int, reciprocal: int, raw_bits: int) -> NDArray[np.int64]:
    """One table, escape last: masses rounded half up, at least 1, the remainder onto symbol 0."""
    order = np.arange(MAX_ALPHABET - 1, dtype=np.int64)
    values = (order >> 1) ^ -(order & 1)  # 0, -1, 1, -2, 2, ...
    row = base_tables()[shape]
    low, high = 2 * (values << raw_bits) - 1, 2 * ((values + 1) << raw_bits) - 1
    mass = _above(row, low, reciprocal) - _above(row, high, reciprocal)
    small = np.flatnonzero(mass < _HALF_SLOT)
    coded = max(_MIN_CODED, int(small[0]) if len(small) else len(mass))
    mass = np.append(mass[:coded], (1 << 32) - mass[:coded].sum())
    frequencies = np.maximum(1, (mass + _HALF_SLOT) >> 18)
    frequencies[0] += (1 << PROBABILITY_BITS) - frequencies.sum()
    return frequencies


def _parametric(shapes: Sequence[int], reciprocals: Sequence[int], max_ratio: int) -> Tables:
    """Tables whose raw bits are the fewest that keep sigma / 2**raw_bits below `max_ratio`."""
    raw_bits = []
    for reciprocal in reciprocals:
        raw = 0
        while (reciprocal << raw) * max_ratio <= 1 << 30:
            raw += 1
        raw_bits.append(raw)
    rows = [_frequencies(*entry) for entry in zip(shapes, reciprocals, raw_bits, strict=True)]
    return Tables.from_frequencies(rows, raw_bits)


_GGD_RECIPROCALS = tuple((_OCTAVE[k & 7] << 5) >> (k >> 3) for k in range(GGD_SCALES)) * len(SHAPES)
_GGD_SHAPES = tuple(shape for shape in range(len(SHAPES)) for _ in range(GGD_SCALES))

GAUSSIAN = TableFamily(
    "gaussian", _GAUSSIAN_RECIPROCALS, lambda: _parametric([len(SHAPES) - 1] * 64, _GAUSSIAN_RECIPROCALS, 10)
)
"""64 Gaussians, sigma log-spaced from 0.11 to 64: for latents, where a small table set keeps decoders fast."""

GGD = TableFamily("ggd", _GGD_RECIPROCALS, lambda: _parametric(_GGD_SHAPES, _GGD_RECIPROCALS, 16))
"""6 shapes x 160 scales, 2**(k/8 - 5): index = shape * 160 + k, below 1024. For weights and side parameters."""


def ggd_index(shape: float, sigma: float) -> int:
    """Index in GGD of the nearest shape and the nearest scale on a log axis (float: for encoders only)."""
    row = min(range(len(SHAPES)), key=lambda i: abs(SHAPES[i] - shape))
    scale = round(8 * (np.log2(max(sigma, 2.0**-5)) + 5))
    return row * GGD_SCALES + min(scale, GGD_SCALES - 1)


def ggd_parameters(index: int) -> tuple[float, float]:
    """(shape, sigma) of a table of GGD."""
    return SHAPES[index // GGD_SCALES], GGD.sigma(index)


def gaussian_index(sigma: float) -> int:
    """Index in GAUSSIAN nearest to sigma on a log axis (float: for encoders and tests only)."""
    return int(gaussian_indices(np.array([sigma]))[0])


def gaussian_indices(sigmas: NDArray[np.floating]) -> NDArray[np.uint8]:
    """:func:`gaussian_index` of each of an array, of its shape."""
    position = np.log(np.maximum(sigmas, 0.11) / 0.11) / np.log(64 / 0.11) * (GAUSSIAN.size - 1)
    return np.clip(np.rint(position), 0, GAUSSIAN.size - 1).astype(np.uint8)
