"""hnerv-boost, nerv-boost, nervpp, enerv and enerv-boost by bitstream/FITTED.md alone: in chains, weights bit for bit
and pictures within the tolerance; what the text forbids is refused.
(Costs, fields and single groups: test_fitted_spec.py.)"""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.tensors import CodedTensors, encode_tensors
from nvcodec.container import Unit
from nvcodec.container.limits import check_cost
from nvcodec.errors import FormatError, LimitError
from nvcodec.format import VideoFormat
from nvcodec.models.boost import HNeRVBoostConfig, NeRVBoostConfig
from nvcodec.models.enerv import ENeRVBoostConfig, ENeRVConfig
from nvcodec.models.nervpp import NeRVPlusConfig
from tests.oracles.fitted_twin import decode_group, picture

FAMILIES = ["hnerv-boost", "nerv-boost", "nervpp", "enerv", "enerv-boost"]
WIDTH, HEIGHT = 35, 23
CONFIGS = {
    "hnerv-boost": HNeRVBoostConfig((2, 3), 3, 5, (3, 1, 2), 1.5, 2, 1, 5, 6, "sin", 1.3, 4, 2, 2),
    "nerv-boost": NeRVBoostConfig((2, 3), 3, (2, 1, 3), 2, 2, 5, 1.25, 5, 6, "sin", 0, 3),
    "nervpp": NeRVPlusConfig((2, 3), 3, (2, 1, 3), 2, 2, 5, 1.25, 5, 6),
    "enerv": ENeRVConfig((2, 3), 3, (2, 1, 3), 2, 2, 5, 1.25, 5, 6, "silu", 4, 5, 2, 3, 4, 3, 1),
    "enerv-boost": ENeRVBoostConfig((2, 3), 3, (2, 1, 3), 2, 2, 5, 1.25, 5, 6, "sin", 4, 5, 2, 3, 4, 3, single=0),
}


def random_group(name: str, frames: int, seed: int, previous=None) -> CodedTensors:
    """Of about the same size whatever it leans on: what is new is smaller. No sine is of anything large."""
    random = np.random.default_rng(seed)
    shapes = get_codec(name).shapes(CONFIGS[name], frames)
    spread = 40 if previous is None else 10
    weights = [np.rint(random.normal(0, spread, shape)).astype(np.int32) for shape in shapes.weights]
    exponents = [208 - 16 * 6 - 8 * (len(s) - 1) + int(random.integers(-2, 3)) for s in shapes.weights]
    exponents[-2:] = [e - 16 for e in exponents[-2:]]  # of the head: neither black nor white
    out = CodedTensors(weights, exponents, previous=previous)
    if previous is not None:
        out.predictions = tuple(int(p) for p in random.integers(0, 9, len(weights)))
    if shapes.embedding:
        values = 30 + np.cumsum(np.rint(random.normal(0, 3, shapes.embedding)), axis=1)
        out.embedding = values.astype(np.int32)
        out.embedding_exponents = tuple(int(e) for e in random.integers(125, 140, shapes.embedding[0]))
    return out


