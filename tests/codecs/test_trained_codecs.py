"""The trained codecs on real pictures: whole groups, goals, damage; symbols that are the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.latent_group import parse_config
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.container import Unit
from nvcodec.errors import DamagedError, FormatError, UnsupportedError
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv

FORMAT = VideoFormat(96, 80)
NAMES = ("stem", "intra")


@pytest.fixture(scope="module")
def spec(tiny_weights) -> GroupSpec:
    return GroupSpec(quality=32, model=str(tiny_weights))


@pytest.fixture(scope="module")
def coded(crop, spec):
    """name -> (payload, frames)."""
    frames = crop(96, 80, 5)
    return {name: (get_codec(name).encode_group(frames, FORMAT, spec), frames) for name in NAMES}


def opened(name: str, payload, fmt: VideoFormat = FORMAT):
    return get_codec(name).open_group(payload.config, payload.units, fmt, len(payload.units))


def same(a, b) -> bool:
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_decoded_pictures_are_what_the_encoder_says(coded, name):
    payload, frames = coded[name]
    decoder = opened(name, payload)
    assert decoder.symbol_hash == payload.symbol_hash
    pictures, values = PictureHash(), []
    for i, planes in enumerate(frames):
        pictures.update(decoder.planes(i))
        values.append(psnr_yuv(planes, decoder.planes(i)))
    assert pictures.digest() == payload.picture_hash
    assert payload.psnr == pytest.approx(np.mean(values), abs=1e-9)
    assert payload.psnr > 30
    assert [unit.first for unit in payload.units] == list(range(5))
    wanted = [()] * 5 if name == "intra" else [(), (0,), (1,), (2,), (3,)]
    assert [unit.references for unit in payload.units] == wanted


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("size", [(1, 1), (17, 33), (64, 16)])
def test_any_size_and_depth(crop, spec, size, bit_depth):
    fmt = VideoFormat(*size, bit_depth)
    frames = crop(*size, 3, bit_depth)
    payload = get_codec("stem").encode_group(frames, fmt, replace(spec, quality=63))
    decoder = opened("stem", payload, fmt)
    for i, planes in enumerate(frames):
        shown = decoder.planes(i)
        assert [p.shape for p in shown] == [p.shape for p in planes]
        assert [p.dtype for p in shown] == [p.dtype for p in planes]
        assert psnr_yuv(planes, shown, bit_depth) > 35
    with pytest.raises(IndexError):
        decoder.planes(3)


def test_the_dial_spans_ten_decibels_with_one_set_of_weights(crop, spec):
    frames = crop(96, 80, 2)
    payloads = [get_codec("stem").encode_group(frames, FORMAT, replace(spec, quality=q)) for q in (0, 16, 32, 48, 63)]
    levels, sizes = [p.psnr for p in payloads], [p.size for p in payloads]
    assert levels == sorted(levels) and sizes == sorted(sizes)
    assert levels[-1] - levels[0] > 10
    assert [parse_config(p.config).quality for p in payloads] == [0, 16, 32, 48, 63]


def test_a_cut_is_coded_alone(crop, spec):
    frames = crop(96, 80, 3)
    other = [tuple(np.ascontiguousarray(plane[::-1, ::-1]) for plane in planes) for planes in crop(96, 80, 6)[3:]]
    payload = get_codec("stem").encode_group([*frames, *other], FORMAT, spec)
    alone = [unit.first for unit in payload.units if not unit.references]
    assert 0 in alone and set(alone) <= {0, 3}
    assert opened("stem", payload).symbol_hash == payload.symbol_hash


@pytest.mark.parametrize("target", [1200, 2500, 6000])
def test_a_goal_of_bytes_is_filled_from_below(crop, spec, target):
    payload = get_codec("stem").encode_group(crop(96, 80, 3), FORMAT, replace(spec, target_bytes=target))
    assert payload.goal_met
    assert 0.9 * target < payload.size + 3 * len(payload.units) <= target + 3 * len(payload.units)
    assert payload.notes["passes"] <= 8


def test_goals_out_of_reach_say_so(crop, spec):
    codec, frames = get_codec("stem"), crop(96, 80, 1)
    least = codec.encode_group(frames, FORMAT, replace(spec, target_bytes=11))
    assert not least.goal_met and parse_config(least.config).quality == 0
    tight = codec.encode_group(frames, FORMAT, replace(spec, target_bytes=60))
    assert tight.goal_met and tight.size <= 60 and parse_config(tight.config).skip > 1
    best = codec.encode_group(frames, FORMAT, replace(spec, psnr_floor=69.0))
    assert not best.goal_met and parse_config(best.config).quality == 63


@pytest.mark.parametrize("floor", [28.0, 33.0, 38.0])
def test_a_floor_of_psnr_is_just_met(crop, spec, floor):
    payload = get_codec("intra").encode_group(crop(96, 80, 2), FORMAT, replace(spec, psnr_floor=floor))
    assert payload.goal_met
    assert floor <= payload.psnr < floor + 0.6


SCRIPT = """
import json, sys
import torch
from nvcodec.codecs.registry import get_codec
from nvcodec.container import Unit
from nvcodec.format import VideoFormat
config, units, width, height, threads = json.load(sys.stdin)
torch.set_num_threads(threads)
units = [Unit(first, 1, tuple(refs), bytes.fromhex(data)) for first, refs, data in units]
decoder = get_codec("stem").open_group(bytes.fromhex(config), units, VideoFormat(width, height), len(units))
print(decoder.symbol_hash.hex())
"""


@pytest.mark.parametrize(("threads", "kernels"), [(2, ""), (1, "default")])
def test_symbols_are_the_same_in_a_fresh_process_with_any_threads_and_kernels(coded, threads, kernels):
    """``default``: torch's kernels without AVX at all."""
    payload, _ = coded["stem"]
    units = [(unit.first, unit.references, unit.payload.hex()) for unit in payload.units]
    work = json.dumps([payload.config.hex(), units, FORMAT.width, FORMAT.height, threads])
    environment = {**os.environ, **({"ATEN_CPU_CAPABILITY": kernels, "ONEDNN_MAX_CPU_ISA": "SSE41"} if kernels else {})}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=work, capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout.strip() == payload.symbol_hash.hex()


