"""Groups of the fitted codecs that lean on the one before: what they save, that they decode to the same pictures
everywhere, and that nothing but the right state opens them."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvcodec.codecs.base import GroupSpec, quality_lambda
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.state import FittedState
from nvcodec.container import Unit
from nvcodec.errors import DamagedError, FormatError
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import mse, psnr_yuv, weigh_yuv

FAMILIES = ["nerv", "hnerv", "nirvana", "hnerv-boost", "nervpp", "enerv", "enerv-boost"]
FORMAT = VideoFormat(64, 48)
FASTER = GroupSpec(preset="faster", chain=True)
GOF = 4


def encoded(name: str, groups, fmt: VideoFormat = FORMAT, spec: GroupSpec = FASTER):
    """Payloads of a chain of groups of frames, each offered the state of the one before."""
    out, state = [], None
    for frames in groups:
        out.append(get_codec(name).encode_group(frames, fmt, spec, None, state))
        state = out[-1].state
    return out


def opened(name: str, payloads, fmt: VideoFormat = FORMAT):
    """Decoders of a chain, from bytes alone."""
    out, state = [], None
    for payload in payloads:
        before = state if payload.leans else None
        out.append(open_one(name, payload.config, payload.units, before, fmt))
        state = out[-1].state
    return out


def open_one(name: str, config: bytes, units, state, fmt: VideoFormat = FORMAT):
    return get_codec(name).open_group(config, units, fmt, units[0].count, "cpu", state)


def objective(frames, decoder, size: int) -> float:
    """Bits a pixel + lambda x MSE."""
    errors = [
        weigh_yuv(*(mse(a, b) for a, b in zip(planes, decoder.planes(i), strict=True)))
        for i, planes in enumerate(frames)
    ]
    bits = 8 * size / (len(frames) * FORMAT.width * FORMAT.height)
    return bits + quality_lambda(FASTER.quality) * float(np.mean(errors))


@pytest.fixture(scope="module")
def moving(crop):
    """name -> (groups of frames, payloads), made once."""
    frames = crop(64, 48, 3 * GOF)
    groups = [frames[at : at + GOF] for at in range(0, 3 * GOF, GOF)]
    return cache(lambda name: (groups, encoded(name, groups)))


def check_pictures(groups, payloads, decoders, bit_depth: int = 8) -> None:
    for frames, payload, decoder in zip(groups, payloads, decoders, strict=True):
        assert decoder.symbol_hash == payload.symbol_hash
        assert decoder.state.digest() == payload.state.digest()
        pictures, values = PictureHash(), []
        for i, planes in enumerate(frames):
            pictures.update(decoder.planes(i))
            values.append(psnr_yuv(planes, decoder.planes(i), bit_depth))
        assert pictures.digest() == payload.picture_hash
        assert payload.psnr == pytest.approx(np.mean(values), abs=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_chain_decodes_to_the_encoders_pictures(name, moving):
    groups, payloads = moving(name)
    assert [payload.leans for payload in payloads] == [False, True, True]
    assert len({payload.config for payload in payloads}) == 1
    check_pictures(groups, payloads, opened(name, payloads))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_still_clip_costs_next_to_nothing(name, moving, crop):
    _, payloads = moving(name)
    still = [crop(64, 48, 1) * GOF] * 3
    first, *_, last = chain = encoded(name, still)  # at the second one a fit that was cut short may still gain
    decoders = opened(name, chain)
    check_pictures(still, chain, decoders)
    assert last.leans and last.size < 0.2 * first.size
    sides = 4 * len(last.state.weights) if name.startswith("enerv") else 0  # so many tensors are a third of the file
    assert last.size - sides < 0.3 * (payloads[2].size - sides)
    assert last.steps < 0.3 * payloads[2].steps
    alone = objective(still[0], decoders[0], first.size)  # what the same frames cost without the group before
    assert objective(still[1], decoders[1], chain[1].size) < alone
    assert objective(still[2], decoders[2], last.size) < alone


@pytest.mark.parametrize("name", FAMILIES)
def test_a_moving_clip_is_better_with_the_group_before(name, moving):
    groups, payloads = moving(name)
    decoders = opened(name, payloads)
    alone = get_codec(name).encode_group(groups[2], FORMAT, FASTER)
    single = open_one(name, alone.config, alone.units, None)
    assert objective(groups[2], decoders[2], payloads[2].size) < objective(groups[2], single, alone.size)


def test_the_same_call_gives_the_same_bytes(moving):
    groups, payloads = moving("nirvana")
    again = get_codec("nirvana").encode_group(groups[1], FORMAT, FASTER, None, payloads[0].state)
    assert again.units == payloads[1].units
    decoded = opened("nirvana", payloads[:1])[0].state  # a reader's state is as good as the encoder's
    again = get_codec("nirvana").encode_group(groups[1], FORMAT, FASTER, None, decoded)
    assert again.units == payloads[1].units


SCRIPT = """
import hashlib, json, sys
from nvcodec.codecs.registry import get_codec
from nvcodec.container import Unit
from nvcodec.format import VideoFormat
digest, fmt = hashlib.sha256(), VideoFormat(64, 48)
for name, chain in json.load(sys.stdin).items():
    state = None
    for config, unit, frames, leans in chain:
        units = [Unit(0, frames, (), bytes.fromhex(unit))]
        before = state if leans else None
        decoder = get_codec(name).open_group(bytes.fromhex(config), units, fmt, frames, "cpu", before)
        state = decoder.state
        digest.update(decoder.symbol_hash + state.digest())
        for i in range(frames):
            for plane in decoder.planes(i):
                digest.update(plane.tobytes())
