"""Scales of rows, columns and frames: any offsets come back, their search saves and is exact, damage has a name."""

import json
import re
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec import errors
from nvcodec.codecs import scale_search
from nvcodec.codecs.goals import SizeGoal
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.scale_search import ScaleSearch
from nvcodec.codecs.scales import (
    AXES,
    OFFSET_TABLES,
    UNITS,
    Scales,
    check_word,
    read_scales,
    symbol_tables,
    write_offsets,
)
from nvcodec.codecs.tensors import CodedTensors, Shapes, decode_tensors, encode_tensors, streams_of, write_streams
from nvcodec.entropy.cost import code_length, table_costs
from nvcodec.entropy.tables import GGD, ggd_index
from nvcodec.errors import DamagedError, FormatError
from tests.oracles import scales_twin
from tests.oracles.fitted_twin import decode_group

FOLDER = Path(__file__).resolve().parents[2] / "bitstream"
VECTORS = sorted((FOLDER / "vectors" / "fitted").glob("*.json"))
TEXT = (FOLDER / "FITTED.md").read_text(encoding="utf-8")

offsets = st.one_of(st.integers(-7, 7), st.integers(-200, 200), st.integers(-(2**20), 2**20))


@st.composite
def scales(draw, shape: tuple[int, ...], axes: int) -> Scales:
    """Any that the axes allow."""
    given_axes = [axis for axis in range(axes) if draw(st.booleans())]
    base = draw(st.integers(0, 959))
    if not given_axes:
        return Scales(base)
    lines = [(axis, [draw(offsets) for _ in range(shape[axis])]) for axis in given_axes]
    values = tuple((axis, np.array(line, np.int64)) for axis, line in lines)
    return Scales(base, draw(st.sampled_from(UNITS)), draw(st.integers(0, 3)), values)


SHAPES = ((5, 3), (4,), (4, 2, 3, 3), (1, 1))
FRAMES = (2, 4, 2, 3)


def tensors(seed: int = 0, spread: float = 6) -> CodedTensors:
    random = np.random.default_rng(seed)
    weights = [np.rint(random.laplace(0, spread, shape)).astype(np.int32) for shape in SHAPES]
    embedding = np.rint(random.laplace(0, spread, FRAMES)).astype(np.int32)
    return CodedTensors(weights, [100] * len(weights), embedding, (90, 91))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_scales_come_back_and_the_twin_reads_the_same_tables(data):
    coded, shapes = tensors(data.draw(st.integers(0, 9))), Shapes(SHAPES, FRAMES)
    streams = streams_of(coded)
    chosen = [data.draw(scales(stream.symbols.shape, stream.axes)) for stream in streams]
    payload, bits = write_streams(streams, chosen)
    assert decode_tensors(payload, shapes).hash() == coded.hash()
    assert bits / 8 - 1 <= len(payload) <= bits / 8 * 1.02 + 12
    all_shapes = [stream.symbols.shape for stream in streams]
    words = [each.word for each in chosen]
    found, at = read_scales(payload, shapes.side_bytes(), words, all_shapes)
    tables, twins_at = scales_twin.symbol_tables(payload, shapes.side_bytes(), words, all_shapes, FRAMES[0])
    assert at == twins_at == shapes.side_bytes() + len(write_offsets(chosen))
    assert np.array_equal(symbol_tables(found, all_shapes), tables)
    assert np.array_equal(symbol_tables(chosen, all_shapes), tables)


def test_sums_of_offsets_do_not_wrap():
    far = np.array([2**31 - 1, -(2**31)])
    found = Scales(100, 8, 0, ((0, far), (1, far))).tables((2, 2))
    assert found.tolist() == [[159, 92], [92, 0]]
    assert found.tolist() == [[min(159, max(0, 100 + 8 * (int(r) + int(c)))) for c in far] for r in far]