@pytest.mark.parametrize("setting", ["bf16", "tf32"])
def test_settings_of_the_caller_change_no_symbol(coded, setting):
    payload, _ = coded["stem"]
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium" if setting == "bf16" else "high")
        with torch.autocast("cpu", torch.bfloat16, enabled=setting == "bf16"):
            assert opened("stem", payload).symbol_hash == payload.symbol_hash
    finally:
        torch.set_float32_matmul_precision(before)


def test_skipped_elements_are_zeros(coded, tiny_weights):
    """A threshold of skipping is the encoder's choice; what is below costs nothing."""
    from nvcodec.codecs.latent_group import LatentGroup
    from nvcodec.codecs.latent_units import decode_unit, encode_unit
    from nvcodec.codecs.weights import load_model
    from nvcodec.models.latent_coding import analyse, latent_symbols
    from nvcodec.models.planes import planes_to_features

    model = load_model(tiny_weights)
    _, frames = coded["stem"]
    y, u, v = (torch.from_numpy(plane)[None] for plane in frames[0])
    latents = analyse(model.parts, planes_to_features(y, u, v), 12)
    sizes = []
    for skip in (0, 3, 20):
        frame = latent_symbols(model.parts, latents, (None, None), 12, skip)
        payload, _ = encode_unit(frame, skip)
        decoded = decode_unit(payload, model.exact, (None, None), 12, skip, (5, 6))
        assert torch.equal(decoded.y_hat, frame.y_hat)
        sizes.append(len(payload))
        group = LatentGroup(model.weights.id, 12, skip)
        assert parse_config(group.pack()) == group
    assert sizes[0] >= sizes[1] > sizes[2]


# what is refused


def test_a_config_of_another_length_or_range(coded):
    payload, _ = coded["stem"]
    for config in (b"", payload.config[:-1], payload.config + b"\0", payload.config[:-2] + b"\x40\0"):
        with pytest.raises(FormatError):
            get_codec("stem").open_group(config, payload.units, FORMAT, 5)
        with pytest.raises(FormatError):
            get_codec("stem").cost(config, FORMAT, 5)


def test_missing_weights_are_named(coded):
    payload, _ = coded["stem"]
    config = bytes(8 * [0xAB]) + payload.config[8:]
    for call in (
        lambda: get_codec("stem").cost(config, FORMAT, 5),
        lambda: get_codec("stem").open_group(config, payload.units, FORMAT, 5),
    ):
        with pytest.raises(UnsupportedError, match="abababababababab"):
            call()
    assert get_codec("stem").describe(config, FORMAT, 5)["model"] == "not here"


BAD_UNITS = {
    "two references": lambda units: [units[0], units[1], replace(units[2], references=(0, 1)), *units[3:]],
    "two frames": lambda units: [replace(units[0], count=2), *units[2:]],
    "none": lambda units: [replace(units[0], count=0), *units[1:]],
    "out of order": lambda units: [replace(units[0], first=1), replace(units[1], first=0), *units[2:]],
    "an endless length": lambda units: [replace(units[0], payload=b"\0" + b"\xff" * 9 + b"\x01"), *units[1:]],
    "a length beyond": lambda units: [replace(units[0], payload=b"\0\x7f\x00\x00"), *units[1:]],
    "a later form": lambda units: [replace(units[0], payload=b"\2" + units[0].payload[1:]), *units[1:]],
    "a reference ahead": lambda units: [replace(units[0], references=(1,)), *units[1:]],
    "nothing": lambda units: [replace(units[0], payload=b""), *units[1:]],
}


@pytest.mark.parametrize("case", BAD_UNITS)
def test_units_that_break_the_text(coded, case):
    payload, _ = coded["stem"]
    with pytest.raises(FormatError):
        get_codec("stem").open_group(payload.config, BAD_UNITS[case](payload.units), FORMAT, 5)


def test_intra_has_no_references(coded):
    payload, _ = coded["stem"]
    with pytest.raises(FormatError, match="leans"):
        get_codec("intra").open_group(payload.config, payload.units, FORMAT, 5)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=60), cut=st.integers(0, 4), flip=st.integers(0, 1 << 20))
def test_any_bytes_decode_or_raise(coded, data, cut, flip):
    """Damage of a payload ends in an error of the format or in other symbols, which the hash tells."""
    payload, _ = coded["stem"]
    unit = payload.units[cut]
    bent = bytearray(unit.payload)
    bent[flip % len(bent)] ^= 1 + flip % 255
    for bad in (data, bytes(bent), unit.payload[: flip % len(unit.payload)]):
        units = [*payload.units[:cut], Unit(unit.first, 1, unit.references, bad), *payload.units[cut + 1 :]]
        try:
            decoder = get_codec("stem").open_group(payload.config, units, FORMAT, 5)
        except FormatError as error:
            assert isinstance(error, FormatError | DamagedError)
            continue
        assert decoder.symbol_hash != payload.symbol_hash or bad == unit.payload
        decoder.planes(cut)
