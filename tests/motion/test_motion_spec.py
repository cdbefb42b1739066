"""MOTION.md and the code have the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nvcodec.motion import coding_py
from nvcodec.motion.coding import decode_motion, encode_motion
from nvcodec.motion.field import MotionField
from nvcodec.motion.tables import motion_tables
from nvcodec.motion.warp_py import CHROMA_FILTER, LUMA_FILTER

TEXT = (Path(__file__).resolve().parents[2] / "bitstream" / "MOTION.md").read_text()


def rows(name: str) -> list[list[str]]:
    """The cells of a marked table without its head."""
    body = TEXT.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body[2:]]


def test_filters() -> None:
    for name, filters in (("luma filter", LUMA_FILTER), ("chroma filter", CHROMA_FILTER)):
        table = [[int(cell) for cell in row] for row in rows(name)]
        assert [row[0] for row in table] == list(range(len(filters)))
        assert [tuple(row[1:]) for row in table] == list(filters)


def test_first_values_of_contexts() -> None:
    c = coding_py
    known = [c.SAME, c.SPLIT, c.COPY, c.PART_SAME, c.PART_COPY, c.ACROSS, c.DOWN, c.PART_ACROSS, c.PART_DOWN]
    assert [tuple(int(v) for v in row[1].split()) for row in rows("contexts")] == known


def test_tables() -> None:
    tables = motion_tables()
    assert tables.size == 224
    for i in (0, 31, 63):
        f = 128 * (2 * i + 1)
        assert tables.frequencies(i).tolist() == [16384 - f - 1, f, 1] and tables.raw_bits[i] == 0


def test_example() -> None:
    example = TEXT.split("## 4. Example")[1]
    data = bytes.fromhex(re.findall(r"^    ((?:[0-9a-f]{2} )*[0-9a-f]{2})$", example, re.M)[0])
    vectors = np.tile(np.array([5, -2], np.int16), (2, 4, 1))
    vectors[1, 3] = (0, 9)
    field = MotionField(32, 16, vectors)
    assert decode_motion(data, 32, 16) == field and encode_motion(field) == data
    writer = coding_py.Writer()
    coding_py.FieldCoder(writer, coding_py._grid(vectors), None, 32, 16).run()
    steps = re.findall(r"^    (\d+) +(-?\d+) ", example, re.M)
    assert [(int(a), int(b)) for a, b in steps] == list(zip(writer.tables, writer.symbols, strict=True))
