"""Coded tensors: what is encoded comes back, whatever bytes arrive end in a named error, steps are exact."""

from dataclasses import replace
from decimal import Decimal, localcontext
from functools import cache
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs import tensors as module
from nvcodec.codecs.prediction import residual_of, restored
from nvcodec.codecs.state import FittedState
from nvcodec.codecs.steps import step_exponent, step_size
from nvcodec.codecs.tensors import CodedTensors, Shapes, decode_tensors, encode_tensors
from nvcodec.entropy.symbols import symbol_hash
from nvcodec.errors import DamagedError, FormatError

dimensions = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)
exponents = st.integers(0, 255)


@st.composite
def coded(draw) -> tuple[CodedTensors, Shapes]:
    shapes = draw(st.lists(dimensions, min_size=1, max_size=4))
    embedding = draw(st.none() | st.tuples(*[st.integers(1, 4)] * 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.01, 1, 30, 3000, 100_000]))

    def integers(shape: tuple[int, ...]) -> np.ndarray:
        return np.rint(random.laplace(0, spread, shape)).astype(np.int32)

    weights = [integers(shape) for shape in shapes]
    codes = [draw(exponents) for _ in shapes]
    if embedding is None:
        return CodedTensors(weights, codes), Shapes(tuple(shapes))
    values = np.cumsum(integers(embedding), axis=1, dtype=np.int32)
    channels = tuple(draw(exponents) for _ in range(embedding[0]))
    return CodedTensors(weights, codes, values, channels), Shapes(tuple(shapes), embedding)


@settings(max_examples=40, deadline=None)
@given(coded())
def test_round_trip(pair):
    tensors, shapes = pair
    payload, bits = encode_tensors(tensors)
    back = decode_tensors(payload, shapes)
    for a, b in zip(tensors.weights, back.weights, strict=True):
        assert a.shape == b.shape and np.array_equal(a, b)
    assert back.weight_exponents == tensors.weight_exponents
    assert back.embedding_exponents == tensors.embedding_exponents
    if tensors.embedding is not None:
        assert np.array_equal(tensors.embedding, back.embedding)
    assert back.hash() == tensors.hash()
    assert bits / 8 - 1 <= len(payload) <= bits / 8 * 1.02 + 12  # nothing but the coder's state and rounding on top
    assert shapes.count == sum(w.size for w in tensors.weights) + (0 if back.embedding is None else back.embedding.size)


SMALL = Shapes(((4, 3), (4,)), (2, 5, 2, 2))


def small() -> CodedTensors:
    random = np.random.default_rng(1)
    weights = [np.rint(random.laplace(0, 4, shape)).astype(np.int32) for shape in SMALL.weights]
    values = np.cumsum(np.rint(random.laplace(0, 2, SMALL.embedding)), axis=1).astype(np.int32)
    return CodedTensors(weights, [200, 150], values, (180, 190))


@cache
def small_payload() -> bytes:
    return encode_tensors(small())[0]


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_end_in_a_format_error_or_in_symbols(data):
    try:
        back = decode_tensors(data, SMALL)
    except FormatError:  # DamagedError and TruncatedError too
        return
    assert back.embedding is not None and back.embedding.shape == SMALL.embedding
    back.hash()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_payloads_end_in_a_format_error_or_in_symbols(data):
    payload = bytearray(small_payload())
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        values = decode_tensors(bytes(payload), SMALL).embedding_values()
    except FormatError:
        return
    assert values is not None and np.isfinite(values).all()


def test_every_prefix_is_refused():
    payload = small_payload()
    for length in range(len(payload)):
        with pytest.raises(FormatError):
            decode_tensors(payload[:length], SMALL)


def test_tables_and_predictions_that_do_not_exist():
    payload = bytearray(small_payload())
    at = 3 * len(SMALL.weights)
    for place, value in ((2, 0xFF), (at + 1, 9), (at + 3, 0xFF)):
        with pytest.raises(FormatError, match="does not exist"):
            decode_tensors(bytes(payload[:place] + bytes([value]) + payload[place + 1 :]), SMALL)


channels = st.integers(0, 2**32).flatmap(
    lambda seed: st.sampled_from([1, 50, 10_000, 2**27]).map(
        lambda most: np.random.default_rng(seed).integers(-most, most, (6, 2, 3), dtype=np.int32, endpoint=True)
    )
)


