#!/usr/bin/env python3
"""Inputs for the coder's fuzzer: ``coder_corpus.py FOLDER`` writes, in the form that ``coder_case.hpp`` describes,

    FOLDER/vectors/      small ones: the worked examples of ``bitstream/CODER.md`` and segments of each layout
    FOLDER/seeds/        larger ones, values to code, the container's vectors as payloads
    FOLDER/families.inc  the tables of both families as C++ arrays

Payloads are written by the Python twin of the coder, so that the native one is held against something else.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nvcodec.entropy.chain import encode_chain
from nvcodec.entropy.segment import encode_segment
from nvcodec.entropy.tables import GAUSSIAN, GGD, TableFamily, ggd_index

ROOT = Path(__file__).resolve().parent.parent
Ints = NDArray[np.int64]
Inputs = Iterator[tuple[str, bytes]]
FAMILIES = [GAUSSIAN, GGD]
ROUND_TRIP, CHAIN, WIDE, NARROW = 1, 2, 4, 8
STARVE = 0x5A
CONSTANT, SCATTERED, RAMP, LISTED = 0, 64, 128, 192
LANES = {0: 0x10, 3: 0x20, 5: 0x00}
LAYOUTS = [(0, 0), (0, 32), (3, 0), (3, 64), (5, 0), (5, 32), (5, 64), (5, 320)]


def header(
    flags: int, second: int, first: int = 0, span: int = 1, units: int = 0, count: int = 0, last: int = 0
) -> bytes:
    return struct.pack("<BBHBBHB", flags, second, first, span - 1, units, count | (count > 600) << 15, last)


def listed(family: TableFamily, indices: Ints, payload: bytes, flags: int) -> bytes:
    """A payload to decode, with its table indices one by one."""
    start = header(flags | LISTED | WIDE, FAMILIES.index(family) | 8, count=len(indices))
    return start + indices.astype("<u2").tobytes() + payload


def example(name: str) -> bytes:
    text = (ROOT / "bitstream" / "CODER.md").read_text(encoding="utf-8")
    found = re.search(rf"^\*\*{name}\.\*\*.*?\n    ([0-9a-f ]+)\n", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return bytes.fromhex(found.group(1))


def sample(family: TableFamily, indices: Ints, seed: int) -> Ints:
    """Values that suit their tables; one in thirty is far out."""
    rng = np.random.default_rng(seed)
    sigma = (1 << 30) / np.array(family.reciprocals)[indices]
    far = np.where(rng.random(len(indices)) < 1 / 30, 30, 0.7)
    return np.rint(rng.laplace(0, 1, len(indices)) * sigma * far).astype(np.int64)


def examples() -> Inputs:
    few = np.array([552, 552, 0, 552])
    yield "example_a", listed(GAUSSIAN, np.full(8, 30), example("A"), 0)
    yield "example_b", listed(GGD, few, example("B"), 0)
    yield "example_c", listed(GAUSSIAN, np.full(70, 25), example("C"), 0)
    yield "example_d", listed(GGD, few, example("D"), CHAIN)


def layouts(count: int) -> Inputs:
    """Each layout with narrow and wide tables, raw bits and escapes."""
    tables = np.array([ggd_index(1.0, 0.5), ggd_index(2.0, 3), ggd_index(0.8, 60), ggd_index(1.5, 3000)])
    for number, (lanes, chunk) in enumerate(LAYOUTS):
        family, indices = FAMILIES[number % 2], np.resize(tables if number % 2 else np.array([8, 30, 60]), count)
        values = sample(family, indices, number)
        data = encode_segment(values, indices, family, lanes_log2=lanes, chunk_symbols=chunk, backend="python")
        narrow = NARROW if np.abs(values).max(initial=0) < 2**15 else 0
        yield f"layout_{lanes}_{chunk}_{count}", listed(family, indices, data, narrow)
    data = encode_chain([(values.astype(np.int32), indices.astype(np.uint16))], family, backend="python")
    yield f"chain_{count}", listed(family, indices, data, CHAIN)


def large() -> Inputs:
    """One table and ramps over many, in chunks."""
    ramps = [(700, 20, 1), (4097, 10, 40), (4500, 30, 1), (3000, 0, 64), (2000, 350, 60), (4400, 700, 256)]
    for count, first, span in ramps:
        family = GAUSSIAN if first + span <= GAUSSIAN.size else GGD
        indices = first + np.arange(count) * span // count
        values = sample(family, indices, count)
        flags = RAMP | (WIDE if family is GGD else 0)
        for chunk in (0, 1024):
            data = encode_segment(values, indices, family, lanes_log2=5, chunk_symbols=chunk, backend="python")
            start = header(flags, FAMILIES.index(family) | 8, first, span, 0, count)
            yield f"large_{count}_{chunk}", start + data


def round_trips() -> Inputs:
    """Values to code under every family, style and layout, some of them with too little memory."""
    rng = np.random.default_rng(1)
    for number in range(96):
        family, style, pattern = number % 4, number // 4 % 4, [CONSTANT, SCATTERED, RAMP][number % 3]
        (lanes, _), count = LAYOUTS[number % 8], int(rng.integers(0, 4500)) if number % 5 else int(rng.integers(0, 100))
        flags = ROUND_TRIP | pattern | int(rng.integers(0, 8)) << 2 & (WIDE | NARROW)
        flags |= CHAIN if number % 11 == 0 else 0
        second = family | int(rng.integers(0, 4)) << 2 | LANES[lanes] | style << 6
        span, units = int(rng.choice([1, 5, 40, 64, 65, 256])), int(rng.choice([0, 0, 1, 3, 32, 128]))
        last = STARVE if number % 7 == 0 else 0
        values = np.rint(rng.laplace(0, rng.choice([0.3, 3, 30]), 200)).clip(-128, 127).astype(np.int8)
        start = header(flags, second, int(rng.integers(0, 1 << 10)), span, units, count, last)
        yield f"round_trip_{number}", start + values.tobytes()


def containers() -> Inputs:
    for path in sorted((ROOT / "bitstream" / "vectors" / "good").glob("*.nvc"))[:8]:
        yield path.stem, header(0, 0, first=30, count=100) + path.read_bytes()


def starved() -> Inputs:
    """With too little memory, in one batch of chunks and in several on four threads."""
    for name, data in [*examples(), *layouts(33)]:
        yield f"starved_{name}", bytes([data[0], data[1] | 0x0C]) + data[2:8] + bytes([STARVE]) + data[9:]
    for family in range(4):
        start = header(ROUND_TRIP | SCATTERED, family | 0x0C | 3 << 6, 7, 30, 1, 600, STARVE)
        yield f"starved_threads_{family}", start + bytes(range(0, 250, 3))


def families() -> str:
    """Both families as C++ arrays."""
    lines = []
    for name, family in [("Gaussian", GAUSSIAN), ("Ggd", GGD)]:
        tables = family.tables
        for part, kind, array in [
            ("Cumulative", "std::uint16_t", tables.cumulative),
            ("Offsets", "std::uint32_t", tables.offsets),
            ("RawBits", "std::uint8_t", tables.raw_bits),
        ]:
            lines.append(f"constexpr {kind} k{name}{part}[] = {{{','.join(map(str, array.tolist()))}}};\n")
    return "".join(lines)


def main() -> None:
    folder = Path(sys.argv[1])
    seeds = [layouts(1), layouts(33), large(), round_trips(), containers(), starved()]
    for part, makers in {"vectors": [examples(), layouts(70)], "seeds": seeds}.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        for name, data in (item for maker in makers for item in maker):
            (folder / part / name).write_bytes(data)
    (folder / "families.inc").write_text(families())


if __name__ == "__main__":
    main()
