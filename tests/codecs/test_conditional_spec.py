"""bitstream/CONDITIONAL.md is the code: its tables, its formulas, its example; and its text, followed to the letter in
numpy, finds the integers that the decoder finds, and shows its pictures."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nvcodec.codecs.base import STRUCTURES, GroupPayload, GroupSpec
from nvcodec.codecs.conditional_decoder import REACH
from nvcodec.codecs.conditional_encoder import EFFORTS
from nvcodec.codecs.conditional_group import (
    CONFIG_BYTES,
    ConditionalGroup,
    activation_bytes,
    coded_numbers,
    macs_a_pixel,
)
from nvcodec.codecs.conditional_units import FramePayload, pack_payload
from nvcodec.codecs.latent_group import activation_bytes as intra_bytes
from nvcodec.codecs.latent_group import coded_numbers as intra_numbers
from nvcodec.codecs.latent_group import macs_a_pixel as intra_macs
from nvcodec.codecs.predicted_model import KIND, PredictedModel
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.structure import slots
from nvcodec.codecs.weights import VARIABLE, Model, default_ids, find_weights
from nvcodec.container import Unit
from nvcodec.container.fields import uv
from nvcodec.entropy.chain import encode_chain
from nvcodec.entropy.tables import GGD
from nvcodec.errors import DamagedError, FormatError, LimitError, NvcodecError, TruncatedError
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.models.conditional import CONDITIONAL_CONFIGS, ConditionalConfig, ConditionalModel
from nvcodec.models.conditional_transform import ConditionalSynthesis, ConditionalTransformConfig, Context
from nvcodec.models.exact_prior import ExactPrior, decoded, merge
from nvcodec.models.latent import CONFIGS, LatentConfig, LatentModel
from nvcodec.models.prior_network import History, PriorConfig, PriorNetwork, hyper_size, macs_per_pixel
from nvcodec.models.residual_prior import ResidualPriorConfig, ResidualPriorNetwork
from nvcodec.models.transform import Synthesis, TransformConfig
from nvcodec.models.weights import model_id, pack_weights, parse_weights, sizes_text
from nvcodec.motion.chain import Moved, first_forecast, second_forecast, side_of
from nvcodec.motion.coding import encode_motion
from nvcodec.motion.side import CHANNELS
from tests.codecs.test_trained_spec import ruled, ruled_weights
from tests.motion.fields import make_field
from tests.oracles.conditional_twin import Group, decode_group
from tests.oracles.prior_twin import random_arrays
from tests.oracles.trained_twin import Weights, canonical

TEXT = (Path(__file__).resolve().parents[2] / "bitstream" / "CONDITIONAL.md").read_text(encoding="utf-8")
INTRA = LatentConfig(TransformConfig(4, 1, 5, 1), PriorConfig(96, 2, 3, 6, 1, 3, 1, ()))
TINY = ConditionalConfig(
    ConditionalTransformConfig(width8=5, blocks8=2, width16=7, blocks16=1, context_blocks=2, analysis_blocks=1),
    ResidualPriorConfig(hyper=3, hyper_width=4, width=9, temporal_blocks=2, temporal_kernel=5, blocks=1),
)
# Groups are slow to decode in Python: failures are shown as they are found, not in their simplest form.
EXAMPLES = partial(
    settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=[Phase.generate]
)
SIGMAS = [2.0 ** (k / 8) for k in range(64)]
LAMBDAS = [0.002 * 2 ** (i * 9 / 8) for i in range(8)]


def rows(name: str) -> list[list[str]]:
    """Cells of a marked table's rows, heads and lines left out."""
    found = re.search(rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", TEXT, re.DOTALL)
    assert found is not None
    lines = found.group(1).strip().splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def names(config: ConditionalConfig) -> dict[str, int]:
    """What the text's formulas call the sizes."""
    return {**vars(config.prior), **vars(config.transform), "k": config.prior.temporal_kernel}


def value(formula: str, **numbers: Any) -> Any:
    return eval(formula, {"__builtins__": {}}, {**numbers, "maximum": max, "minimum": min})


# the text and the code: tables and formulas


def test_sizes_have_the_ranges_of_the_text():
    members = {row[0]: tuple(int(n) for n in row[1].split("-")) for row in rows("sizes")}
    config, intra = CONDITIONAL_CONFIGS["s"], CONFIGS["s"]
    more = {f"{part}.{name}" for part in vars(config) for name in vars(getattr(config, part))}
    assert set(members) == more - {f"{part}.{name}" for part in vars(intra) for name in vars(getattr(intra, part))}
    for member, (low, high) in members.items():
        for number in (low, high, low - 1, high + 1):
            part, name = member.split(".")
            changed = type(getattr(config, part))(**{**vars(getattr(config, part)), name: number})
            sized = ConditionalConfig(**{**vars(config), part: changed})
            assert (sized.fault() is None) == (low <= number <= high), (member, number)


@pytest.mark.parametrize("config", [TINY, CONDITIONAL_CONFIGS["s"]], ids=["tiny", "s"])
def test_layers_that_differ_are_those_of_the_text(config):
    def shapes(network: PriorNetwork) -> dict[str, list[Any]]:
        return {
            name: [layer.fan_in, layer.outputs, 8 if layer.by_quality else 1, "-255" if name == "temporal_in" else ""]
            for name, layer in network.layers()
        }

    prior = {name: n for name, n in vars(config.prior).items() if name != "side"}
    ours, others = shapes(ResidualPriorNetwork(config.prior)), shapes(PriorNetwork(PriorConfig(**prior)))
    assert set(ours) == set(others)
    wanted = {
        name: [*(value(cell, **names(config)) for cell in cells[:3]), cells[3]] for name, *cells in rows("layers")
    }
    assert {name: ours[name] for name in ours if ours[name] != others[name]} == wanted


@pytest.mark.parametrize("config", [TINY, CONDITIONAL_CONFIGS["s"]], ids=["tiny", "s"])
def test_tensors_are_those_of_the_text(config):
    wanted = {name: shape for tensors, shape in rows("tensors") for name in tensors.split(", ") if "i =" not in name}
    assert "= width8 channels" in wanted.pop("context.blocks.i") and "i = 0 ... context_blocks - 1" in TEXT
    shapes = {name: value(shape.replace(")", ",)"), **names(config)) for name, shape in wanted.items()}
    transform = TransformConfig(*(names(config)[name] for name in ("width8", "blocks8", "width16", "blocks16")))
    with torch.device("meta"):
        known = {f"synthesis.{name}": t for name, t in Synthesis(transform, [1.0] * 8).state_dict().items()}
        found = {
            f"synthesis.{name}": t for name, t in ConditionalSynthesis(config.transform, [1.0] * 8).state_dict().items()
        }
        found |= {f"context.{name}": t for name, t in Context(config.transform).state_dict().items()}
    block = {name.removeprefix("synthesis.fine.0."): t.shape for name, t in known.items() if ".fine.0." in name}
    shapes |= {
        f"context.blocks.{i}.{name}": s for i in range(config.transform.context_blocks) for name, s in block.items()
    }
    shapes |= {name: tensor.shape for name, tensor in known.items()}
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {n: tuple(s) for n, s in shapes.items()}


def test_constants():
    assert [row[:2] for row in rows("config")] == [["0", "intra id"], ["8", "id"], ["16", "quality"], ["17", "skip"]]
    assert CONFIG_BYTES == 18 and len(rows("side")) == CHANNELS
    assert REACH == 32 and "`n - 32` to `n + 32`" in TEXT and "at most 32 units back" in TEXT
    line = re.search(r"<!-- canonical sizes -->\n    (.*)\n", TEXT)
    assert line is not None and line.group(1) == sizes_text(CONDITIONAL_CONFIGS["s"])


def test_structures():
    for name, order, references, delay in rows("structures"):
        times = [int(t) for t in order.split()]
        coded = slots(name, len(times))
        assert [slot.time for slot in coded] == times
        said = "; ".join(f"{slot.time}: {' '.join(map(str, slot.references)) or 'none'}" for slot in coded)
        assert said == references
        assert max(max(times[: n + 1]) - time for n, time in enumerate(times)) == int(delay)
    assert [row[0] for row in rows("structures")] == list(STRUCTURES)


def test_distances_of_anchors():
    """Those of every preset are there, each with its delay."""
    for distance, order, delay in rows("distances"):
        times = [int(t) for t in order.split()]
        assert [slot.time for slot in slots("random-access", len(times), int(distance))] == times
        assert max(max(times[: n + 1]) - time for n, time in enumerate(times)) == int(delay)
    used = {name: {choice.mini_group for choice in effort.choices} for name, effort in EFFORTS.items()}
    assert {int(row[0]) for row in rows("distances")} == used["slower"] == {2, 4, 8}
    assert used["slow"] == {4, 8} and used["faster"] == used["fast"] == used["medium"] == {4}


@pytest.mark.parametrize("intra", [INTRA, CONFIGS["m"]], ids=["tiny", "m"])
@pytest.mark.parametrize("config", [TINY, *CONDITIONAL_CONFIGS.values()], ids=["tiny", *CONDITIONAL_CONFIGS])
def test_cost(config, intra):
    """The formulas of the text, evaluated."""
    p, s = (" ".join(part.split()) for part in re.findall(r" [PS] = (.*?)\n(?= +S = |\n)", TEXT, re.DOTALL))
    prior = value(p, **names(config)) / 1024
    assert prior == macs_per_pixel(config.prior)
    pixel = prior + value(s, **names(config)) / 1024
    assert macs_a_pixel(intra, config) == max(intra_macs(intra), -(-pixel // 1))
    fmt = VideoFormat(177, 145)
    size = dict(zip(("h", "w"), (10, 12), strict=True)) | dict(zip(("hz", "wz"), hyper_size((10, 12)), strict=True))
    formulas = [re.search(rf"\*{name}\*: [^`]*`([^`]*)`", TEXT) for name in ("parameters", "activation bytes")]
    known = (intra_numbers(intra, fmt), intra_bytes(intra, fmt))
    found = [
        value(f.group(1), **names(config), **size, F=7, intra=n) for f, n in zip(formulas, known, strict=True) if f
    ]
    assert found == [7 * coded_numbers(intra, config, fmt), activation_bytes(intra, config, fmt)]


# the text, followed in numpy


def random_weights(config: LatentConfig | ConditionalConfig, seed: int = 1) -> bytes:
    """A file of these sizes, nothing in it zero, its prior of full range."""
    torch.manual_seed(seed)
    kind = ConditionalModel if isinstance(config, ConditionalConfig) else LatentModel
    model = kind(config, LAMBDAS, SIGMAS, laplace=True)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += (0.02 if name.endswith("linear") else 0.1) * torch.randn_like(parameter)
    model.prior.export = lambda: random_arrays(config.prior, seed)  # type: ignore[method-assign]
    return pack_weights(model, {"model": "tiny"})


class Stored:
    """Both files of weights in a folder, read twice. (No dataclass: failures would print every tensor.)"""

    def __init__(self, folder: Path, intra: bytes, own: bytes) -> None:
        self.folder, self.twins = folder, (Weights(intra), Weights(own))
        self.intra, self.own = parse_weights(intra), parse_weights(own)
        for name, data in (("intra", intra), ("own", own)):
            (folder / f"{name}.safetensors").write_bytes(data)

    def config(self, quality: int = 30, skip: int = 0) -> bytes:
        return ConditionalGroup(self.intra.id, self.own.id, quality, skip).pack()

    def ours(self, units: list[Unit], fmt: VideoFormat, config: bytes | None = None) -> Any:
        return get_codec("conditional").open_group(config or self.config(), units, fmt, len(units))

    def twin(self, units: list[Unit], fmt: VideoFormat, config: bytes | None = None) -> Group:
        return decode_group(config or self.config(), units, *self.twins, fmt.width, fmt.height, fmt.bit_depth)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return Stored(tmp_path_factory.mktemp("weights"), random_weights(INTRA), random_weights(TINY))


@pytest.fixture
def found(stored, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(stored.folder))


def test_the_id_is_the_packages(stored):
    twin, weights = stored.twins[1], stored.own
    assert twin.id == weights.id == model_id(canonical(twin.sizes), weights.arrays)
    for name, array in weights.arrays.items():
        changed = {**weights.arrays, name: np.array(array)}
        changed[name].flat[0] += 1
        other = model_id(sizes_text(TINY), changed)
        assert (other == weights.id) == name.startswith(("analysis.", "hyper_encoder."))


def check_pictures(twin: Group, ours: Any, fmt: VideoFormat, chain: bool) -> None:
    """Each frame from the decoder's own references, and if ``chain`` the whole group from the twin's."""
    order = [frame.time for frame in twin.frames]
    shown = [ours.planes(time) for time in order]
    for number, frame in enumerate(twin.frames):
        wanted = twin.picture(number, [shown[reference] for reference in frame.references])
        for plane, other in zip(shown[number], wanted, strict=True):
            assert plane.dtype == (np.uint8 if fmt.bit_depth == 8 else np.uint16)
            assert plane.shape == other.shape
            apart = np.abs(plane.astype(int) - other)
            assert apart.max() <= (2 if fmt.bit_depth == 8 else 8)  # CONDITIONAL.md 7.2
            assert np.count_nonzero(apart > 1) <= 2 + 0.002 * apart.size  # random weights are worse than any in use
    for planes, alone in zip(shown, twin.pictures() if chain else [], strict=False):
        assert psnr_yuv(planes, tuple(plane.astype(planes[0].dtype) for plane in alone), fmt.bit_depth) > 50


# Units in decode order: (frame, references, whether there are two fields).
GRAPHS = {
    "low-delay": [(0, (), False), (1, (0,), False), (2, (1, 0), False), (3, (2, 1), False)],
    "random access": [(0, (), False), (4, (0,), False), (2, (0, 1), True), (1, (0, 2), True), (3, (2, 1), True)],
    "backwards": [(3, (), False), (2, (0,), False), (1, (1, 0), False), (0, (2, 1), True)],
    "two keys": [(0, (), False), (3, (), False), (1, (0, 1), True), (2, (1, 2), True), (4, (3, 1), False)],
    "by way of both": [(0, (), False), (2, (0,), False), (1, (1, 0), True), (3, (2, 0), True), (4, (2, 1), False)],
    "again": [(0, (), False), (1, (0,), False), (3, (0, 1), True), (2, (0, 1), True), (4, (2, 0), True)],
    "apart": [(0, (), False), (30, (0,), False), *((t, (0, t - 1), True) for t in range(2, 3)), (1, (1,), False)],
}
GRAPHS["apart"] += [(t, (), False) for t in range(3, 30)]


class Maker:
    """Units of random fields and symbols, by the package."""

    def __init__(self, stored: Stored, seed: int, fmt: VideoFormat, skip: int) -> None:
        self.rng, self.fmt, self.skip = np.random.default_rng(seed), fmt, skip
        self.size = -(-fmt.height // 16), -(-fmt.width // 16)
        self.intra = ExactPrior(INTRA.prior, stored.intra.part("prior."))
        self.own = ExactPrior(TINY.prior, stored.own.part("prior."))
        self.spread = float(self.rng.choice([0.0, 1.0, 6.0, 3000.0]))
        self.reach = int(self.rng.choice([0, 3, 40, 4000]))
        self.moved: list[Moved] = []
        self.latents: list[torch.Tensor] = []
        self.units: list[Unit] = []

    def add(self, time: int, references: tuple[int, ...], both: bool) -> None:
        quality = int(self.rng.integers(64))
        behind = tuple(self.moved[r] for r in references)
        moved = Moved(time, quality, behind)
        coded: tuple[bytes, ...] = ()
        if references:
            moved, coded = self._motion(moved, both)
        latents = self._latents(moved, references)
        self.moved.append(moved)
        payload = pack_payload(FramePayload(quality, coded, latents if self.spread else bytes(3)))
        self.units.append(Unit(time, 1, references, payload))

    def _motion(self, place: Moved, both: bool) -> tuple[Moved, tuple[bytes, ...]]:
        width, height = self.fmt.width, self.fmt.height
        fields = [make_field(int(self.rng.integers(1 << 30)), width, height, self.reach) for _ in range(1 + both)]
        forecasts = [first_forecast(place.time, place.references, both)]
        if both:
            forecasts.append(second_forecast(fields[0], place.time, place.references))
        coded = tuple(encode_motion(field, before) for field, before in zip(fields, forecasts, strict=True))
        return Moved(place.time, place.quality, place.references, tuple(fields)), coded

    def _latents(self, moved: Moved, references: tuple[int, ...]) -> bytes:
        known = [self.latents[r] for r in references]
        exact = self.own if references else self.intra
        side = torch.from_numpy(side_of(moved))[None] if references else None
        history = History(*[*known, None, None][:2], side)
        tables = exact.z_indices(moved.quality, self.size, bool(references))
        parts = [self._part(tables, 0)]
        frame = exact.begin(parts[0][0], history, moved.quality, self.size)
        means, tables = frame.first()
        parts.append(self._part(tables, self.skip))
        first = decoded(parts[1][0], means)
        means, tables = frame.second(first)
        parts.append(self._part(tables, self.skip))
        self.latents.append(merge(first, decoded(parts[2][0], means)))
        told = [(s.numpy()[i.numpy() >= k], 335 + i.numpy()[i.numpy() >= k].astype(np.uint16))
                for (s, i), k in zip(parts, (0, self.skip, self.skip), strict=True)]  # fmt: skip
        return b"\1" + encode_chain(told, GGD)

    def _part(self, indices: torch.Tensor, skip: int) -> tuple[torch.Tensor, torch.Tensor]:
        values = np.rint(self.rng.normal(0, self.spread, indices.shape) * self.rng.exponential(1, indices.shape))
        return torch.from_numpy(np.where(indices.numpy() < skip, 0, values).astype(np.int32)), indices


def random_group(stored: Stored, seed: int, fmt: VideoFormat, skip: int, graph: str) -> tuple[list[Unit], Maker]:
    maker = Maker(stored, seed, fmt, skip)
    for row in GRAPHS[graph]:
        maker.add(*row)
    return maker.units, maker


@pytest.mark.parametrize("graph", GRAPHS)
@EXAMPLES(max_examples=4)
@given(
    seed=st.integers(0, 1 << 30),
    skip=st.sampled_from([0, 1, 20, 63]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 60)),
    bit_depth=st.sampled_from([8, 10]),
)
def test_the_text_decodes_any_group(stored, found, graph, seed, skip, size, bit_depth):
    fmt = VideoFormat(size[1], size[0], bit_depth)
    units, maker = random_group(stored, seed, fmt, skip, graph)
    ours, twin = (decode(units, fmt, stored.config(7, skip)) for decode in (stored.ours, stored.twin))
    for number, frame in enumerate(twin.frames):
        fields = maker.moved[number].fields
        assert all(np.array_equal(a, b.vectors) for a, b in zip(frame.fields, fields, strict=True))
        assert np.array_equal(frame.latents, maker.latents[number][0].numpy())
    assert twin.symbol_hash == ours.symbol_hash
    if graph != "apart":
        check_pictures(twin, ours, fmt, chain=False)


def encoded(frames: list[Any], fmt: VideoFormat, own: Path, **settings: Any) -> tuple[GroupPayload, Group, Any]:
    """A group as the encoder makes it, and what both decoders find in it."""
    coded = get_codec("conditional").encode_group(frames, fmt, GroupSpec(model=str(own), **settings))
    ours = get_codec("conditional").open_group(coded.config, coded.units, fmt, len(frames))
    weights = Weights(find_weights(coded.config[:8]).read_bytes()), Weights(own.read_bytes())
    twin = decode_group(coded.config, coded.units, *weights, fmt.width, fmt.height, fmt.bit_depth)
    assert twin.symbol_hash == ours.symbol_hash == coded.symbol_hash
    return coded, twin, ours


@pytest.mark.parametrize(("structure", "size"), [("low-delay", (96, 80)), ("random-access", (53, 37))])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_the_text_decodes_what_the_encoder_makes(tiny_conditional, crop, structure, size, bit_depth):
    """Real pictures, a prior as training leaves it, a cut behind the sixth frame."""
    frames, fmt = crop(*size, 6, bit_depth), VideoFormat(*size, bit_depth)
    frames.append(tuple(((1 << bit_depth) - 1 - plane).astype(plane.dtype) for plane in frames[0]))
    coded, twin, ours = encoded(frames, fmt, tiny_conditional, quality=40, structure=structure)
    assert {len(frame.fields) for frame in twin.frames} == ({0, 1} if structure == "low-delay" else {0, 1, 2})
    assert sum(not frame.references for frame in twin.frames) == 2
    check_pictures(twin, ours, fmt, chain=True)
    samples = b"".join(plane.tobytes() for frame in range(7) for plane in ours.planes(frame))
    assert coded.picture_hash == hashlib.blake2b(samples, digest_size=8).digest()


@pytest.mark.parametrize("quality", [32, 55])
def test_a_chain_loses_little_by_other_arithmetic(carphone, planes_of, quality):
    """The bound of section 7.2 for the weights that the package has: all pictures by float64 beside the decoder's."""
    ids = default_ids(KIND)
    if not ids:
        pytest.skip("the package has no weights of predicted frames")
    cuts = (slice(48, 96), slice(56, 120)), *[(slice(24, 48), slice(28, 60))] * 2
    frames = [tuple(np.ascontiguousarray(p[c]) for p, c in zip(f, cuts, strict=True)) for f in planes_of(carphone, 33)]
    path = find_weights(bytes.fromhex(next(iter(ids.values()))))
    _, twin, ours = encoded(frames, VideoFormat(64, 48), path, quality=quality, structure="low-delay")
    for frame, alone in zip(twin.frames, twin.pictures(), strict=True):
        source, shown = frames[frame.time], ours.planes(frame.time)
        other = tuple(plane.astype(np.uint8) for plane in alone)
        assert abs(psnr_yuv(source, shown, 8) - psnr_yuv(source, other, 8)) <= 0.1


def outcome(decode: Any, units: list[Unit], fmt: VideoFormat) -> bytes | None:
    try:
        digest: bytes = decode(units, fmt).symbol_hash
    except (ValueError, NvcodecError):
        return None
    return digest


@EXAMPLES(max_examples=60)
@given(data=st.data())
def test_both_refuse_the_same_payloads(stored, found, data):
    """A payload with changed, missing or added bytes is the same symbols to both readers, or to neither."""
    fmt = VideoFormat(24, 8)
    units, _ = random_group(stored, data.draw(st.integers(0, 5)), fmt, 0, "by way of both")
    number = data.draw(st.integers(0, len(units) - 1))
    payload = bytearray(units[number].payload)
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.one_of(st.integers(0, min(9, len(payload) - 1)), st.integers(0, len(payload) - 1)))
        payload[at] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.sampled_from([len(payload), data.draw(st.integers(0, len(payload)))]))]
    payload += bytes(data.draw(st.integers(0, 2)))
    units[number] = replace(units[number], payload=bytes(payload))
    try:
        ours = stored.ours(units, fmt).symbol_hash
    except FormatError:
        ours = None
    assert ours == outcome(stored.twin, units, fmt)