@given(channels, st.integers(0, 8))
def test_prediction_is_undone(channel, weight):
    residual = residual_of(channel, weight)
    assert np.array_equal(restored(residual, weight), channel)


@given(channels, st.integers(1, 8))
def test_prediction_in_plain_integers(residual, weight):
    expected = [residual[0].astype(object)]
    for row in residual[1:].astype(object):
        expected.append(row + (weight * expected[-1] + 4) // 8)
    if max(abs(int(v)) for v in np.concatenate([e.ravel() for e in expected])) < 2**31:
        assert np.array_equal(restored(residual, weight), np.array(expected).astype(np.int32))
    else:
        with pytest.raises(DamagedError):
            restored(residual, weight)


def test_an_embedding_that_leaves_32_bits_is_damage():
    residual = np.full((65535, 1, 1), 2**31 - 1, np.int32)
    with pytest.raises(DamagedError):
        restored(residual, 8)
    assert np.array_equal(restored(residual, 0), residual)


def test_steps_are_exact():
    with localcontext() as context:
        context.prec = 60
        for exponent in range(256):
            exact = Decimal(2) ** (Decimal(exponent) / 16 - 13)
            step = step_size(exponent)
            assert step.dtype == np.float32 and Decimal(float(step)) > 0
            below, above = np.nextafter(step, np.float32(0)), np.nextafter(step, np.float32(100))
            error = abs(Decimal(float(step)) - exact)
            assert error <= abs(Decimal(float(below)) - exact) and error <= abs(Decimal(float(above)) - exact)


@given(st.floats(-12.9, 2.9))
def test_the_nearest_exponent_is_chosen(log2_step):
    assert abs(np.log2(float(step_size(step_exponent(log2_step)))) - log2_step) <= 1 / 32 + 1e-6


def test_exponents_are_bounded():
    assert (step_exponent(-1000.0), step_exponent(1000.0)) == (0, 255)


def test_symbol_hash_is_over_arrays_in_order():
    tensors = small()
    exponents = np.array([*tensors.weight_exponents, *tensors.embedding_exponents], np.int32)
    assert tensors.hash() == symbol_hash([exponents, *tensors.weights, tensors.embedding])
    swapped = CodedTensors(tensors.weights[::-1], tensors.weight_exponents, tensors.embedding, (180, 190))
    assert swapped.hash() != tensors.hash()
    coarser = CodedTensors(tensors.weights, tensors.weight_exponents, tensors.embedding, (180, 191))
    assert coarser.hash() != tensors.hash()


def test_values_are_one_product():
    tensors = small()
    values = tensors.embedding_values()
    assert values is not None and values.dtype == np.float32 and values.shape == (5, 2, 2, 2)
    assert values[3, 1, 0, 1] == np.float32(tensors.embedding[1, 3, 0, 1]) * step_size(190)
    assert tensors.weight_values()[0].dtype == np.float32


def test_a_small_payload_may_name_many_symbols():
    """Zeros cost next to nothing; what bounds memory is the limit on parameters, checked before this."""
    shapes = Shapes(((1 << 20,),))
    payload, _ = encode_tensors(CodedTensors([np.zeros(1 << 20, np.int32)], [208]))
    assert len(payload) < 200
    assert not decode_tensors(payload, shapes).weights[0].any()
    assert prod(shapes.weights[0]) == shapes.count


# groups that lean on the one before


def state_of(shapes: Shapes, seed: int, embedding_exponents: tuple[int, ...] = ()) -> FittedState:
    """Of a group of such shapes that stood alone."""
    random = np.random.default_rng(seed)
    weights = [np.rint(random.laplace(0, 4, shape)).astype(np.int32) for shape in shapes.weights]
    values = None
    if shapes.embedding:
        values = np.rint(random.laplace(0, 50, shapes.embedding)).astype(np.int32)
    codes = embedding_exponents if shapes.embedding else ()
    return CodedTensors(weights, [180] * len(weights), values, codes).state(6, b"config")


@settings(max_examples=40, deadline=None)
@given(coded(), st.data())
def test_round_trip_of_what_leans(pair, data):
    tensors, shapes = pair
    codes = tuple(data.draw(exponents) for _ in tensors.embedding_exponents)
    tensors.previous = state_of(shapes, data.draw(st.integers(0, 99)), codes)
    tensors.predictions = tuple(data.draw(st.integers(0, 8)) for _ in tensors.weights)
    payload, bits = encode_tensors(tensors)
    back = decode_tensors(payload, shapes, tensors.previous)
    for a, b in zip(tensors.weights, back.weights, strict=True):
        assert np.array_equal(a, b)
    if tensors.embedding is not None:
        assert np.array_equal(tensors.embedding, back.embedding)
    assert (back.predictions, back.weight_exponents) == (tensors.predictions, tensors.weight_exponents)
    assert back.hash() == tensors.hash()
    assert shapes.side_bytes(leans=True) == shapes.side_bytes() + len(shapes.weights) < len(payload)
    assert bits / 8 - 1 <= len(payload) <= bits / 8 * 1.02 + 12
    for length in range(0, shapes.side_bytes(leans=True)):
        with pytest.raises(DamagedError, match="side information"):
            decode_tensors(payload[:length], shapes, tensors.previous)


def leaning() -> CodedTensors:
    tensors = small()
    tensors.previous, tensors.predictions = state_of(SMALL, 5, (177, 201)), (8, 3)
    return tensors


def test_values_of_what_leans_are_rounded_three_times():
    tensors = leaning()
    assert tensors.previous is not None
    for number, (value, base) in enumerate(zip(tensors.weight_values(), tensors.previous.weights, strict=True)):
        step, part = step_size(tensors.weight_exponents[number]), np.float32(tensors.predictions[number] / 8)
        assert value.dtype == np.float32
        for at in np.ndindex(value.shape):
            new = np.float32(tensors.weights[number][at]) * step
            assert value[at] == np.float32(base[at] * part) + new


def test_the_hash_of_what_leans_is_over_predictions_and_the_past():
    tensors = leaning()
    assert tensors.previous is not None
    past = np.frombuffer(tensors.previous.symbol_hash, "<i4")
    first = np.array([200, 150, 180, 190, 8, 3, *past], np.int32)
    assert tensors.hash() == symbol_hash([first, *tensors.weights, tensors.embedding])
    assert len({tensors.hash(), small().hash(), replace(tensors, predictions=(8, 4)).hash()}) == 3


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=8), exponents, exponents)
def test_rescaled_integers(values, exponent, to):
    found = module.rescaled(np.array(values, np.int32), exponent, to)
    assert found.dtype == np.int32
    for value, other in zip(values, found.tolist(), strict=True):
        quotient = (float(value) * float(step_size(exponent))) / float(step_size(to))
        assert other == max(-(2**30), min(2**30, round(quotient)))  # Python rounds halves to even, too
        if exponent == to and abs(value) <= 2**30:
            assert other == value