def chain(name: str, frames: tuple[int, ...], bit_depth: int = 8):
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
    for _, decoder, group in chain(name, (3, 1, 2, 3)):
        assert decoder.symbol_hash == group.symbol_hash
        for ours, theirs in zip(decoder.state.weights, group.values, strict=True):
            assert ours.dtype == theirs.dtype == np.float32
            assert ours.tobytes() == theirs.tobytes()
        if group.embedding is not None:
            assert np.array_equal(decoder.state.embedding, group.embedding[:, -1])


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("name", FAMILIES)
def test_pictures_of_a_chain(name, bit_depth):
    for _, decoder, group in chain(name, (2, 1), bit_depth):
        for t in range(group.frames):
            wanted = picture(group, t, WIDTH, HEIGHT, bit_depth)
            for plane, other in zip(decoder.planes(t), wanted, strict=True):
                assert plane.dtype == (np.uint8 if bit_depth == 8 else np.uint16)
                assert plane.std() > 2  # there is something to compare
                assert np.abs(plane.astype(int) - other).max() <= 1


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


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=16), st.integers(1, 200), st.integers(1, 200))
def test_any_config_is_read_alike(name, data, width, height):
    codec = get_codec(name)
    try:
        cost = codec.cost(data, VideoFormat(width, height), 3)
    except FormatError:
        with pytest.raises(ValueError):
            decode_group(codec.codec_id, data, b"", width, height, 3)
    else:
        assert min(cost.parameters, cost.macs_per_pixel, cost.activation_bytes) > 0


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        ("hnerv-boost", {"grid": (3, 3)}, "grid"),
        ("hnerv-boost", {"embedding_channels": 1025}, "embedding channels"),
        ("hnerv-boost", {"max_kernel": 4}, "even"),
        ("hnerv-boost", {"reduction": 0.99}, "reduction"),
        ("hnerv-boost", {"pe_base": 4.01}, "encoding base"),
        ("hnerv-boost", {"pe_levels": 0}, "encoding levels"),
        ("hnerv-boost", {"single": 9}, "stages of one block"),
        ("hnerv-boost", {"condition": 0}, "condition width"),
        ("hnerv-boost", {"condition": 1025}, "condition width"),
        ("nerv-boost", {"strides": (1,) * 9}, "stages"),
        ("nerv-boost", {"expansion": 17}, "expansion"),
        ("nerv-boost", {"hidden": 8193}, "hidden width"),
        ("nerv-boost", {"pe_levels": 129}, "encoding levels"),
        ("nerv-boost", {"single": 9}, "stages of one block"),
        ("nerv-boost", {"condition": 1025}, "condition width"),
        ("nervpp", {"width": 0}, "width"),
        ("nervpp", {"hidden": 8193}, "hidden width"),
        ("nervpp", {"pe_levels": 129}, "encoding levels"),
        ("nervpp", {"expansion": 17}, "expansion"),
        ("enerv", {"space_levels": 129}, "levels of space"),
        ("enerv", {"tokens": 1025}, "token width"),
        ("enerv", {"heads": 17}, "heads"),
        ("enerv", {"head_width": 257}, "head width"),
        ("enerv", {"feed": 4097}, "feed width"),
        ("enerv", {"squeeze": 65}, "squeeze"),
        ("enerv", {"told": 0}, "condition width"),
        ("enerv-boost", {"heads": 0}, "heads"),
        ("enerv-boost", {"single": 9}, "stages of one block"),
        ("enerv-boost", {"told": 1025}, "condition width"),
    ],
)
def test_configs_out_of_bounds(name, change, word):
    codec = get_codec(name)
    config = codec.pack(replace(CONFIGS[name], **change))
    with pytest.raises(FormatError, match=word):
        codec.unpack(config, 12, 18)
    with pytest.raises(ValueError):
        decode_group(codec.codec_id, config, b"", WIDTH, HEIGHT, 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_config_that_goes_on_or_ends_early(name):
    codec = get_codec(name)
    config = codec.pack(CONFIGS[name])
    for data in (config + b"\x01", config[:-1], b""):
        with pytest.raises(FormatError):
            codec.unpack(data, 12, 18)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=100, deadline=None)
@given(
    strides=st.lists(st.integers(1, 16), min_size=1, max_size=8),
    numbers=st.lists(st.integers(1, 8192), min_size=4, max_size=4),
    condition=st.integers(1, 1024),
    single=st.integers(0, 8),
    rows=st.integers(1, 1000),
)
def test_every_legal_config_is_priced_before_anything_is_allocated(name, strides, numbers, condition, single, rows):
    codec, cells = get_codec(name), -(-rows // prod(strides))
    a, b, c, d = numbers
    if name == "nervpp":
        config = NeRVPlusConfig((cells, cells), a, tuple(strides), b, c % 16 + 1, d, 1.25, 128, 6)
    elif name == "nerv-boost":
        told = 1.25, 128, 6, "sin", single, condition
        config = NeRVBoostConfig((cells, cells), a, tuple(strides), b, c % 16 + 1, d, *told)
    elif name.startswith("enerv"):
        shape = (cells, cells), a, tuple(strides), b, c % 16 + 1, d, 1.25, 128, 6, "silu"
        stem = 128, a % 1024 + 1, b % 16 + 1, c % 256 + 1, d % 4096 + 1, condition
        config = ENeRVConfig(*shape, *stem) if name == "enerv" else ENeRVBoostConfig(*shape, *stem, single=single)
    else:
        told = 6, "sin", 1.25, 128, single, condition
        config = HNeRVBoostConfig((cells, cells), a % 1024 + 1, b, tuple(strides), 1.2, d, 3, 15, *told)
    packed, fmt = codec.pack(config), VideoFormat(2 * rows, 2 * rows)
    cost = codec.cost(packed, fmt, 65535)
    assert cost.parameters == codec.shapes(codec.unpack(packed, rows, rows), 65535).count
    if cost.parameters > 2**28:
        with pytest.raises(LimitError):
            check_cost(cost)