def refused(stored: Stored, units: list[Unit], error: type[FormatError] = FormatError, fmt: VideoFormat | None = None):
    fmt = fmt or VideoFormat(24, 8)
    with pytest.raises(FormatError) as caught:
        stored.ours(units, fmt)
    assert caught.type is error, caught.value
    assert outcome(stored.twin, units, fmt) is None


KEY, PREDICTED, TWICE = b"\x14", b"\x14\0", b"\x54\0\0"  # quality 20, fields as predicted, zeros


@pytest.mark.parametrize(
    "table",
    [
        [(0, 2, (), KEY)],
        [(1, 1, (), KEY), (2, 1, (), KEY)],
        [(0, 1, (), KEY), (0, 1, (), KEY)],
        [(0, 1, (), KEY), (1, 0, (), KEY)],
        [*((t, 1, (), KEY) for t in range(1, 34)), (0, 1, (), KEY)],
        [(33, 1, (), KEY), *((t, 1, (), KEY) for t in range(33))],
        [(0, 1, (), KEY), (1, 1, (0, 0), TWICE)],
        [(0, 1, (0,), PREDICTED)],
        [(0, 1, (1,), PREDICTED), (1, 1, (), KEY)],
        [(0, 1, (-1,), PREDICTED)],
        [*((t, 1, (), KEY) for t in range(33)), (33, 1, (0,), PREDICTED)],
        [*((t, 1, (), KEY) for t in range(3)), (3, 1, (0, 1, 2), TWICE)],
        [(0, 1, (), KEY), (1, 1, (), KEY), (2, 1, (1, 0), PREDICTED)],
        [(0, 1, (), KEY), (1, 1, (0,), PREDICTED), (2, 1, (), KEY), (3, 1, (1, 2), PREDICTED)],
        [(0, 1, (), KEY), (1, 1, (), KEY), (2, 1, (0, 1), TWICE), (3, 1, (2, 1), PREDICTED)],
    ],
)
def test_unit_tables_that_the_text_forbids(stored, found, table):
    refused(stored, [Unit(*row) for row in table])


