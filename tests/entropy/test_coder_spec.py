"""bitstream/CODER.md and the coder agree: worked examples, lists of scales and hashes are read from the text."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nvcodec.entropy import native
from nvcodec.entropy.chain import ChainDecoder, encode_chain
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import BASE_SHA256, GAUSSIAN, GGD, TABLES_SHA256, TableFamily

TEXT = (Path(__file__).resolve().parents[2] / "bitstream" / "CODER.md").read_text(encoding="utf-8")
EXAMPLES: list[tuple[str, TableFamily, list[int], list[int], dict[str, int]]] = [
    ("A", GAUSSIAN, [0, 0, -1, 1, 0, 2, 0, -3], [30] * 8, {}),
    ("B", GGD, [5, -70, 0, 1000], [552, 552, 0, 552], {}),
    ("C", GAUSSIAN, [i % 3 - 1 for i in range(70)], [25] * 70, {"lanes_log2": 0, "chunk_symbols": 32}),
]
BACKENDS = pytest.mark.parametrize("backend", ["python", *(["native"] if native.AVAILABLE else [])])


def example(name: str) -> bytes:
    """The bytes of a worked example."""
    found = re.search(rf"^\*\*{name}\.\*\*.*?\n    ([0-9a-f ]+)\n", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return bytes.fromhex(found.group(1))


@BACKENDS
@pytest.mark.parametrize(("name", "family", "symbols", "indices", "layout"), EXAMPLES, ids=lambda value: str(value)[:1])
def test_worked_examples(
    name: str, family: TableFamily, symbols: list[int], indices: list[int], layout: dict[str, int], backend: str
) -> None:
    data = example(name)
    tables = np.array(indices, np.uint16)
    assert encode_segment(np.array(symbols, np.int32), tables, family, backend=backend, **layout) == data
    assert decode_segment(data, tables, family, backend=backend).tolist() == symbols


@BACKENDS
def test_worked_example_of_a_chain(backend: str) -> None:
    _, family, symbols, indices, _ = EXAMPLES[1]
    values, tables, data = np.array(symbols, np.int32), np.array(indices, np.uint16), example("D")
    assert encode_chain([(values, tables)], family, backend=backend) == data
    assert encode_chain([(values[:3], tables[:3]), (values[3:], tables[3:])], family, backend=backend) == data
    decoder = ChainDecoder(data, family, backend=backend)
    assert [*decoder.decode(tables[:1]), *decoder.decode(tables[1:])] == symbols
    decoder.finish()


def test_hashes_and_scales_in_the_text() -> None:
    assert f"    {BASE_SHA256}\n" in TEXT
    for name, digest in TABLES_SHA256.items():
        assert re.search(rf"^    {name} +{digest}$", TEXT, re.MULTILINE)
    listed = TEXT.split("gaussian q =")[1].split("SHA-256")[0].split()
    assert tuple(map(int, listed)) == GAUSSIAN.reciprocals
    octave = [int(word) for word in re.findall(r"    M = ([\d ]+)", TEXT)[0].split()]
    assert [(octave[k & 7] * 32) >> (k >> 3) for k in range(160)] == list(GGD.reciprocals[320:480])
