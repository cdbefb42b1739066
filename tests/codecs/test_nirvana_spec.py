"""Groups that lean, and nirvana, by bitstream/FITTED.md alone: symbols and weights bit for bit, pictures within the
tolerance, and what the text forbids is what the decoder refuses."""

from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.tensors import CodedTensors, encode_tensors
from nvcodec.container import Unit
from nvcodec.errors import FormatError
from nvcodec.format import VideoFormat
from nvcodec.models.hnerv import HNeRVConfig
from nvcodec.models.nerv import NeRVConfig
from nvcodec.models.nirvana import NirvanaConfig
from tests.oracles.fitted_twin import decode_group, picture

FAMILIES = ["nerv", "hnerv", "nirvana"]
WIDTH, HEIGHT = 35, 23
CONFIGS = {
    "nerv": NeRVConfig((2, 3), 3, (2, 1, 3), 2, 2, 5, 1.25, 5, 6),
    "hnerv": HNeRVConfig((2, 3), 3, 5, (3, 1, 2), 1.5, 2, 1, 5, 6),
    "nirvana": NirvanaConfig((2, 3), 3, 2, 6, 5, (1, 2), 1.5, 2, 4, 3),
}


def random_group(name: str, frames: int, seed: int, previous=None) -> CodedTensors:
    """Of about the same size whatever it leans on: what is new is smaller."""
    random = np.random.default_rng(seed)
    shapes = get_codec(name).shapes(CONFIGS[name], frames)
    spread = 40 if previous is None else 12
    weights = [np.rint(random.normal(0, spread, shape)).astype(np.int32) for shape in shapes.weights]
    exponents = [208 - 16 * 5 - 8 * (len(s) - 1) + int(random.integers(-2, 3)) for s in shapes.weights]
    exponents[-2:] = [e - 24 for e in exponents[-2:]]  # of the head: neither black nor white
    out = CodedTensors(weights, exponents, previous=previous)
    if previous is not None:
        out.predictions = tuple(int(p) for p in random.integers(0, 9, len(weights)))
    if shapes.embedding:
        values = 30 + np.cumsum(np.rint(random.normal(0, 3, shapes.embedding)), axis=1)
        out.embedding = values.astype(np.int32)
        out.embedding_exponents = tuple(int(e) for e in random.integers(125, 140, shapes.embedding[0]))
    return out


def chain(name: str, frames: tuple[int, ...] = (3, 1, 2), bit_depth: int = 8):
    """(payload, decoder, second decoder's group) of each, the second and later ones leaning."""
    codec, out, state, before = get_codec(name), [], None, None
    config = codec.pack(CONFIGS[name])
    for number, count in enumerate(frames):
        payload, _ = encode_tensors(random_group(name, count, number, state))
        fmt = VideoFormat(WIDTH, HEIGHT, bit_depth)
        decoder = codec.open_group(config, [Unit(0, count, (), payload)], fmt, count, "cpu", state)
        before = decode_group(codec.codec_id, config, payload, WIDTH, HEIGHT, count, before)
        state = decoder.state
        out.append((payload, decoder, before))
    return out


@pytest.mark.parametrize("name", FAMILIES)
def test_symbols_and_weights_of_a_chain_are_the_same_to_the_bit(name):
    for _, decoder, group in chain(name, (3, 1, 2, 2, 1, 3)):
        assert decoder.symbol_hash == group.symbol_hash
        for ours, theirs in zip(decoder.state.weights, group.values, strict=True):
            assert ours.dtype == theirs.dtype == np.float32
            assert ours.tobytes() == theirs.tobytes()
        if group.embedding is not None:
            assert np.array_equal(decoder.state.embedding, group.embedding[:, -1])
        assert list(decoder.state.embedding_exponents) == group.channel_exponents


@pytest.mark.parametrize(("name", "bit_depth"), [("nerv", 8), ("hnerv", 8), ("nirvana", 8), ("nirvana", 10)])
def test_pictures_of_a_chain(name, bit_depth):
    for _, decoder, group in chain(name, (2, 1), bit_depth):
        for t in range(group.frames):
            wanted = picture(group, t, WIDTH, HEIGHT, bit_depth)
            for plane, other in zip(decoder.planes(t), wanted, strict=True):
                assert plane.dtype == (np.uint8 if bit_depth == 8 else np.uint16)
                assert plane.std() > 2  # there is something to compare
                assert np.abs(plane.astype(int) - other).max() <= 1