def test_what_the_text_allows(stored, found):
    fmt = VideoFormat(24, 8)
    for table in (
        [(32, 1, (), KEY), *((t, 1, (), KEY) for t in range(32))],
        [*((t, 1, (), KEY) for t in range(32)), (32, 1, (0,), PREDICTED)],
        [(0, 1, (), KEY), (1, 1, (0,), PREDICTED + bytes(3)), (2, 1, (1, 0), PREDICTED)],
        [(0, 1, (), KEY), (1, 1, (), KEY), (2, 1, (0, 1), TWICE), (3, 1, (2, 0), PREDICTED)],
    ):
        units = [Unit(*row) for row in table]
        assert stored.ours(units, fmt).symbol_hash == stored.twin(units, fmt).symbol_hash


@pytest.mark.parametrize(
    ("references", "payload"),
    [
        ((), b""), ((), b"\x80"), ((), b"\x54\0\0"), ((), b"\x14\2"), ((), b"\x14\0\1"),
        ((0,), b"\x14"), ((0,), b"\x54\0\0"), ((0,), b"\x94\0"), ((0,), b"\x14\1"), ((0,), b"\x14\x80\0"),
        ((0,), b"\x14" + b"\xff" * 8 + b"\x7f"), ((0,), b"\x14\0\2"), ((0,), b"\x14\0\0\1\0"),
        ((0, 1), b"\x54\0"), ((0, 1), b"\x54\0\1"), ((0, 1), b"\xd4\0\0"),
    ],
)  # fmt: skip
def test_payloads_that_the_text_forbids(stored, found, references, payload):
    refused(stored, [Unit(0, 1, (), KEY), Unit(1, 1, (), KEY), Unit(2, 1, references, payload)])


