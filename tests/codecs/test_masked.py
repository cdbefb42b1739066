"""Masked tensors: any masks and integers come back, what was set stays, damage has a name (bitstream/PFNR.md)."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs import sizing
from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.masked import MaskedTensors, decode_masked, encode_masked, read_flags, write_flags
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.state import FittedState
from nvcodec.errors import FormatError
from nvcodec.format import VideoFormat

SHAPES = ((5, 4), (5,), (3, 5, 3, 3), (3,), (2, 3))
SHARED = (True, False, True, False, False)


def video(seed: int, share: float, before: FittedState | None = None, spread: float = 9.0) -> MaskedTensors:
    random = np.random.default_rng(seed)
    out = MaskedTensors([], list(range(100, 105)), previous=before, shared=SHARED)
    for number, shape in enumerate(SHAPES):
        values = np.rint(random.laplace(0, spread, shape)).astype(np.int32)
        if SHARED[number]:
            values = np.where(random.random(shape) < share, np.where(values == 0, 1, values), 0).astype(np.int32)
            taken = before is not None and before.weights[number] != 0
            values = np.where(taken, random.integers(0, 2, shape), values).astype(np.int32)
        out.weights.append(values)
    return out


def chain(count: int, share: float = 0.4) -> list[MaskedTensors]:
    out: list[MaskedTensors] = []
    for number in range(count):
        out.append(video(number, share, out[-1].state(12, b"same") if out else None))
    return out


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 99), st.sampled_from([0.0, 0.02, 0.5, 1.0]), st.sampled_from([0.3, 4.0, 1e4, 1e8]))
def test_any_video_comes_back(seed, share, spread):
    first = video(seed, 0.4)
    for tensors in (video(seed, share, None, spread), video(seed + 1, share, first.state(12, b"same"), spread)):
        payload, bits = encode_masked(tensors)
        back = decode_masked(payload, SHAPES, SHARED, tensors.previous)
        for one, other in zip(back.weights, tensors.weights, strict=True):
            assert np.array_equal(one, other)
        assert back.hash() == tensors.hash() and back.weight_exponents == tensors.weight_exponents
        assert bits / 8 - 1 <= len(payload) <= bits / 8 * 1.02 + 12


def test_what_was_set_stays():
    videos = chain(4, 0.3)
    states = [each.state(12, b"same") for each in videos]
    for before, after, tensors in zip(states[:-1], states[1:], videos[1:], strict=True):
        for number, shared in enumerate(SHARED):
            if shared:
                was = before.weights[number] != 0
                assert np.array_equal(after.weights[number][was], before.weights[number][was])
                assert (after.weights[number] != 0).sum() > was.sum()
                shown = tensors.weight_values()[number]
                assert np.array_equal(shown[was], (before.weights[number] * tensors.weights[number])[was])
                assert np.array_equal(shown[~was], after.weights[number][~was])


def test_a_gap_saves_what_lies_in_it():
    tensors = video(0, 0.5)
    wide = MaskedTensors(
        [w + 100 * np.sign(w) if s else w for w, s in zip(tensors.weights, SHARED, strict=True)],
        tensors.weight_exponents,
        shared=SHARED,
    )
    assert len(encode_masked(wide)[0]) <= len(encode_masked(tensors)[0]) + 4


@pytest.mark.parametrize("flags", [[], [0], [1], [0, 1] * 50, [0] * 400 + [1], [1] * 400])
def test_masks(flags):
    mask = np.array(flags, bool)
    data = b"before" + write_flags(mask) + b"behind"
    found, at = read_flags(data, 6, len(mask))
    assert np.array_equal(found, mask) and data[at:] == b"behind"
    assert len(data) - 12 < 16 + len(flags) / 7


@pytest.mark.parametrize("number", [0, 2])
def test_every_truncation_and_flip_ends_in_a_package_error_or_in_symbols(number):
    tensors = chain(3)[number]
    payload = encode_masked(tensors)[0]
    for length in range(len(payload)):
        with pytest.raises(FormatError):
            decode_masked(payload[:length], SHAPES, SHARED, tensors.previous)
    alike = 0
    for bit in range(8 * len(payload)):
        changed = bytearray(payload)
        changed[bit // 8] ^= 1 << bit % 8
        with suppress(FormatError):
            alike += decode_masked(bytes(changed), SHAPES, SHARED, tensors.previous).hash() == tensors.hash()
    assert alike <= 8  # bits of a table, which the hash does not hold


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_refused_by_name(data):
    before = video(0, 0.4).state(12, b"same")
    with suppress(FormatError):
        decode_masked(encode_masked(video(1, 0.4, before))[0][:18] + data, SHAPES, SHARED, before)


def test_a_mask_that_does_not_fit_is_refused():
    """A group that leans on another state than it was made for."""
    first, second, _ = chain(3)
    payload = encode_masked(second)[0]
    other = video(77, 0.9).state(12, b"same")
    with pytest.raises(FormatError):
        decode_masked(payload, SHAPES, SHARED, other)
    with pytest.raises(FormatError):
        decode_masked(payload, SHAPES, SHARED, None)
    assert decode_masked(payload, SHAPES, SHARED, first.state(12, b"same")).hash() == second.hash()


def test_a_later_video_is_fitted_to_the_end(crop, monkeypatch):
    """It begins with nothing of itself: a probe of few steps says no more than that."""
    monkeypatch.setitem(sizing.FEWEST_STEPS, "faster", 48)
    monkeypatch.setitem(sizing.EPOCHS, "faster", 0)
    codec, spec, fmt = get_codec("pfnr"), GroupSpec(preset="faster", chain=True), VideoFormat(48, 32)
    first = codec.encode_group(crop(48, 32, 4), fmt, spec)
    turned = [tuple(np.ascontiguousarray(p[::-1]) for p in planes) for planes in crop(48, 32, 4)]
    second = codec.encode_group(turned, fmt, spec, None, first.state)
    assert second.leans and second.steps == first.steps == 48
