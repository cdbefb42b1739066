"""Explicit tables: the measured frequencies of one array, sent beside it, for arrays that no parametric table fits.

A table costs some 10 to 150 bytes, so it pays from about 10,000 symbols on. ``bitstream/CODER.md`` specifies the bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy.bits_py import BitReader, BitWriter, put_exp_golomb, take_exp_golomb
from nvcodec.entropy.cost import histogram, table_costs, zigzag_array
from nvcodec.entropy.tables import MAX_ALPHABET, MAX_RAW_BITS, PROBABILITY_BITS, TableFamily, Tables
from nvcodec.errors import DamagedError, FormatError

PRECISIONS = (14, 13, 12)  # bits that the frequencies of an explicit table sum to
_NAME = "the frequencies of an explicit table"


def explicit_family(frequencies: NDArray[np.int64], raw_bits: int) -> TableFamily:
    """A family of one table; frequencies, escape last, sum to 2**14. Raises ValueError if they do not."""
    tables = Tables.from_frequencies([frequencies], [raw_bits])
    values = np.arange(len(frequencies))
    spread = float(np.sqrt((((values + 1) // 2) ** 2 * frequencies).sum() / frequencies.sum())) * (1 << raw_bits)
    return TableFamily("explicit", (max(1, round((1 << 30) / max(spread, 2.0**-5))),), lambda: tables)


def _order(previous: int, shift: int) -> int:
    """Exp-Golomb order of the next difference: differences shrink with the frequencies they lie between."""
    return max(0, previous.bit_length() - 1 - shift)


def _write(frequencies: NDArray[np.int64], raw_bits: int, precision: int, shift: int) -> bytes:
    bits = BitWriter()
    bits.put(raw_bits, 5)
    bits.put(PROBABILITY_BITS - precision, 2)
    bits.put(shift, 2)
    bits.put(len(frequencies) - 2, 8)
    previous = (1 << precision) // len(frequencies)
    for frequency in (frequencies >> (PROBABILITY_BITS - precision)).tolist()[:-1]:
        difference = frequency - previous
        put_exp_golomb(bits, 2 * difference if difference >= 0 else -2 * difference - 1, _order(previous, shift))
        previous = frequency
    return bits.finish()


def write_table(family: TableFamily) -> bytes:
    """The bytes of an explicit table, at the precision its frequencies allow."""
    frequencies = family.tables.frequencies(0)
    unit = int(np.bitwise_or.reduce(frequencies))
    precision = PROBABILITY_BITS - min((unit & -unit).bit_length() - 1, PROBABILITY_BITS - min(PRECISIONS))
    return min((_write(frequencies, int(family.tables.raw_bits[0]), precision, s) for s in range(4)), key=len)


def read_table(data: bytes | memoryview) -> tuple[TableFamily, int]:
    """The table at the front of `data` and the bytes it takes. Raises DamagedError or FormatError."""
    bits = BitReader(bytes(data[:1024]), 0, _NAME)  # no table is longer: 255 codes of at most 31 bits
    raw_bits, coarse, shift, coded = bits.take(5), bits.take(2), bits.take(2), bits.take(8) + 1
    if raw_bits > MAX_RAW_BITS or coarse >= len(PRECISIONS) or coded + 1 > MAX_ALPHABET:
        raise FormatError("an explicit table has an impossible header")
    left = 1 << (PROBABILITY_BITS - coarse)
    previous = left // (coded + 1)
    frequencies = []
    for _ in range(coded):
        code = take_exp_golomb(bits, _order(previous, shift))
        previous += (code >> 1) ^ -(code & 1)
        left -= previous
        if previous < 1 or left < 1:
            raise DamagedError(f"{_NAME} do not add up")
        frequencies.append(previous)
    used = bits.finish()
    return explicit_family(np.array([*frequencies, left], np.int64) << coarse, raw_bits), used


def _normalise(counts: NDArray[np.int64], precision: int) -> NDArray[np.int64]:
    """Counts to frequencies of at least 1 that sum to 2**14 in steps of 2**(14 - precision)."""
    total = 1 << precision
    exact = counts * (total / counts.sum())
    frequencies = np.maximum(1, np.rint(exact)).astype(np.int64)
    while (over := int(frequencies.sum()) - total) != 0:
        loss = np.where(frequencies > 1, exact / frequencies, np.inf) if over > 0 else -exact / frequencies
        frequencies[np.argsort(loss)[: abs(over)]] -= np.sign(over)
        frequencies = np.maximum(frequencies, 1)
    return frequencies << (PROBABILITY_BITS - precision)


def _candidates(values: NDArray[np.int64], counts: NDArray[np.int64], raw: int) -> list[NDArray[np.int64]]:
    """Counts by table symbol, escape last, cut where 0, 0.01, 0.1 and 1 % of the symbols become escapes."""
    order = zigzag_array(values >> raw)
    dense = np.bincount(np.minimum(order, MAX_ALPHABET - 1), counts, 1).astype(np.int64)
    covered = np.cumsum(dense)
    cuts = {int(np.searchsorted(covered, share * covered[-1])) + 1 for share in (1.0, 0.9999, 0.999, 0.99)}
    cuts = {min(cut, MAX_ALPHABET - 1) for cut in cuts}
    return [np.append(dense[:cut], dense[cut:].sum()) for cut in sorted(cuts)]


def fit_table(symbols: NDArray[np.integer]) -> tuple[TableFamily, bytes, float]:
    """(family, its bytes, bits of `symbols` under it) of the explicit table that makes table and symbols smallest.

    Raises ValueError for no symbols.
    """
    values, counts = histogram(symbols)
    if len(values) == 0:
        raise ValueError("no symbols to measure")
    widest = int(np.abs(values).max()).bit_length()
    best: tuple[float, TableFamily, bytes, float] | None = None
    for raw in range(max(0, widest - 12), min(MAX_RAW_BITS, widest) + 1):
        for candidate in _candidates(values, counts, raw):
            for precision in PRECISIONS:
                family = explicit_family(_normalise(candidate, precision), raw)
                table, bits = write_table(family), float(table_costs(symbols, family)[0])
                if best is None or bits + 8 * len(table) < best[0]:
                    best = (bits + 8 * len(table), family, table, bits)
    assert best is not None
    return best[1:]
