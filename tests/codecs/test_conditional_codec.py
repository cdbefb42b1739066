"""The conditional codec on real pictures: whole groups, structures, goals, single frames, damage, other weights."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nvcodec.codecs.base import STRUCTURES, GroupPayload, GroupSpec
from nvcodec.codecs.conditional_decoder import KEPT_PICTURES, REACH, ConditionalDecoder
from nvcodec.codecs.conditional_group import parse_config
from nvcodec.codecs.conditional_units import FramePayload, pack_payload, parse_payload
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.structure import KEY_BONUS, level_of, scene_slots
from nvcodec.container import Unit
from nvcodec.container.group import pack_table
from nvcodec.errors import FormatError, InputError, LimitError, NvcodecError, UnsupportedError, UsageError
from nvcodec.format import Planes, VideoFormat
from nvcodec.metrics.psnr import psnr_yuv

FORMAT = VideoFormat(64, 48)
LENGTH = 7
CODEC = get_codec("conditional")
EXAMPLES = partial(settings, deadline=None, phases=[Phase.generate])  # failures as they are found, for speed


class Groups:
    """structure -> (payload, frames). (No dict: failures would print every sample.)"""

    def __init__(self, made: dict[str, tuple[GroupPayload, list[Planes]]]) -> None:
        self._made = made

    def __getitem__(self, structure: str) -> tuple[GroupPayload, list[Planes]]:
        return self._made[structure]


@pytest.fixture(scope="module")
def spec(tiny_conditional: Path) -> GroupSpec:
    return GroupSpec(quality=32, model=str(tiny_conditional), preset="faster")


@pytest.fixture(scope="module")
def coded(crop, spec: GroupSpec) -> Groups:
    frames = crop(64, 48, LENGTH)
    specs = {name: replace(spec, structure=name) for name in STRUCTURES}
    return Groups({name: (CODEC.encode_group(frames, FORMAT, each), frames) for name, each in specs.items()})


def opened(payload: GroupPayload, fmt: VideoFormat = FORMAT, units: list[Unit] | None = None) -> ConditionalDecoder:
    units = payload.units if units is None else units
    decoder = CODEC.open_group(payload.config, units, fmt, len(units))
    assert isinstance(decoder, ConditionalDecoder)
    return decoder


def same(a: Planes, b: Planes) -> bool:
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(a, b, strict=True))


def head(unit: Unit) -> FramePayload:
    return parse_payload(unit.payload, len(unit.references))


def check(payload: GroupPayload, frames: list[Planes], fmt: VideoFormat) -> ConditionalDecoder:
    """The decoder finds what the encoder says of symbols and pictures."""
    decoder = opened(payload, fmt)
    assert decoder.symbol_hash == payload.symbol_hash
    pictures, values = PictureHash(), []
    for i, planes in enumerate(frames):
        shown = decoder.planes(i)
        assert [(p.shape, p.dtype) for p in shown] == [(p.shape, p.dtype) for p in planes]
        pictures.update(shown)
        values.append(psnr_yuv(planes, shown, fmt.bit_depth))
    assert pictures.digest() == payload.picture_hash
    assert payload.psnr == pytest.approx(np.mean(values), abs=1e-9)
    for index in (-1, len(frames)):
        with pytest.raises(IndexError):
            decoder.planes(index)
    return decoder


# whole groups


@pytest.mark.parametrize("structure", STRUCTURES)
def test_decoded_pictures_are_what_the_encoder_says(coded, structure):
    payload, frames = coded[structure]
    check(payload, frames, FORMAT)
    assert payload.psnr > 30 and payload.goal_met
    order = scene_slots([range(LENGTH)], structure)
    units = {slot.time: n for n, slot in enumerate(order)}
    for unit, slot in zip(payload.units, order, strict=True):
        assert (unit.first, unit.count) == (slot.time, 1)
        assert unit.references == tuple(units[t] for t in slot.references)
        assert head(unit).quality == level_of(slot, 32)
        assert len(head(unit).motion) == (1 + slot.both if slot.references else 0)
    whole = len(payload.config) + sum(len(unit.payload) for unit in payload.units)
    assert payload.size == whole and payload.estimated_bytes == pytest.approx(whole, rel=0.03)


def test_predicted_frames_cost_less_than_alone(coded, crop, spec):
    payload, frames = coded["low-delay"]
    alone = [CODEC.encode_group([each], FORMAT, replace(spec, quality=32 + KEY_BONUS)).size for each in frames]
    assert payload.size < 0.6 * sum(alone)


@pytest.mark.parametrize("preset", ["fast", "slower"])
def test_presets_try_more_and_end_no_worse(coded, crop, spec, preset):
    from nvcodec.codecs.conditional_encoder import EFFORTS, RATE_SLOPE
    from nvcodec.codecs.goal_search import PSNR_SLOPE

    payload = CODEC.encode_group(crop(64, 48, LENGTH), FORMAT, replace(spec, preset=preset))
    check(payload, crop(64, 48, LENGTH), FORMAT)
    assert 1 <= payload.notes["passes"] <= len(EFFORTS[preset].choices) + 1
    best, *others = (
        np.log2(each.size) - each.psnr * RATE_SLOPE / PSNR_SLOPE
        for each in (payload, *(coded[name][0] for name in STRUCTURES))
    )
    if not EFFORTS[preset].look:
        assert best <= min(others) + 0.02


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(
    ("size", "frames"), [((63, 65), 3), ((16, 16), 6), ((1, 1), 4), ((17, 33), 2), ((8, 100), 1), ((64, 48), 2)]
)
def test_any_size_depth_and_length(crop, spec, size, frames, structure, bit_depth):
    fmt, clip = VideoFormat(*size, bit_depth), crop(*size, frames, bit_depth)
    payload = CODEC.encode_group(clip, fmt, replace(spec, structure=structure, quality=55))
    check(payload, clip, fmt)
    assert payload.psnr > 33
    cost = CODEC.cost(payload.config, fmt, frames)
    assert (cost.frames, cost.pixels) == (frames, size[0] * size[1])


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("at", [1, 4])
def test_a_cut_begins_with_a_key_frame(crop, spec, structure, at):
    frames = crop(64, 48, LENGTH)
    other = [tuple(255 - plane for plane in planes) for planes in frames]
    clip = [*frames[:at], *other[at:]]
    payload = CODEC.encode_group(clip, FORMAT, replace(spec, structure=structure))
    check(payload, clip, FORMAT)
    assert [unit.first for unit in payload.units if not unit.references] == [0, at]
    assert all((payload.units[r].first < at) == (u.first < at) for u in payload.units for r in u.references)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_qualities_stay_on_the_dial(crop, spec, structure):
    clip, sizes, levels = crop(32, 32, 6), [], []
    for quality in (0, 30, 63):
        payload = CODEC.encode_group(clip, VideoFormat(32, 32), replace(spec, structure=structure, quality=quality))
        check(payload, clip, VideoFormat(32, 32))
        assert parse_config(payload.config).quality == quality == payload.notes["quality"]
        sizes.append(payload.size)
        levels.append([head(unit).quality for unit in payload.units])
    assert sizes == sorted(sizes)
    assert levels[0][0] == KEY_BONUS and min(levels[0]) == 0 and set(levels[-1]) == {63}


# goals


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("target", [150, 801, 1999])
def test_a_goal_of_bytes_is_never_passed(crop, spec, structure, target):
    """Nor is it with the rows of the unit table, which count in a file."""
    clip = crop(64, 48, 6)
    payload = CODEC.encode_group(clip, FORMAT, replace(spec, structure=structure, target_bytes=target))
    check(payload, clip, FORMAT)
    rows = len(pack_table(payload.units))
    assert payload.goal_met
    assert payload.size + rows <= target
    assert payload.size + rows > 0.85 * target or target < 800 or payload.notes["quality"] == 63
    assert payload.notes["passes"] <= 9


@pytest.mark.parametrize("floor", [28.0, 33.0, 38.0])
def test_a_floor_of_psnr_is_just_met(crop, spec, floor):
    payload = CODEC.encode_group(crop(64, 48, 4), FORMAT, replace(spec, psnr_floor=floor))
    assert payload.goal_met
    assert floor <= payload.psnr < floor + 0.8


def test_goals_out_of_reach_say_so(crop, spec):
    clip = crop(64, 48, 3)
    least = CODEC.encode_group(clip, FORMAT, replace(spec, target_bytes=19))
    assert not least.goal_met and parse_config(least.config).quality == 0
    best = CODEC.encode_group(clip, FORMAT, replace(spec, psnr_floor=69.0))
    assert not best.goal_met and parse_config(best.config).quality == 63
    for payload in (least, best):
        check(payload, clip, FORMAT)


def test_the_same_call_gives_the_same_bytes(coded, crop, spec):
    payload, frames = coded["random-access"]
    before = torch.random.get_rng_state()
    again = CODEC.encode_group(frames, FORMAT, replace(spec, structure="random-access"))
    assert again.units == payload.units and again.config == payload.config
    assert torch.equal(before, torch.random.get_rng_state())


def test_progress_is_told(crop, spec):
    told: list[Any] = []
    CODEC.encode_group(crop(64, 48, 5), FORMAT, spec, told.append)
    assert [status.progress for status in told] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


# single frames


@EXAMPLES(max_examples=8)
@given(order=st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=9), structure=st.sampled_from(STRUCTURES))
def test_frames_in_any_order_are_the_same(coded, order, structure):
    payload, _ = coded[structure]
    whole, decoder = opened(payload), opened(payload)
    for index in order:
        assert same(decoder.planes(index), whole.planes(index))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_long_group_holds_few_pictures(crop, spec, structure):
    """Frames there and back: whoever walks backwards or leaps, too, gets the same, from few pictures held."""
    clip, fmt = crop(16, 16, 12), VideoFormat(16, 16)
    swing = [*clip, *clip[-2:0:-1]]
    frames = [swing[n % len(swing)] for n in range(45)]
    payload = CODEC.encode_group(frames, fmt, replace(spec, structure=structure, quality=20))
    whole, decoder = check(payload, frames, fmt), opened(payload, fmt)
    for index in (44, 43, 42, 11, 40, 3, 27, 26, 44, 10, 0):
        assert same(decoder.planes(index), whole.planes(index))
        assert len(decoder._recent) <= REACH + 1 + KEPT_PICTURES
    assert len(whole._recent) <= REACH + 1 + KEPT_PICTURES


def test_a_frame_decodes_what_it_leans_on_alone(coded, monkeypatch):
    payload, _ = coded["random-access"]
    made: list[int] = []
    original = ConditionalDecoder._picture
    monkeypatch.setattr(
        ConditionalDecoder, "_picture", lambda self, n, behind: made.append(n) or original(self, n, behind)
    )
    decoder = opened(payload)
    assert made == []
    decoder.planes(1)  # units 0, 1, 2 and 3: frames 0, 4, 2 and 1
    assert made == [0, 1, 2, 3]
    decoder.planes(2)
    decoder.planes(1)
    assert made == [0, 1, 2, 3]
    decoder.planes(5)
    assert 3 not in made[4:] and len(made) == len(set(made))


SCRIPT = """
import json, sys
import torch
from nvcodec.codecs.registry import get_codec
from nvcodec.container import Unit
from nvcodec.format import VideoFormat
config, units, width, height = json.load(sys.stdin)
units = [Unit(first, 1, tuple(refs), bytes.fromhex(data)) for first, refs, data in units]
for threads in (2, 1):
    torch.set_num_threads(threads)
    decoder = get_codec("conditional").open_group(bytes.fromhex(config), units, VideoFormat(width, height), len(units))
    print(decoder.symbol_hash.hex())
