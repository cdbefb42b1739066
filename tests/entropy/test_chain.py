"""Chains: both coders write the same bytes wherever parts begin, and damage is an error or other symbols."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.entropy import native
from nvcodec.entropy.chain import ChainDecoder, Part, encode_chain
from nvcodec.entropy.rans_py import MAX_EXCESS
from nvcodec.entropy.segment import code_length
from nvcodec.entropy.tables import GAUSSIAN, GGD, LATENT_TABLES, TableFamily, ggd_index
from nvcodec.errors import DamagedError, FormatError, TruncatedError

BACKENDS = ["python", *(["native"] if native.AVAILABLE else [])]
BACKEND = pytest.mark.parametrize("backend", BACKENDS)
FAMILIES = pytest.mark.parametrize("family", [GAUSSIAN, GGD], ids=lambda family: family.name)
NOTHING = bytes([0, 0, 1, 0])  # a chain of no symbols


def sample(indices: np.ndarray, family: TableFamily, seed: int = 0) -> Part:
    """Values for the tables; one in fifty is far out, so that escapes occur."""
    rng = np.random.default_rng(seed)
    sigma = (1 << 30) / np.array(family.reciprocals)[indices]
    values = rng.laplace(0, 0.7, len(indices)) * sigma * np.where(rng.random(len(indices)) < 0.02, 30, 1)
    return np.rint(values).astype(np.int32), indices.astype(np.uint16)


def split(part: Part, cuts: list[int]) -> list[Part]:
    """One part as several; equal cuts make empty ones."""
    bounds = [0, *sorted(cuts), len(part[0])]
    return [(part[0][a:b], part[1][a:b]) for a, b in pairwise(bounds)]


def round_trip(parts: list[Part], family: TableFamily) -> bytes:
    """The bytes, after checking that each backend writes them and each reads them."""
    coded = {encode_chain(parts, family, backend=name) for name in BACKENDS}
    assert len(coded) == 1
    data = coded.pop()
    for name in BACKENDS:
        decoder = ChainDecoder(data, family, backend=name)
        for symbols, indices in parts:
            decoded = decoder.decode(indices)
            assert decoded.dtype == np.int32 and np.array_equal(decoded, symbols)
        decoder.finish()
    return data


@FAMILIES
def test_every_table(family: TableFamily) -> None:
    part = sample(np.repeat(np.arange(family.size), 12), family)
    assert round_trip(split(part, [0, 100, 100, 333]), family) == round_trip([part], family)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_symbols_in_any_parts(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from([GAUSSIAN, GGD]))
    count = data.draw(st.integers(0, 60))
    near, far = st.integers(-20, 20), st.integers(-(2**22), 2**22)
    symbols = data.draw(st.lists(st.one_of(near, far), min_size=count, max_size=count))
    tables = data.draw(st.lists(st.integers(0, family.size - 1), min_size=count, max_size=count))
    part = np.array(symbols, np.int32), np.array(tables, np.uint16)
    cuts = data.draw(st.lists(st.integers(0, count), max_size=4))
    whole = encode_chain([part], family, backend="python")
    assert round_trip(split(part, cuts), family) == whole
    other = split(part, data.draw(st.lists(st.integers(0, count), max_size=4)))
    for name in BACKENDS:  # the parts of a decoder need not be those of the encoder
        decoder = ChainDecoder(whole, family, backend=name)
        assert [v for _, indices in other for v in decoder.decode(indices)] == symbols
        decoder.finish()


def test_widest_values() -> None:
    wide = GGD.tables.raw_bits.argmax()
    raw, escape = int(GGD.tables.raw_bits[wide]), int(GGD.tables.escapes[wide])
    furthest = (escape + MAX_EXCESS) // 2
    symbols = np.array([min(furthest << raw, 2**31 - 1), -(2**31), 0], np.int32)
    round_trip([(symbols, np.full(3, wide, np.uint16))], GGD)
    furthest = (int(GGD.tables.escapes[0]) + MAX_EXCESS) // 2
    round_trip([(np.array([furthest, -furthest], np.int32), np.zeros(2, np.uint16))], GGD)
    for name in BACKENDS:
        with pytest.raises(ValueError, match="too far out"):
            encode_chain([(np.array([furthest + 1], np.int32), np.zeros(1, np.uint16))], GGD, backend=name)


def test_every_length_of_escape_code() -> None:
    for table in (0, ggd_index(2.0, 40)):
        first = (int(GGD.tables.escapes[table]) << int(GGD.tables.raw_bits[table])) // 2
        symbols = np.array([first + (1 << bits) for bits in range(23)], np.int32)
        round_trip([(np.concatenate([symbols, -symbols]), np.full(46, table, np.uint16))], GGD)


def test_no_symbols() -> None:
    empty = np.empty(0, np.int32), np.empty(0, np.uint16)
    for parts in ([], [empty], [empty, empty]):
        assert round_trip(parts, GGD) == NOTHING


def check_size(part: Part, family: TableFamily) -> None:
    """The state costs 2 to 4 bytes, rounding in it less than 0.1 % either way."""
    ideal = code_length(*part, family) / 8
    assert -0.001 * ideal <= len(encode_chain([part], family)) - ideal <= 4 + 0.001 * ideal


@pytest.mark.parametrize("count", [0, 1, 3, 30, 300, 30_000])
@pytest.mark.parametrize(
    ("family", "sigma"), [(GAUSSIAN, s) for s in (0.11, 1, 64)] + [(GGD, s) for s in (0.04, 2, 900)]
)
def test_size_is_near_the_code_length(family: TableFamily, sigma: float, count: int) -> None:
    index = int(np.argmin([abs(np.log(family.sigma(i) / sigma)) for i in range(family.size)]))
    part = sample(np.full(count, index), family)
    check_size(part, family)


def test_size_under_the_tables_of_latents() -> None:
    indices = np.random.default_rng(1).choice(np.array(LATENT_TABLES), 20_000)
    symbols, tables = sample(indices, GGD)
    for count in (50, 500, 20_000):
        check_size((symbols[:count], tables[:count]), GGD)


def small_chain() -> tuple[bytes, np.ndarray, list[int]]:
    """70 symbols over narrow and wide tables, with raw bits and escapes."""
    indices = np.resize([ggd_index(1.0, 0.5), ggd_index(2.0, 3), ggd_index(0.8, 60)], 70).astype(np.uint16)
    symbols = sample(indices, GGD, seed=5)[0]
    symbols[[4, 33]] = [17, -900]
    return encode_chain([(symbols, indices)], GGD), indices, symbols.tolist()


def outcome(data: bytes, indices: np.ndarray, family: TableFamily, backend: str) -> tuple[str, list[int]]:
    """The error's type and words, or nothing, and the symbols of the parts before it; each part is 10 symbols."""
    decoded: list[int] = []
    try:
        decoder = ChainDecoder(data, family, backend=backend)
        for first in range(0, len(indices), 10):
            decoded += decoder.decode(indices[first : first + 10]).tolist()
        decoder.finish()
    except FormatError as error:
        return f"{type(error).__name__}: {error}", decoded
    return "", decoded