def test_fields_that_the_text_forbids(stored, found):
    def units(field: bytes) -> list[Unit]:
        return [Unit(0, 1, (), KEY), Unit(1, 1, (0,), b"\x14" + uv(len(field)) + field)]

    refused(stored, units(bytes(256 * 3 + 1)), DamagedError)
    refused(stored, units(b"\0"), TruncatedError)
    wide = VideoFormat(16385, 1)
    assert stored.ours(units(b"")[:1], wide).symbol_hash == stored.twin(units(b"")[:1], wide).symbol_hash
    refused(stored, units(b""), LimitError, wide)


@pytest.mark.parametrize(
    "change",
    [lambda c: c[:-1], lambda c: c + b"\0", lambda c: c[:16] + b"\x40\0", lambda c: c[:16] + b"\0\x40",
     lambda c: c[8:16] * 2 + c[16:], lambda c: c[:8] * 2 + c[16:], lambda c: c[8:16] + c[:8] + c[16:]],
)  # fmt: skip
def test_configs_that_the_text_forbids(stored, found, change):
    """The last three name weights of the other kind."""
    config, fmt = change(stored.config()), VideoFormat(8, 8)
    for call in (get_codec("conditional").cost, lambda *a: get_codec("conditional").open_group(a[0], [], fmt, 1)):
        with pytest.raises(FormatError) as caught:
            call(config, fmt, 1)
        assert caught.type is FormatError