@given(channels, channels, st.integers(0, 8))
def test_prediction_from_the_group_before_is_undone(channel, earlier, weight):
    residual = residual_of(channel, weight, earlier[0])
    assert np.array_equal(restored(residual, weight, earlier[0]), channel)
    expected = channel[0].astype(object) - ((weight * earlier[0].astype(object) + 4) // 8 if weight else 0)
    assert np.array_equal(residual[0], expected)


def test_the_largest_embeddings_come_back():
    """Where a prediction would leave 32 bits another one is taken."""
    random = np.random.default_rng(2)
    values = random.choice([2**30, -(2**30)], (2, 6, 3, 3)).astype(np.int32)
    shapes = Shapes(((2,),), (2, 6, 3, 3))
    tensors = CodedTensors([np.array([2**31 - 1, -(2**31)], np.int32)], [0], values, (0, 3))
    assert np.array_equal(decode_tensors(encode_tensors(tensors)[0], shapes).embedding, values)
    tensors.previous, tensors.predictions = tensors.state(2, b""), (8,)
    assert np.array_equal(decode_tensors(encode_tensors(tensors)[0], shapes, tensors.previous).embedding, values)


def test_weights_stay_finite_in_the_longest_chain():
    """A group adds less than 2^34 to a weight, so that no number of groups that a stream can have reaches infinity."""
    tensors = CodedTensors([np.array([2**31 - 1, -(2**31)], np.int32)], [255])
    assert np.abs(tensors.weight_values()[0]).max() < 2**34
    for _ in range(200):
        tensors = replace(tensors, previous=tensors.state(1, b""), predictions=(8,))
    assert 2**40 < np.abs(tensors.weight_values()[0]).max() < 2**42