def both(data: bytes, indices: np.ndarray, family: TableFamily = GGD) -> tuple[str, list[int]]:
    """The outcome, after checking that each backend has the same, and that what passes is what an encoder writes."""
    results = [outcome(data, indices, family, name) for name in BACKENDS]
    assert all(result == results[0] for result in results)
    error, symbols = results[0]
    assert error or encode_chain([(np.array(symbols, np.int32), indices)], family) == data
    return results[0]


def test_a_flip_of_any_bit() -> None:
    data, indices, symbols = small_chain()
    assert both(data, indices) == ("", symbols)
    silent = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        error, decoded = both(bytes(flipped), indices)
        assert error or decoded != symbols
        # Raw bits and the low ones of an escape code leave no trace in the state: checksum and hash see them change.
        assert error or sum(a != b for a, b in zip(symbols, decoded, strict=True)) <= 2
        silent += not error
    assert silent < 0.25 * 8 * len(data)


def test_every_prefix_is_an_error() -> None:
    data, indices, _ = small_chain()
    for length in range(len(data)):
        error = both(data[:length], indices)[0]
        assert error.startswith("DamagedError: a chain has half" if length % 2 and length > 4 else "TruncatedError")
    for more in (b"\0", b"\0\0", b"\1\0\1\0"):
        assert both(data + more, indices)[0].startswith("DamagedError")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=150), st.lists(st.integers(0, GGD.size - 1), max_size=70))
def test_random_bytes(data: bytes, tables: list[int]) -> None:
    both(data, np.array(tables, np.uint16))