"""


def test_symbols_are_the_same_in_a_fresh_process_with_any_threads_and_kernels(coded):
    """The other process has torch's kernels without AVX at all."""
    payload, _ = coded["random-access"]
    units = [(unit.first, unit.references, unit.payload.hex()) for unit in payload.units]
    work = json.dumps([payload.config.hex(), units, FORMAT.width, FORMAT.height])
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=work, capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout.split() == 2 * [payload.symbol_hash.hex()]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(before, 2))
        assert opened(payload).symbol_hash == payload.symbol_hash
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("setting", ["bf16", "medium"])
def test_settings_of_the_caller_change_no_symbol_and_no_picture(coded, setting):
    payload, _ = coded["random-access"]
    plain, before = opened(payload), torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium" if setting == "medium" else "highest")
        with torch.autocast("cpu", torch.bfloat16, enabled=setting == "bf16"):
            decoder = opened(payload)
            assert decoder.symbol_hash == payload.symbol_hash
            assert all(same(decoder.planes(i), plain.planes(i)) for i in range(LENGTH))
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_groups_quality_is_for_people(coded):
    payload, _ = coded["low-delay"]
    group = parse_config(payload.config)
    other = CODEC.open_group(replace(group, quality=3).pack(), payload.units, FORMAT, LENGTH)
    assert other.symbol_hash == payload.symbol_hash and same(other.planes(6), opened(payload).planes(6))
    said = CODEC.describe(payload.config, FORMAT, LENGTH)
    assert said == {
        "weights": group.model_id.hex(), "key_weights": group.intra_id.hex(), "model": "tiny", "quality": 32, "skip": 1,
    }  # fmt: skip


