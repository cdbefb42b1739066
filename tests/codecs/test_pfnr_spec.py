"""bitstream/PFNR.md is the code: fields, costs, and by its text in numpy alone the same symbols and pictures."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.fields import FieldReader
from nvcodec.codecs.masked import MaskedTensors, encode_masked
from nvcodec.codecs.registry import get_codec
from nvcodec.container import Unit
from nvcodec.errors import FormatError, UsageError
from nvcodec.fitting.clip import from_phases
from nvcodec.format import VideoFormat
from nvcodec.models.pfnr import PFNRConfig
from tests.engines.fakes import planes
from tests.oracles import pfnr_twin

TEXT = (Path(__file__).resolve().parents[2] / "bitstream" / "PFNR.md").read_text(encoding="utf-8")
CONFIG = PFNRConfig((2, 3), 5, (2, 1, 3), 2, 2, 9, 1.25, 11, 6, "silu", 1, 2)
CONFIGS = [CONFIG, replace(CONFIG, modes=0), replace(CONFIG, fourier_stage=2, modes=3), replace(CONFIG, modes=9)]
CODEC = get_codec("pfnr")


def test_fields_have_the_order_and_ranges_of_the_text(monkeypatch):
    asked = []
    original = FieldReader.get

    def spy(self: FieldReader, field: str, low: int, high: int) -> int:
        asked.append((field, f"{low}-{high}"))
        return original(self, field, low, high)

    monkeypatch.setattr(FieldReader, "get", spy)
    CODEC.unpack(CODEC.pack(CONFIG), 12, 18)
    rows = re.search(r"<!-- fields: begin -->\n(.*?)<!-- fields: end -->", TEXT, re.DOTALL).group(1).splitlines()[2:]
    written = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows]
    written[1:2] = [written[1]] * 3
    assert asked == written


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [(36, 24), (35, 23), (8, 6)])
def test_costs_of_the_text(config, size):
    data, fmt = CODEC.pack(config), VideoFormat(*size)
    assert CODEC.unpack(data, fmt.chroma_height, fmt.chroma_width) == config
    twin, cost = pfnr_twin.Network(data, *size), CODEC.cost(data, fmt, 5)
    parameters, macs, activations = twin.cost()
    assert [shape for shape, _ in twin.tensors()] == list(CODEC.shapes(config, 5).weights)
    assert tuple(shared for _, shared in twin.tensors()) == CODEC.shared(config)
    assert (cost.parameters, cost.macs_per_pixel) == (parameters, -(-macs // (size[0] * size[1])))
    assert cost.activation_bytes == activations


@pytest.mark.parametrize("config", CONFIGS)
def test_named_shapes_are_the_networks(config):
    network = CODEC.network(config)
    assert {name: tuple(p.shape) for name, p in network.named_parameters()} == CODEC.named_shapes(config)


def random_video(config: PFNRConfig, seed: int, previous) -> MaskedTensors:
    random, shared = np.random.default_rng(seed), CODEC.shared(config)
    out = MaskedTensors([], [], previous=previous, shared=shared)
    for number, shape in enumerate(CODEC.shapes(config, 3).weights):
        values = np.rint(random.normal(0, 40, shape)).astype(np.int32)
        if shared[number]:
            values[random.random(shape) < 0.5] = 0
            if previous is not None:
                values = np.where(previous.weights[number] != 0, random.integers(0, 2, shape), values)
        out.weights.append(values.astype(np.int32))
        out.weight_exponents.append(128 - 8 * (len(shape) - 1))
    return out


@pytest.mark.parametrize("config", CONFIGS)
def test_the_text_finds_the_same_symbols_and_pictures(config):
    fmt, frames, data = VideoFormat(35, 23), 3, CODEC.pack(config)
    state = before = None
    spreads: list[float] = []
    for seed in range(3):
        tensors = random_video(config, seed, state)
        payload = encode_masked(tensors)[0]
        decoder = CODEC.open_group(data, [Unit(0, frames, (), payload)], fmt, frames, "cpu", state)
        group = pfnr_twin.decode_group(data, payload, 35, 23, frames, before)
        assert group.symbol_hash == decoder.symbol_hash == tensors.hash()
        for t in range(frames):
            samples = np.rint(pfnr_twin.picture(group, t) * 255).astype(np.uint8)
            for plane, other in zip(decoder.planes(t), from_phases(samples, 23, 35), strict=True):
                spreads.append(plane.std())
                assert np.abs(plane.astype(int) - other).max() <= 1
        state, before = decoder.state, group
    assert np.mean(spreads) > 8  # there is something to compare


@pytest.mark.parametrize(
    "changed",
    [replace(CONFIG, grid=(1, 3)), replace(CONFIG, grid=(2, 2)), replace(CONFIG, fourier_stage=3, modes=0)],
)
def test_configs_that_do_not_fit_are_refused(changed):
    with pytest.raises(FormatError):
        CODEC.unpack(CODEC.pack(changed), 12, 18)


def test_fits_of_three_videos_and_one_that_is_too_large():
    fmt, spec = VideoFormat(32, 24), GroupSpec(preset="faster", quality=20)
    state, sizes = None, []
    for seed in range(3):
        group = CODEC.encode_group(planes(seed, 32, 24, 4), fmt, spec, None, *([state] if state else []))
        again = CODEC.encode_group(planes(seed, 32, 24, 4), fmt, spec, None, *([state] if state else []))
        assert group.units == again.units and group.leans == (seed > 0)
        state = group.state
        sizes.append(sum(int((w != 0).sum()) for w, s in zip(state.weights, again_shared(group), strict=True) if s))
        assert group.psnr > 18 and group.size < group.estimated_bytes + 16
        assert 0.4 < group.modelled_bytes / group.size < 1.5  # so small a one is mostly side information
    assert sizes == sorted(set(sizes))
    with pytest.raises(UsageError, match=r"at most \d+x\d+, not 320x200"):
        CODEC.encode_group(planes(1, 320, 200, 2), VideoFormat(320, 200), spec, None, state)
    small = CODEC.encode_group(planes(9, 16, 10, 3), VideoFormat(16, 10), spec, None, state)
    assert small.leans and small.config == group.config


def again_shared(group) -> tuple[bool, ...]:
    return CODEC.shared(CODEC.unpack(group.config, 1, 1))