@pytest.mark.parametrize("axes", [0, 1, 2])
def test_every_table_word(axes):
    for word in range(1 << 16):
        given_axes = [axis for axis, bit in enumerate(AXES) if word & bit]
        good = word % 1024 < 960 and (word >> 12 & 3) < 3 and all(axis < axes for axis in given_axes)
        good = good and (bool(given_axes) or word < 1024)
        with suppress(FormatError):
            check_word(word, axes)
            assert good
            shape = (2, 3)
            lines = tuple((axis, np.zeros(shape[axis], np.int64)) for axis in given_axes)
            again = Scales(word & 1023, UNITS[word >> 12 & 3], word >> 14, lines)
            assert again.word == word
            continue
        assert not good


@pytest.fixture(scope="module")
def scaled() -> tuple[bytes, Shapes, bytes]:
    """Payload with all kinds of scales, shapes, symbol hash."""
    coded = tensors()
    streams = streams_of(coded)
    lines = {0: (0, 1), 2: (1,), 4: (0,), 5: (0,)}
    chosen = [
        Scales(360, 4, 2, tuple((axis, np.arange(s.symbols.shape[axis]) - 1) for axis in lines.get(n, ())))
        for n, s in enumerate(streams)
    ]
    return write_streams(streams, chosen)[0], Shapes(SHAPES, FRAMES), coded.hash()


def test_every_truncation_is_refused(scaled):
    payload, shapes, symbol_hash = scaled
    assert decode_tensors(payload, shapes).hash() == symbol_hash
    for length in range(len(payload)):
        with pytest.raises(FormatError):
            decode_tensors(payload[:length], shapes)