def test_a_context_of_another_shape_is_refused(stored):
    linear = stored.own.arrays["context.linear"]
    for arrays in ({"context.more": linear}, {"context.linear": linear[1:]}, {"context.linear": linear * np.nan}):
        tensors = {**stored.own.arrays, **arrays}
        said = {**stored.own.about, "id": model_id(sizes_text(TINY), tensors).hex()}
        with pytest.raises(FormatError):
            PredictedModel.of(parse_weights(safetensors.numpy.save(tensors, said)))
    assert PredictedModel.of(stored.own) and Model.of(stored.intra)


@pytest.mark.parametrize("order", ["forwards", "window by window"])
def test_playing_in_order_decodes_each_frame_once(stored, found, order):
    """However far units stand from their frames; and pictures do not pile up."""
    count = 80
    times = [t ^ 15 if order != "forwards" else t for t in range(count)]
    units = [Unit(t, 1, (n - 1,) if n else (), PREDICTED if n else KEY) for n, t in enumerate(times)]
    decoder, made = stored.ours(units, VideoFormat(16, 16)), []
    picture = decoder._picture

    def counted(number: int, references: Any) -> Any:
        made.append(number)
        return picture(number, references)

    decoder._picture = counted
    shown = [decoder.planes(frame) for frame in range(count)]
    assert sorted(made) == list(range(count))
    assert len(decoder._recent) <= REACH + 6
    for frame in reversed(range(count)):
        assert all(np.array_equal(a, b) for a, b in zip(decoder.planes(frame), shown[frame], strict=True))
        assert len(decoder._recent) <= REACH + 6