print(digest.hexdigest())
"""


def test_a_fresh_process_shows_the_same(moving):
    digest, work = hashlib.sha256(), {}
    for name in FAMILIES:
        _, payloads = moving(name)
        work[name] = [[p.config.hex(), p.units[0].payload.hex(), GOF, p.leans] for p in payloads]
        for decoder in opened(name, payloads):
            digest.update(decoder.symbol_hash + decoder.state.digest())
            for i in range(GOF):
                for plane in decoder.planes(i):
                    digest.update(plane.tobytes())
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(work), capture_output=True, check=True, text=True
    )
    assert run.stdout.strip() == digest.hexdigest()


def test_states_of_other_networks_are_refused(moving):
    _, payloads = moving("hnerv")
    config, units, state = payloads[1].config, payloads[1].units, payloads[0].state
    assert isinstance(state, FittedState)
    other_size = get_codec("hnerv").plan(2000, GOF, 40, 40)
    others = [
        moving("nirvana")[1][0].state,
        replace(state, codec_id=1),
        replace(state, config=state.config[:-1] + bytes([state.config[-1] ^ 2])),
        replace(state, config=get_codec("hnerv").pack(other_size)),
        object(),
    ]
    for other in others:
        with pytest.raises(FormatError, match="another network"):
            open_one("hnerv", config, units, other)
    assert open_one("hnerv", config, units, state).symbol_hash == payloads[1].symbol_hash


def test_the_encoder_stands_alone_after_another_network(moving, crop):
    """Of another codec, and of pictures of another size."""
    spec = replace(FASTER, seconds=0.3)
    after_other = get_codec("hnerv").encode_group(crop(64, 48, 1), FORMAT, spec, None, moving("nirvana")[1][0].state)
    assert not after_other.leans
    fmt, frames = VideoFormat(40, 32), crop(40, 32, 2)
    resized = get_codec("nirvana").encode_group(frames, fmt, spec, None, moving("nirvana")[1][0].state)
    assert not resized.leans
    check_pictures([frames], [resized], opened("nirvana", [resized], fmt))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_wrong_state_gives_another_symbol_hash(name, moving):
    _, payloads = moving(name)
    third = payloads[2]
    hashes = {open_one(name, third.config, third.units, payloads[i].state).symbol_hash for i in (0, 1)}
    assert len(hashes) == 2 and third.symbol_hash in hashes
    renamed = replace(payloads[1].state, symbol_hash=bytes(8))  # the same numbers after another past
    assert open_one(name, third.config, third.units, renamed).symbol_hash != third.symbol_hash
    try:  # as if it stood alone
        found = open_one(name, third.config, third.units, None).symbol_hash
    except FormatError:
        return
    assert found != third.symbol_hash


def test_the_hash_hangs_on_all_groups_before(moving):
    """The third's on the first's, which it does not read itself."""
    _, payloads = moving("hnerv")
    past = [replace(payloads[0].state, symbol_hash=bytes([i]) * 8) for i in range(2)]
    ends = []
    for state in past:
        for payload in payloads[1:]:
            state = open_one("hnerv", payload.config, payload.units, state).state
        ends.append(state.symbol_hash)
    assert ends[0] != ends[1]


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_payloads_end_in_a_format_error_or_in_pictures(name, moving, data):
    _, payloads = moving(name)
    payload = bytearray(payloads[1].units[0].payload)
    sides = data.draw(st.sampled_from([60, len(payload)]))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, min(sides, len(payload)) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoder = open_one(name, payloads[1].config, [Unit(0, GOF, (), bytes(payload))], payloads[0].state)
    except FormatError:  # DamagedError and TruncatedError too
        return
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert decoder.planes(1)[0].shape == (48, 64)
    assert all(np.isfinite(weights).all() for weights in decoder.state.weights)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_prefix_is_refused(name, moving):
    _, payloads = moving(name)
    payload = payloads[2].units[0].payload
    for length in {*range(0, 80, 3), *range(80, len(payload), 41), len(payload) - 1}:
        with pytest.raises(FormatError):
            open_one(name, payloads[2].config, [Unit(0, GOF, (), payload[:length])], payloads[1].state)
    with pytest.raises(DamagedError, match="side information"):
        open_one(name, payloads[2].config, [Unit(0, GOF, (), payload[:5])], payloads[1].state)


@pytest.mark.parametrize("target", [300, 900, 4000])
def test_a_size_is_met_from_below(target, moving):
    groups, payloads = moving("hnerv")
    spec = replace(FASTER, target_bytes=target)
    found = get_codec("hnerv").encode_group(groups[1], FORMAT, spec, None, payloads[0].state)
    assert found.goal_met
    assert 0.93 * spec.target_bytes - 40 <= found.size <= spec.target_bytes
    check_pictures(groups[:2], [payloads[0], found], opened("hnerv", [payloads[0], found]))


@pytest.mark.parametrize("name", ["hnerv", "nirvana"])
def test_a_psnr_is_met_from_above(name, moving):
    groups, payloads = moving(name)
    spec = replace(FASTER, psnr_floor=27.0)
    found = get_codec(name).encode_group(groups[1], FORMAT, spec, None, payloads[0].state)
    assert found.goal_met and found.leans and found.psnr >= 27.0
    check_pictures(groups[:2], [payloads[0], found], opened(name, [payloads[0], found]))


@pytest.mark.parametrize("name", FAMILIES)
def test_groups_of_other_lengths_ten_bits_and_odd_sizes(name, crop):
    fmt, frames = VideoFormat(35, 23, 10), crop(35, 23, 8, 10)
    groups = [frames[:3], frames[3:4], frames[4:8]]
    payloads = encoded(name, groups, fmt, replace(FASTER, quality=24))
    assert [payload.leans for payload in payloads] == [False, True, True]
    check_pictures(groups, payloads, opened(name, payloads, fmt), 10)


def test_a_state_holds_no_more_than_it_needs(moving):
    _, payloads = moving("hnerv")
    state = opened("hnerv", payloads)[2].state
    assert state.embedding.base is None and state.embedding.ndim == 3  # one frame, not a view of all
    changed = [
        replace(state, symbol_hash=bytes(8)),
        replace(state, weights=(state.weights[0] + 1, *state.weights[1:])),
        replace(state, embedding=state.embedding + 1),
        replace(state, embedding_exponents=tuple(e ^ 1 for e in state.embedding_exponents)),
    ]
    assert len({other.digest() for other in (state, *changed)}) == 5