def test_every_bit_flip_ends_in_a_package_error_or_in_symbols(scaled):
    payload, shapes, symbol_hash = scaled
    alike = 0
    for bit in range(8 * len(payload)):
        changed = bytearray(payload)
        changed[bit // 8] ^= 1 << bit % 8
        with suppress(FormatError):
            alike += decode_tensors(bytes(changed), shapes).hash() == symbol_hash
    assert alike <= 2 * 6  # bits of a table, which the hash does not hold


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_hostile_offsets_are_refused_as_by_the_twin(scaled, data):
    payload, shapes, _ = scaled
    at = shapes.side_bytes()
    front = data.draw(st.one_of(st.binary(max_size=30), st.binary(max_size=4).map(lambda b: b + payload[at:])))
    words = [1024 | 360, 0, 3072 | 100, 1024, 200, 1024 | 5]
    all_shapes = [*SHAPES, FRAMES[1:], FRAMES[1:]]
    wanted = found = None
    with suppress(ValueError, FormatError):
        wanted = scales_twin.symbol_tables(payload[:at] + front, at, words, all_shapes, 2)
    with suppress(FormatError):
        read, end = read_scales(payload[:at] + front, at, words, all_shapes)
        found = symbol_tables(read, all_shapes), end
    assert (wanted is None) == (found is None)
    if wanted is not None and found is not None:
        assert np.array_equal(wanted[0], found[0]) and wanted[1] == found[1]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vectors(path):
    vector = json.loads(path.read_text(encoding="utf-8"))
    codec, config, payload = get_codec(vector["codec"]), *(bytes.fromhex(vector[k]) for k in ("config", "payload"))
    size = vector["width"], vector["height"]
    parsed = codec.unpack(config, (size[1] + 1) // 2, (size[0] + 1) // 2)
    shapes = codec.shapes(parsed, vector["frames"])
    if "error" in vector:
        with pytest.raises(FormatError) as caught:
            decode_tensors(payload, shapes)
        assert type(caught.value) is getattr(errors, vector["error"])
        with pytest.raises((ValueError, FormatError)):
            decode_group(codec.codec_id, config, payload, *size, vector["frames"])
    else:
        assert decode_tensors(payload, shapes).hash().hex() == vector["symbol_hash"]
        twin = decode_group(codec.codec_id, config, payload, *size, vector["frames"])
        assert twin.symbol_hash.hex() == vector["symbol_hash"]


def test_vectors_cover_the_refusals():
    names = [json.loads(path.read_text(encoding="utf-8")).get("error") for path in VECTORS]
    assert names.count(None) >= 12 and {"FormatError", "DamagedError", "TruncatedError"} < set(names)


def test_the_example():
    example = {
        name: bytes.fromhex(re.search(rf"<!-- example {name} -->\n    (.+)", TEXT).group(1))
        for name in ("config", "payload", "scaled payload", "hash")
    }
    codec = get_codec("hnerv")
    shapes = codec.shapes(codec.unpack(example["config"], 2, 2), 2)
    for name in ("payload", "scaled payload"):
        assert decode_tensors(example[name], shapes).hash() == example["hash"]
        assert decode_group(2, example["config"], example[name], 3, 4, 2).symbol_hash == example["hash"]
    plain, found = (
        read_scales(example[name], shapes.side_bytes(), words, [*shapes.weights, (2, 1, 1)])[0]
        for name, words in (
            ("payload", (856, 0, 852, 0, 665, 687, 861)),
            ("scaled payload", (856, 0, 852, 0, 0x2691, 687, 0x1759)),
        )
    )
    assert [each.offsets for each in plain] == [()] * 7
    assert found[4].tables((6, 1, 1, 1)).ravel().tolist() == [665] * 4 + [657] * 2
    assert found[6].tables((2, 1, 1)).ravel().tolist() == [861, 857]


# the search


def uneven(shape: tuple[int, ...], axes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Laplace numbers whose rows and columns differ by up to 4 octaves."""
    random = np.random.default_rng(seed)
    octaves = np.full(shape, 2.0)
    for axis in axes:
        octaves += random.uniform(-2, 2, [n if i == axis else 1 for i, n in enumerate(shape)])
    return np.rint(random.laplace(0, 2**octaves)).astype(np.int32)


@pytest.mark.parametrize(("axes", "least"), [((0,), 0.04), ((1,), 0.04), ((0, 1), 0.07)])
@pytest.mark.parametrize("shape", [(60, 40), (24, 20, 3, 3)])
def test_uneven_rows_and_columns_are_found(shape, axes, least):
    values = uneven(shape, axes)
    plain, _ = encode_tensors(CodedTensors([values], [100]), scaled=False)
    payload, _ = encode_tensors(CodedTensors([values], [100]))
    assert len(payload) < (1 - least) * len(plain)
    assert np.array_equal(decode_tensors(payload, Shapes((shape,))).weights[0], values)


def test_frames_of_a_channel_are_found():
    values = np.random.default_rng(0).laplace(0, 1, (2, 12, 6, 8))
    values[:, 0] *= 40  # as of a first frame, which nothing predicts
    coded = CodedTensors([np.zeros(3, np.int32)], [100], np.rint(values).astype(np.int32), (90, 90))
    plain, payload = (encode_tensors(coded, scaled=scaled)[0] for scaled in (False, True))
    assert len(payload) < 0.9 * len(plain)
    assert decode_tensors(payload, Shapes(((3,),), (2, 12, 6, 8))).hash() == coded.hash()


@pytest.mark.parametrize("seed", range(5))
def test_even_tensors_are_coded_as_ever(seed):
    values = np.rint(np.random.default_rng(seed).laplace(0, 5, (40, 30))).astype(np.int32)
    coded = CodedTensors([values, values[0]], [100, 90])
    assert encode_tensors(coded) == encode_tensors(coded, scaled=False)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.lists(st.integers(2, 9), min_size=2, max_size=4), st.sampled_from([0.1, 3, 60, 900]))
def test_bits_of_a_search_are_those_of_its_tables(seed, shape, spread):
    values = np.rint(np.random.default_rng(seed).laplace(0, spread, shape)).astype(np.int32)
    values = np.clip(values, -2047, 2047)
    search = ScaleSearch(values, ggd_index(1.0, spread))
    for found in (search.plain, search.best(), *(search.single(axis) for axis in (0, 1))):
        bits = code_length(values.ravel(), found.tables(values.shape).ravel(), GGD)
        for _, line in found.offsets:
            bits += code_length(line, np.full(len(line), OFFSET_TABLES[found.offset_table]), GGD)
        assert found.bits == pytest.approx(bits, abs=values.size / 4096)
    assert search.best().bits <= min(search.single(0).bits, search.single(1).bits, search.plain.bits)


def test_sums_are_exact_in_any_order():
    """So that neither threads nor the order in which a library adds can change a choice."""
    for row in range(6):
        costs = scale_search._costs(2048, row)
        assert np.array_equal(costs * 4096, np.rint(costs * 4096)) and costs.max() < 64
    values = uneven((50, 30), (0, 1))
    first, backwards = ScaleSearch(values, 400).best(), ScaleSearch(values[:, ::-1], 400).single(0)
    assert backwards.bits == ScaleSearch(values, 400).single(0).bits
    again = ScaleSearch(np.asfortranarray(values), 400).best()
    assert again.word == first.word and again.bits == first.bits
    for (_, one), (_, other) in zip(first.offsets, again.offsets, strict=True):
        assert np.array_equal(one, other)


def test_what_is_too_much_is_not_searched():
    wide = uneven((30, 20), (0, 1))
    assert ScaleSearch(wide, 400).best().offsets
    wide[0, 0] = 1 - scale_search.CODABLE
    assert ScaleSearch(wide, 400).best().offsets
    assert np.isfinite(table_costs(np.array([1 - scale_search.CODABLE, scale_search.CODABLE]), GGD)).all()
    wide[:, 0] = scale_search.CODABLE - 1
    assert ScaleSearch(wide, 400).best().offsets == ()
    wide[:, 0] = 1
    wide[0, 0] = -(2**31)
    assert ScaleSearch(wide, 400).best().offsets == ()
    assert ScaleSearch(np.zeros((1, 1), np.int32), 400).best().offsets == ()
    many = np.zeros((scale_search.MOST_LINES + 1, 1), np.int32)
    many[::2] = 5
    assert ScaleSearch(many, 400).best().offsets == ()


def test_the_memory_of_a_search_is_bounded():
    values = np.random.default_rng(0).integers(-20, 20, (256, 256, 3, 3)).astype(np.int32)
    tracemalloc.start()
    ScaleSearch(values, 400).best()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * values.size  # all sums at once: 232 bytes a symbol


@pytest.mark.parametrize("far", [2**20 - 1, 2**23, 2**31 - 1])
@pytest.mark.parametrize("scale", [1, 400])
def test_numbers_further_out_than_the_search_looks_come_back(scale, far):
    values = scale * uneven((60, 40), (0, 1))
    values[5, 5], values[6, 6] = far, -far
    payload, _ = encode_tensors(CodedTensors([values], [100]))
    assert np.array_equal(decode_tensors(payload, Shapes((values.shape,))).weights[0], values)
    assert len(payload) <= len(encode_tensors(CodedTensors([values], [100]), scaled=False)[0])


@pytest.mark.parametrize("most", [700, 1500, 2600])
def test_a_size_goal_uses_what_scales_save(most):
    values = uneven((60, 40), (0, 1)).astype(np.float64)

    def quantised(offset: int) -> CodedTensors:
        rounded = np.rint(values * 4 / 2 ** (offset / 16)).astype(np.int32)
        return CodedTensors([rounded], [100])

    found = SizeGoal(1.0, most_bytes=most).choose(quantised, lambda _: 0.0)
    sizes = {o: len(encode_tensors(quantised(o))[0]) for o in range(-96, 97)}
    assert len(found.payload) == max(size for size in sizes.values() if size <= most)
    assert 0.97 * most < len(found.payload) <= most


def test_payloads_of_groups_that_lean_have_scales_too():
    shapes = Shapes(((60, 40), (60,)))
    first = CodedTensors([uneven((60, 40), (0,)), np.zeros(60, np.int32)], [100, 100])
    state = first.state(1, b"")
    coded = replace(first, weights=[uneven((60, 40), (1,), 3), first.weights[1]], previous=state, predictions=(8, 0))
    payload, plain = (encode_tensors(coded, scaled=scaled)[0] for scaled in (True, False))
    assert len(payload) < 0.95 * len(plain)
    assert decode_tensors(payload, shapes, state).hash() == coded.hash()
    with pytest.raises(FormatError):
        decode_tensors(payload, shapes)
    with pytest.raises(DamagedError):
        decode_tensors(payload[: shapes.side_bytes(leans=True) + 5], shapes, state)
    assert prod(shapes.weights[0]) == 2400