# the example

EXAMPLE = ConditionalConfig(ConditionalTransformConfig(2, 1, 3, 1, 1, 0), ResidualPriorConfig(96, 2, 2, 3, 1, 3, 1, ()))


def ruled_own() -> bytes:
    """The example's file of weights, with zeros for encoders."""
    model = ConditionalModel(EXAMPLE, [1.0] * 8, SIGMAS, laplace=True)
    arrays = {name: np.zeros_like(array) for name, array in parse_weights(pack_weights(model)).arrays.items()}
    start = 0
    for name in sorted(name for name in arrays if name.startswith(("context.", "prior.", "synthesis."))):
        made = ruled(name.replace("context.", "synthesis."), arrays[name].shape, start)
        arrays[name] = (made / 1024).astype(np.float32) if name == "context.linear" else made
        start += made.size
    sizes = sizes_text(EXAMPLE)
    about = {"format": "nvcodec weights 1", "sizes": sizes, "id": model_id(sizes, arrays).hex()}
    return safetensors.numpy.save(arrays, about)


def example(name: str) -> list[str]:
    found = re.search(rf"<!-- example {name} -->\n((?:    .+\n)+)", TEXT)
    assert found is not None
    return [line.strip() for line in found.group(1).splitlines()]


def test_the_example(tmp_path, monkeypatch):
    stored, fmt = Stored(tmp_path, ruled_weights(), ruled_own()), VideoFormat(18, 3)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert example("sizes") == [sizes_text(EXAMPLE)]
    config, digest = (bytes.fromhex(example(part)[0]) for part in ("config", "hash"))
    table = [(0, ()), (2, (0,)), (1, (0, 1)), (3, (1, 0)), (4, (3, 1))]
    payloads = [bytes.fromhex(line) for line in example("payloads")]
    units = [Unit(time, 1, refs, data) for (time, refs), data in zip(table, payloads, strict=True)]
    ours, twin = stored.ours(units, fmt, config), stored.twin(units, fmt, config)
    assert ours.symbol_hash == twin.symbol_hash == digest
    fields = [
        " / ".join(" ".join(f"({x}, {y})" for x, y in f[::2, ::2].reshape(-1, 2)) for f in frame.fields)
        for frame in twin.frames[1:]
    ]
    assert fields == example("fields")
    assert [" ".join(map(str, frame.latents[:8, 0, 1])) for frame in twin.frames] == example("latents")
    lines = [f"{n} = " + " / ".join(" ".join(f"{v:.0f}" for v in row) for row in plane)
             for n, plane in zip("YUV", twin.pictures()[4], strict=True)]  # fmt: skip
    assert lines == example("frame")
    check_pictures(twin, ours, fmt, chain=True)