def test_extreme_integers_and_steps_in_a_chain():
    """Integers at the ends of their range, exponents far apart: rescaling clips, weights stay finite, both agree."""
    codec, fmt = get_codec("nirvana"), VideoFormat(WIDTH, HEIGHT)
    config, state, before = codec.pack(CONFIGS["nirvana"]), None, None
    shapes = codec.shapes(CONFIGS["nirvana"], 1)
    for number, exponent in enumerate((255, 0, 17, 255, 255)):
        random = np.random.default_rng(number)
        weights = [random.choice([2**31 - 1, -(2**31), 0, 3], shape).astype(np.int32) for shape in shapes.weights]
        tensors = CodedTensors(weights, [255] * len(weights), previous=state)
        tensors.predictions = () if state is None else (8,) * len(weights)
        tensors.embedding = random.choice([2**30, -(2**30), 1], shapes.embedding).astype(np.int32)
        tensors.embedding_exponents = (exponent,) * len(tensors.embedding)
        payload, _ = encode_tensors(tensors)
        decoder = codec.open_group(config, [Unit(0, 1, (), payload)], fmt, 1, "cpu", state)
        before = decode_group(6, config, payload, WIDTH, HEIGHT, 1, before)
        state = decoder.state
        assert np.array_equal(state.embedding, tensors.embedding[:, -1])
        assert decoder.symbol_hash == before.symbol_hash
        for ours, theirs in zip(state.weights, before.values, strict=True):
            assert np.isfinite(ours).all() and ours.tobytes() == theirs.tobytes()
        assert decoder.planes(0)[0].shape == (HEIGHT, WIDTH)  # of sums that overflow, too


@cache
def pair(name: str):
    return chain(name, (2, 2))


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_both_decoders_refuse_the_same_payloads(name, data):
    codec, (_, first, before), (payload, _, _) = get_codec(name), *pair(name)
    config, changed = codec.pack(CONFIGS[name]), bytearray(payload)
    sides = 4 * len(codec.shapes(CONFIGS[name], 2).weights)
    for _ in range(data.draw(st.integers(1, 2))):
        most = data.draw(st.sampled_from([sides, len(payload)])) - 1
        changed[data.draw(st.integers(0, most))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        changed = changed[: data.draw(st.integers(0, len(changed)))]
    wanted = found = None
    with suppress(ValueError, FormatError):
        wanted = decode_group(codec.codec_id, config, bytes(changed), WIDTH, HEIGHT, 2, before).symbol_hash
    units = [Unit(0, 2, (), bytes(changed))]
    with suppress(FormatError):
        found = codec.open_group(config, units, VideoFormat(WIDTH, HEIGHT), 2, "cpu", first.state).symbol_hash
    assert found == wanted


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=16), st.integers(1, 200), st.integers(1, 200))
def test_any_config_is_read_alike(data, width, height):
    codec = get_codec("nirvana")
    try:
        cost = codec.cost(data, VideoFormat(width, height), 3)
    except FormatError:
        with pytest.raises(ValueError):
            decode_group(6, data, b"", width, height, 3)
    else:
        assert min(cost.parameters, cost.macs_per_pixel, cost.activation_bytes) > 0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"cell": 17}, "cell"),
        ({"patches": (3, 3)}, "grid"),
        ({"latents": 0}, "latents"),
        ({"latents": 1025}, "latents"),
        ({"hidden": 8193}, "hidden width"),
        ({"width": 0}, "width"),
        ({"reduction": 0.99}, "reduction"),
        ({"reduction": 16.01}, "reduction"),
        ({"min_width": 8193}, "least width"),
        ({"space_levels": 17}, "octaves of space"),
        ({"time_levels": 0}, "octaves of time"),
        ({"strides": (17, 2)}, "stride"),
        ({"strides": (1,) * 9}, "stages"),
    ],
)
def test_configs_out_of_bounds(change, word):
    codec = get_codec("nirvana")
    config = replace(CONFIGS["nirvana"], **change)
    with pytest.raises(FormatError, match=word):
        codec.unpack(codec.pack(config), 12, 18)
    with pytest.raises(ValueError):
        decode_group(6, codec.pack(config), b"", WIDTH, HEIGHT, 1)
