"""The table of every symbol of a fitted group, by the text of FITTED.md section 3: words, offsets, one index at a time.

What the text forbids is a ValueError here.
"""

from __future__ import annotations

import math

import numpy as np

from nvcodec.entropy.segment import decode_segment
from nvcodec.entropy.tables import GGD

Shapes = list[tuple[int, ...]]
Lines = list[tuple[int, int, int, int]]  # tensor, axis, number and table of offsets


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _lines(words: list[int], shapes: Shapes, channels: int) -> Lines:
    out = []
    for number, (word, shape) in enumerate(zip(words, shapes, strict=True)):
        rows, columns, unit, which = word >> 10 & 1, word >> 11 & 1, word >> 12 & 3, word >> 14
        require(word % 1024 < 960 and unit < 3, "no such table or unit")
        require(bool(rows or columns) or word < 1024, "scales without offsets")
        require(not (rows or columns) or len(shape) > 1, "offsets of a bias")
        require(not columns or number < len(words) - channels, "column offsets of a channel")
        table = [352, 360, 366, 373][which]
        out += [(number, axis, shape[axis], table) for axis, given in enumerate((rows, columns)) if given]
    return out


def _offsets(payload: bytes, at: int, lines: Lines) -> tuple[dict[tuple[int, int], list[int]], int]:
    """By tensor and axis."""
    length = place = 0
    while True:
        require(at < len(payload) and place < 4, "no length")
        byte = payload[at]
        require(byte > 0, "a length of 0 or with too many bytes")
        length |= (byte & 127) << 7 * place
        at, place = at + 1, place + 1
        if byte < 128:
            break
    require(at + length <= len(payload), "the offsets end early")
    under = [table for _, _, count, table in lines for _ in range(count)]
    found = decode_segment(payload[at : at + length], np.array(under), GGD, backend="python").tolist()
    out = {}
    for number, axis, count, _ in lines:
        out[number, axis], found = found[:count], found[count:]
    return out, at + length


def symbol_tables(payload: bytes, at: int, words: list[int], shapes: Shapes, channels: int) -> tuple[np.ndarray, int]:
    """The table index of every symbol, and where their segment begins; the last ``channels`` shapes are channels."""
    lines, offsets = _lines(words, shapes, channels), {}
    if lines:
        offsets, at = _offsets(payload, at, lines)
    out = []
    for number, (word, shape) in enumerate(zip(words, shapes, strict=True)):
        row, k = divmod(word % 1024, 160)
        of_rows = offsets.get((number, 0), [0] * shape[0])
        of_columns = offsets.get((number, 1), [0] * (1 if len(shape) == 1 else shape[1]))
        for r in of_rows:
            for c in of_columns:
                index = 160 * row + min(159, max(0, k + (2 << (word >> 12 & 3)) * (r + c)))
                out += [index] * math.prod(shape[2:])
    return np.array(out, np.uint16), at