@settings(max_examples=150, deadline=None)
@given(st.integers(2**16, 2**32 - 1), st.binary(max_size=80), st.integers(0, GGD.size - 1), st.integers(0, 64))
def test_random_words_behind_a_state(state: int, words: bytes, table: int, count: int) -> None:
    both(state.to_bytes(4, "little") + words[: len(words) & ~1], np.full(count, table, np.uint16))


@BACKEND
def test_the_errors_say_what_is_wrong(backend: str) -> None:
    one = np.zeros(1, np.uint16)
    good = encode_chain([(np.zeros(1, np.int32), one)], GAUSSIAN)
    cases: list[tuple[bytes, np.ndarray, type[FormatError], str]] = [
        (b"", one, TruncatedError, "ends too early"),
        (good[:3], one, TruncatedError, "ends too early"),
        (NOTHING, one, TruncatedError, "ends too early"),
        (good + b"\0", one, DamagedError, "half a word"),
        (good + b"\0\0", one, DamagedError, "words left over"),
        (good, one[:0], DamagedError, "starting state|left over"),
        (b"\1\0\1\0", one[:0], DamagedError, "starting state"),
        (b"\xff\xff\0\0", one, DamagedError, "too small"),
        (good, one + 64, FormatError, "outside the 64 tables"),
    ]
    for data, indices, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            decoder = ChainDecoder(data, GAUSSIAN, backend=backend)
            decoder.decode(indices)
            decoder.finish()
        assert type(caught.value) is kind


def packed(steps: list[tuple[int, int, int]]) -> bytes:
    """Steps (start, frequency, bits) in the order of a decoder, coded as CODER.md says."""
    state, words = 1 << 16, b""
    for start, frequency, bits in reversed(steps):
        if state >= frequency << (32 - bits):
            state, words = state >> 16, (state & 0xFFFF).to_bytes(2, "little") + words
        state = (state // frequency << bits) + state % frequency + start
    return state.to_bytes(4, "little") + words


@BACKEND
def test_impossible_codes_are_refused(backend: str) -> None:
    table = ggd_index(1.0, 1e9)
    frequency, raw = int(GGD.tables.frequencies(table)[-1]), int(GGD.tables.raw_bits[table])
    escape, zero, one = (2**14 - frequency, frequency, 14), (0, 1, 1), (1, 1, 1)
    low = [(2**16 - 1, 1, 16), (2**7 - 1, 1, 7), (0, 1, raw)]
    for steps, words in (([escape, *[zero] * 20, one, *low], "32 bits"), ([escape, *[zero] * 21, one], "too long")):
        with pytest.raises(DamagedError, match=words):
            ChainDecoder(packed(steps), GGD, backend=backend).decode(np.array([table], np.uint16))


@BACKEND
def test_a_part_that_fails_leaves_the_decoder_where_it_was(backend: str) -> None:
    data, indices, symbols = small_chain()
    decoder = ChainDecoder(data, GGD, backend=backend)
    decoder.decode(indices[:20])
    for _ in range(2):
        with pytest.raises(TruncatedError):
            decoder.decode(np.resize(indices[20:], 5000))
    with pytest.raises(FormatError):
        decoder.decode(indices + GGD.size)
    with pytest.raises(DamagedError):
        decoder.finish()
    assert decoder.decode(indices[20:]).tolist() == symbols[20:]
    decoder.finish()


def test_inputs_are_checked() -> None:
    symbols, indices = np.zeros(4, np.int32), np.zeros(4, np.uint16)
    with pytest.raises(ValueError):
        encode_chain([(symbols, indices[:3])], GGD)
    with pytest.raises(ValueError):
        encode_chain([(symbols, indices)], GGD, backend="gpu")
    with pytest.raises(ValueError):
        ChainDecoder(NOTHING, GGD, backend="gpu")
    with pytest.raises(TypeError):
        encode_chain([(symbols.astype(np.float32), indices)], GGD)
    with pytest.raises(FormatError):
        encode_chain([(symbols, indices), (symbols, indices + GAUSSIAN.size)], GAUSSIAN)
    with pytest.raises(ValueError):
        encode_chain([(np.array([2**31]), np.zeros(1, np.uint16))], GGD)


def test_other_layouts_of_memory_are_taken() -> None:
    data, indices, symbols = small_chain()
    strided = np.repeat(np.array(symbols), 2)[::2]
    assert encode_chain([(strided, indices.astype(np.int64))], GGD) == data
    decoder = ChainDecoder(memoryview(b"\xff" + data)[1:], GGD)
    assert decoder.decode(np.repeat(indices, 2)[::2]).tolist() == symbols
    decoder.finish()