# weights


def one_line(kind: type[NvcodecError], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("at", [0, 8])
def test_missing_weights_are_named(coded, at):
    payload, _ = coded["low-delay"]
    config = payload.config[:at] + bytes(8 * [0xAB]) + payload.config[at + 8 :]
    for call in (
        lambda: CODEC.cost(config, FORMAT, LENGTH),
        lambda: CODEC.open_group(config, payload.units, FORMAT, LENGTH),
    ):
        one_line(UnsupportedError, "abababababababab", call)
    assert CODEC.describe(config, FORMAT, LENGTH)["model"] == ("not here" if at else "tiny")


def test_weights_of_the_other_kind_are_refused_by_encoders(crop, spec, tiny_weights, tiny_conditional):
    clip = crop(64, 48, 2)
    for name, path, words in (
        ("conditional", tiny_weights, "of pictures by themselves"),
        ("stem", tiny_conditional, "of predicted frames"),
        ("intra", tiny_conditional, "of predicted frames"),
    ):
        codec, wrong = get_codec(name), replace(spec, model=str(path))
        one_line(FormatError, words, lambda codec=codec, path=path: codec.check(str(path)))
        one_line(FormatError, words, lambda codec=codec, wrong=wrong: codec.encode_group(clip, FORMAT, wrong))


def test_weights_of_the_other_kind_are_refused_by_decoders(coded):
    payload, _ = coded["low-delay"]
    intra, own, rest = payload.config[:8], payload.config[8:16], payload.config[16:]
    for config, words in ((own + own + rest, "of predicted frames"), (intra + intra + rest, "pictures by themselves")):
        one_line(FormatError, words, lambda config=config: CODEC.cost(config, FORMAT, LENGTH))
        one_line(FormatError, words, lambda c=config: CODEC.open_group(c, payload.units, FORMAT, LENGTH))
        CODEC.describe(config, FORMAT, LENGTH)
    stem = get_codec("stem")
    one_line(FormatError, "of predicted frames", lambda: stem.cost(own + rest, FORMAT, LENGTH))
    one_line(FormatError, "of predicted frames", lambda: stem.open_group(own + rest, payload.units[:1], FORMAT, 1))


def test_models_that_are_not_there(crop, spec, tmp_path):
    one_line(UsageError, "no weights for model 'xl'", lambda: CODEC.check("xl"))
    one_line(InputError, "no such file", lambda: CODEC.check(str(tmp_path / "none.safetensors")))
    (tmp_path / "cut.safetensors").write_bytes(Path(str(spec.model)).read_bytes()[:-7])
    one_line(FormatError, "cut", lambda: CODEC.check(str(tmp_path / "cut.safetensors")))


def test_a_decoders_file_has_no_encoder(coded, crop, spec, tmp_path):
    """Weights without what only encoders need decode, and say that they cannot encode."""
    from safetensors.numpy import load_file
    from safetensors.torch import save_file

    from nvcodec.models.weights import parse_weights

    data = Path(str(spec.model)).read_bytes()
    length = int.from_bytes(data[:8], "little")
    about = json.loads(data[8 : 8 + length])["__metadata__"]
    arrays = {
        name: torch.from_numpy(array.copy())
        for name, array in load_file(str(spec.model)).items()
        if not name.startswith(("analysis.", "hyper_encoder."))
    }
    path = tmp_path / "decoder.safetensors"
    save_file(arrays, path, about)
    assert parse_weights(path.read_bytes()).id == parse_weights(data).id
    one_line(
        FormatError,
        "hold no analysis",
        lambda: CODEC.encode_group(crop(64, 48, 2), FORMAT, replace(spec, model=str(path))),
    )


# what is refused


def test_a_config_of_another_length_or_range(coded):
    payload, _ = coded["low-delay"]
    config = payload.config
    for bad in (b"", config[:-1], config + b"\0", config[:-2] + b"\x40\0", config[:-1] + b"\x40"):
        for call in (
            lambda bad=bad: CODEC.open_group(bad, payload.units, FORMAT, LENGTH),
            lambda bad=bad: CODEC.cost(bad, FORMAT, LENGTH),
            lambda bad=bad: CODEC.describe(bad, FORMAT, LENGTH),
        ):
            one_line(FormatError, "group", call)


def changed(number: int, **what: Any) -> Callable[[list[Unit]], list[Unit]]:
    return lambda units: [replace(unit, **what) if n == number else unit for n, unit in enumerate(units)]


def with_payload(number: int, change: Callable[[FramePayload], FramePayload]) -> Callable[[list[Unit]], list[Unit]]:
    return lambda units: changed(number, payload=pack_payload(change(head(units[number]))))(units)


# In random access: unit 0 is a key frame, 1 leans on it, 2 on both of them, 3 on 0 and 2.
BAD_UNITS: dict[str, Callable[[list[Unit]], list[Unit]]] = {
    "three references": changed(4, references=(0, 1, 2)),
    "two equal references": changed(3, references=(2, 2)),
    "a reference to itself": changed(2, references=(0, 2)),
    "a reference ahead": changed(2, references=(0, 3)),
    "a negative reference": changed(2, references=(0, -1)),
    "two frames": changed(6, count=2),
    "none": changed(6, count=0),
    "a frame twice": changed(6, first=1),
    "a frame beyond": changed(6, first=LENGTH),
    "a frame before": changed(6, first=-1),
    "a unit too few": lambda units: units[:-1],
    "nothing": changed(2, payload=b""),
    "bit 7": lambda units: changed(2, payload=bytes([units[2].payload[0] | 128]) + units[2].payload[1:])(units),
    "two fields, no reference": lambda units: changed(0, payload=b"\x60" + units[0].payload[1:])(units),
    "two fields, one reference": lambda units: changed(1, payload=b"\x60" + units[1].payload[1:])(units),
    "a second reference that is not the first one's": with_payload(2, lambda p: p._replace(motion=p.motion[:1])),
    "an endless length": changed(1, payload=b"\x20" + b"\xff" * 9 + b"\x01"),
    "a length beyond": changed(1, payload=b"\x20\xff\x7f\0\0"),
    "no length": changed(1, payload=b"\x20"),
    "an absurd field": with_payload(1, lambda p: p._replace(motion=(bytes(range(256)) * 60,))),
    "a field cut short": with_payload(1, lambda p: p._replace(motion=(p.motion[0][:-1],))),
    "a second field cut short": with_payload(2, lambda p: p._replace(motion=(p.motion[0], p.motion[1][:-1]))),
    "latents cut short": lambda units: changed(1, payload=units[1].payload[:-3])(units),
    "a later form": with_payload(1, lambda p: p._replace(latents=b"\2" + p.latents[1:])),
    "absurd segments": with_payload(1, lambda p: p._replace(latents=b"\0\xff\xff\xff\xff\x7f\0")),
}


@pytest.mark.parametrize("case", BAD_UNITS)
def test_units_that_break_the_text(coded, case):
    payload, _ = coded["random-access"]
    bad = BAD_UNITS[case](payload.units)
    if case == "a unit too few":
        bad[-1] = replace(bad[-1], first=LENGTH - 1)
    opened(payload, FORMAT, payload.units)  # weights are read once, whichever test comes first
    tracemalloc.start()
    try:
        one_line(FormatError, ".", lambda: opened(payload, FORMAT, bad))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_reference_reaches_as_far_as_it_may(coded):
    """Frames of zeros: each unit has a head, a field without bytes, and no latents."""
    payload, _ = coded["low-delay"]

    def units(back: int) -> list[Unit]:
        rows = [Unit(0, 1, (), b"\x20")] + [Unit(n, 1, (n - 1,), b"\x20\0") for n in range(1, 40)]
        return [*rows, Unit(40, 1, (40 - back,), b"\x20\0")]

    fmt = VideoFormat(16, 16)
    assert opened(payload, fmt, units(REACH)).planes(40)[0].shape == (16, 16)
    one_line(FormatError, "none of the 32 before", lambda: opened(payload, fmt, units(REACH + 1)))


def test_a_frame_is_shown_near_its_unit(coded):
    payload, _ = coded["low-delay"]
    for away, good in ((REACH, True), (REACH + 1, False)):
        units = [Unit(away, 1, (), b"\x20"), *(Unit(n, 1, (), b"\x20") for n in range(away))]
        if good:
            opened(payload, VideoFormat(8, 8), units).planes(away)
        else:
            one_line(FormatError, "more than 32 away", lambda units=units: opened(payload, VideoFormat(8, 8), units))


def test_a_side_beyond_vectors(coded):
    payload, _ = coded["low-delay"]
    units = [Unit(0, 1, (), b"\x20"), Unit(1, 1, (0,), b"\x20\0")]
    one_line(LimitError, "16384", lambda: opened(payload, VideoFormat((1 << 14) + 16, 8), units))


@EXAMPLES(max_examples=30)
@given(
    structure=st.sampled_from(STRUCTURES), data=st.binary(max_size=80), at=st.integers(0, LENGTH - 1),
    flip=st.integers(0, 1 << 20), mask=st.integers(1, 255),
)  # fmt: skip
def test_any_bytes_decode_or_raise(coded, structure, data, at, flip, mask):
    """Damage of a payload ends in an error of the format or in other symbols, which the hash tells."""
    payload, _ = coded[structure]
    unit = payload.units[at]
    bent = bytearray(unit.payload)
    bent[flip % len(bent)] ^= mask
    first = bytearray(unit.payload)
    first[flip % min(len(first), 12)] ^= mask
    for bad in (data, bytes(bent), bytes(first), unit.payload[: flip % len(unit.payload)], unit.payload + data):
        units = [*payload.units[:at], replace(unit, payload=bad), *payload.units[at + 1 :]]
        try:
            decoder = opened(payload, FORMAT, units)
        except FormatError as error:
            assert re.fullmatch(r"frame \d of the group: .*", str(error))
            continue
        assert decoder.symbol_hash != payload.symbol_hash or bad == unit.payload
        decoder.planes(unit.first)


@EXAMPLES(max_examples=80)
@given(data=st.data(), structure=st.sampled_from(STRUCTURES))
def test_any_references_decode_or_raise(coded, data, structure):
    """Units of one group put together in another way: the format's errors, or pictures of the right shape."""
    payload, _ = coded[structure]
    picked = data.draw(st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=LENGTH))
    shown = data.draw(st.permutations(range(len(picked))))
    units = []
    for n, (number, first) in enumerate(zip(picked, shown, strict=True)):
        wanted = payload.units[number].references
        free = st.lists(st.integers(0, n), max_size=3).map(tuple)
        references = data.draw(st.one_of(st.just(tuple(min(r, n - 1) for r in wanted)), free))
        units.append(Unit(first, 1, references, payload.units[number].payload))
    try:
        decoder = opened(payload, FORMAT, units)
    except FormatError as error:
        assert "\n" not in str(error)
        return
    for index in data.draw(st.lists(st.integers(0, len(units) - 1), max_size=3)):
        assert [plane.shape for plane in decoder.planes(index)] == [(48, 64), (24, 32), (24, 32)]
