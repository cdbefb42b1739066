"""bitstream/TRAINED.md is the code: its tables, its formulas, its example; and its text, followed to the letter in
numpy, finds the integers that the decoder finds, and shows its pictures."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.latent_group import CONFIG_BYTES, LatentGroup, activation_bytes, coded_numbers, macs_a_pixel
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.weights import VARIABLE, Model
from nvcodec.container import Unit
from nvcodec.container.fields import uv
from nvcodec.entropy.chain import encode_chain
from nvcodec.entropy.segment import encode_segment
from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.errors import DamagedError, FormatError, NvcodecError
from nvcodec.format import VideoFormat
from nvcodec.models import latents as latent_constants
from nvcodec.models import prior_network
from nvcodec.models.exact_prior import ExactPrior, decoded, merge
from nvcodec.models.latent import CONFIGS, LatentConfig, LatentModel
from nvcodec.models.prior_network import PriorConfig, PriorNetwork, hyper_size
from nvcodec.models.transform import Synthesis, TransformConfig
from nvcodec.models.weights import MAX_BYTES, model_id, pack_weights, parse_weights, sizes_text
from tests.oracles.prior_twin import random_arrays
from tests.oracles.trained_twin import Group, Weights, canonical, decode_group

TEXT = (Path(__file__).resolve().parents[2] / "bitstream" / "TRAINED.md").read_text(encoding="utf-8")
TINY = LatentConfig(
    TransformConfig(width8=5, blocks8=2, width16=7, blocks16=1),
    PriorConfig(hyper=3, hyper_width=4, width=9, temporal_blocks=2, temporal_kernel=5, blocks=1, flat_channels=(7,)),
)
# Groups are slow to decode in Python: failures are shown as they are found, not in their simplest form.
EXAMPLES = partial(
    settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=[Phase.generate]
)
SIGMAS = [2.0 ** (k / 8) for k in range(64)]


def marked(name: str) -> str:
    """The text between two marks."""
    found = re.search(rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", TEXT, re.DOTALL)
    assert found is not None
    return found.group(1)


def rows(name: str) -> list[list[str]]:
    """Cells of a table's rows, heads and lines left out."""
    lines = [line for line in marked(name).splitlines() if line.startswith("|")]
    heads = {i + d for i, line in enumerate(lines) if line.startswith("|---") for d in (-1, 0)}
    return [[cell.strip() for cell in line.split("|")[1:-1]] for i, line in enumerate(lines) if i not in heads]


def names(config: LatentConfig) -> dict[str, int]:
    """What the text's formulas call the sizes."""
    return {**vars(config.prior), **vars(config.transform), "k": config.prior.temporal_kernel}


def value(formula: str, **numbers: Any) -> Any:
    return eval(formula, {"__builtins__": {}}, {**numbers, "maximum": max, "minimum": min})


# the text and the code: tables and formulas


def test_sizes_have_the_ranges_of_the_text():
    members = {row[0]: tuple(int(n) for n in row[1].split("-")) for row in rows("sizes")}
    config = CONFIGS["s"]
    assert sorted(members) == sorted(f"{part}.{name}" for part in vars(config) for name in vars(getattr(config, part)))
    for member, (low, high) in members.items():
        for number in (low, high, low - 1, high + 1):
            assert (with_size(config, member, number).fault() is None) == (low <= number <= high), (member, number)
    assert [k for k in range(9) if with_size(config, "prior.temporal_kernel", k).fault() is None] == [1, 3, 5, 7]


def with_size(config: LatentConfig, member: str, number: int) -> LatentConfig:
    part, name = member.split(".")
    changed = {**vars(getattr(config, part)), name: (number,) if name == "flat_channels" else number}
    parts = {**vars(config), part: type(getattr(config, part))(**changed)}
    return LatentConfig(**parts)


@pytest.mark.parametrize("config", [TINY, CONFIGS["s"]], ids=["tiny", "s"])
def test_layers_are_those_of_the_text(config):
    counts = {"temporal": config.prior.temporal_blocks, "blocks1": config.prior.blocks, "blocks2": config.prior.blocks}
    wanted = {}
    for name, *cells in rows("layers"):
        sizes = [value(cell, **names(config)) for cell in cells[:3]]
        for i in range(counts[name.split(".")[0]]) if ".i." in name else [0]:
            wanted[name.replace(".i.", f".{i}.")] = [*sizes, cells[3] or None]
    found = {}
    for name, layer in PriorNetwork(config.prior).layers():
        low = None if name.startswith("head") else "0" if layer.relu else "-255"
        found[name] = [layer.fan_in, layer.outputs, 8 if layer.by_quality else 1, low]
    assert found == wanted


@pytest.mark.parametrize("config", [TINY, CONFIGS["s"]], ids=["tiny", "s"])
def test_tensors_of_the_synthesis_are_those_of_the_text(config):
    wanted, block = {}, {}
    for tensors, shape in rows("synthesis"):
        for name in tensors.split(", "):
            if name.startswith("i ="):
                continue
            (wanted if name.startswith("synthesis.") else block)[name] = shape
    for prefix, width, count in (("coarse", "width16", "blocks16"), ("fine", "width8", "blocks8")):
        assert f"= {width} channels" in wanted.pop(f"synthesis.{prefix}.i")
        assert f"synthesis.{prefix}.i, i = 0 ... {count} - 1" in TEXT
        for i in range(names(config)[count]):
            sized = {name: re.sub(r"\bv\b", width, shape) for name, shape in block.items()}
            wanted |= {f"synthesis.{prefix}.{i}.{name}": shape for name, shape in sized.items()}
    shapes = {name: value(shape.replace(")", ",)"), **names(config)) for name, shape in wanted.items()}
    with torch.device("meta"):
        state = Synthesis(config.transform, [1.0] * 8).state_dict()
    assert {f"synthesis.{name}": tuple(tensor.shape) for name, tensor in state.items()} == shapes


def test_the_one_form_of_sizes():
    line = re.search(r"<!-- canonical sizes -->\n    (.*)\n", TEXT)
    assert line is not None and line.group(1) == sizes_text(CONFIGS["s"])


def test_blocks_of_the_steps():
    found = [
        [str(g), f"2n{' + 1' * odd}", *(f"{p // 2}, {p % 2}" for p in phases)]
        for g, ((odd, *phases), _) in enumerate(
            ((one[0], one[1], two[1]), two)
            for one, two in zip(latent_constants.FIRST_BLOCKS, latent_constants.SECOND_BLOCKS, strict=True)
        )
    ]
    assert found == rows("blocks")


def test_constants():
    assert rows("config")[1][0] == "8" and CONFIG_BYTES == 10
    assert range(335, 335 + 64) == LATENT_TABLES and "335 + t" in TEXT
    assert f"clip(16 * clip(s, -{latent_constants.SYMBOL_LIMIT}, {latent_constants.SYMBOL_LIMIT}) + m" in TEXT
    assert f"-{latent_constants.LATENT_LIMIT}, {latent_constants.LATENT_LIMIT})" in TEXT
    assert f"-{prior_network.MEAN_LIMIT} ... {prior_network.MEAN_LIMIT}" in TEXT
    assert f"-{prior_network.TAP_LIMIT} to {prior_network.TAP_LIMIT}," in TEXT
    assert MAX_BYTES == 1 << 26 and "at most 2^26 bytes" in TEXT


@pytest.mark.parametrize("config", [TINY, CONFIGS["s"], CONFIGS["m"]], ids=["tiny", "s", "m"])
def test_cost(config):
    """The formulas of the text, evaluated."""
    p, s = (" ".join(part.split()) for part in re.findall(r" [PS] = (.*?)\n(?= +S = |\n)", TEXT, re.DOTALL))
    pixel = (value(p, **names(config)) + value(s, **names(config))) / 1024
    assert -(-pixel // 1) == macs_a_pixel(config)
    assert pixel == prior_network.macs_per_pixel(config.prior) + transform_macs(config)
    fmt = VideoFormat(177, 145)
    size = dict(zip(("h", "w"), (10, 12), strict=True)) | dict(zip(("hz", "wz"), hyper_size((10, 12)), strict=True))
    formulas = [re.search(rf"\*{name}\*: [^`]*`([^`]*)`", TEXT) for name in ("parameters", "activation bytes")]
    assert all(formulas)
    parameters, activations = (value(f.group(1), **names(config), **size, F=7) for f in formulas if f)
    assert (parameters, activations) == (7 * coded_numbers(config, fmt), activation_bytes(config, fmt))


def transform_macs(config: LatentConfig) -> float:
    from nvcodec.models.transform import macs_per_pixel

    return macs_per_pixel(config.transform) / 2


# the text, followed in numpy


def make_weights(seed: int = 1, random_prior: bool = True) -> bytes:
    """A file of TINY, nothing in it zero; its prior of full range, or as training could leave it."""
    torch.manual_seed(seed)
    model = LatentModel(TINY, [0.002 * 2 ** (i * 9 / 8) for i in range(8)], SIGMAS, laplace=True)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += (0.02 if name.endswith("linear") else 0.1) * torch.randn_like(parameter)
    if random_prior:
        model.prior.export = lambda: random_arrays(TINY.prior, seed)  # type: ignore[method-assign]
    return pack_weights(model, {"model": "tiny"})


class Stored:
    """A file of weights in a folder, read twice. (No dataclass: failures would print every tensor.)"""

    def __init__(self, folder: Path, data: bytes) -> None:
        self.folder, self.twin, self.package = folder, Weights(data), parse_weights(data)
        (folder / f"latent-tiny-{self.twin.id.hex()}.safetensors").write_bytes(data)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return Stored(tmp_path_factory.mktemp("weights"), make_weights())


@pytest.fixture(autouse=True)
def found(stored, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(stored.folder))


def test_the_id_is_the_packages(stored):
    weights = stored.package
    assert stored.twin.id == weights.id == model_id(canonical(stored.twin.sizes), weights.arrays)


def test_only_what_decoders_need_has_a_part_in_the_id(stored):
    for name, array in stored.package.arrays.items():
        changed = {**stored.package.arrays, name: np.array(array)}
        changed[name].flat[0] += 1
        other = model_id(sizes_text(TINY), changed)
        assert (other == stored.package.id) == name.startswith(("analysis.", "hyper_encoder."))


def coded_unit(parts: list[tuple[torch.Tensor, torch.Tensor]], skip: int, spell: bool, chain: bool) -> bytes:
    """A payload by section 3 of the text, from (symbols, indices), as a chain or as segments; ``spell`` writes segments
    of zeros, too."""
    told = []
    for symbols, indices in parts:
        coded = indices.numpy() >= (skip if told else 0)
        told.append((symbols.numpy()[coded], 335 + indices.numpy()[coded].astype(np.uint16)))
    if chain:
        return b"\1" + encode_chain(told, GGD)
    segments = [encode_segment(*part, GGD) if spell or part[0].any() else b"" for part in told]
    return b"\0" + uv(len(segments[0])) + uv(len(segments[1])) + b"".join(segments)


def random_units(stored: Stored, seed: int, size: tuple[int, int], group: LatentGroup, links: list[int | None]):
    """Units of random symbols, unit i leaning on unit links[i]; and their latents."""
    rng = np.random.default_rng(seed)
    exact = ExactPrior(TINY.prior, stored.package.part("prior."))
    spread, spell = float(rng.choice([0.0, 1.0, 6.0, 3000.0])), bool(rng.integers(2))

    def peaked(indices: torch.Tensor, skip: int) -> torch.Tensor:
        values = np.rint(rng.normal(0, spread, indices.shape) * rng.exponential(1, indices.shape))
        return torch.from_numpy(np.where(indices.numpy() < skip, 0, values).astype(np.int32))

    units, latents = [], []
    for number, last in enumerate(links):
        older = None if last is None else links[last]
        previous = tuple(None if n is None else latents[n] for n in (last, older))
        tables = exact.z_indices(group.quality, size, last is not None)
        parts = [(peaked(tables, 0), tables)]
        frame = exact.begin(parts[0][0], previous, group.quality, size)
        means, tables = frame.first()
        parts.append((peaked(tables, group.skip), tables))
        known = decoded(parts[1][0], means)
        means, tables = frame.second(known)
        parts.append((peaked(tables, group.skip), tables))
        payload = coded_unit(parts, group.skip, spell, bool(rng.integers(2)))
        units.append(Unit(number, 1, () if last is None else (last,), payload))
        latents.append(merge(known, decoded(parts[2][0], means)))
    return units, [y[0].numpy() for y in latents]


def check_pictures(group: Group, decoder: Any, fmt: VideoFormat) -> None:
    for frame, wanted in enumerate(group.pictures):
        for plane, other in zip(decoder.planes(frame), wanted, strict=True):
            assert plane.dtype == (np.uint8 if fmt.bit_depth == 8 else np.uint16)
            assert plane.shape == other.shape
            assert np.abs(plane.astype(int) - other).max() <= 1


@pytest.mark.parametrize("bit_depth", [8, 10])
@EXAMPLES(max_examples=16)
@given(
    seed=st.integers(0, 1 << 30),
    quality=st.integers(0, 63),
    skip=st.sampled_from([0, 1, 20, 63]),
    links=st.sampled_from([[None, 0, 1], [None, 0, 0, 1], [None, None, 1, 0]]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 60)),
)
def test_the_text_decodes_groups_of_stem(stored, bit_depth, seed, quality, skip, links, size):
    fmt = VideoFormat(size[1], size[0], bit_depth)
    group = LatentGroup(stored.package.id, quality, skip)
    units, latents = random_units(stored, seed, (-(-size[0] // 16), -(-size[1] // 16)), group, links)
    ours = get_codec("stem").open_group(group.pack(), units, fmt, len(units))
    twins = decode_group(3, group.pack(), units, stored.twin, fmt.width, fmt.height, bit_depth)
    assert all(np.array_equal(a, b) for a, b in zip(twins.latents, latents, strict=True))
    assert twins.symbol_hash == ours.symbol_hash
    check_pictures(twins, ours, fmt)


@pytest.mark.parametrize("name", ["stem", "intra"])
def test_the_text_decodes_what_the_encoder_makes(tmp_path, monkeypatch, crop, name):
    """Real pictures, a prior as training leaves it, a cut behind the second frame."""
    data = make_weights(random_prior=False)
    path = tmp_path / "own.safetensors"
    path.write_bytes(data)
    monkeypatch.setenv(VARIABLE, str(path))
    frames = crop(53, 37, 3)
    frames = [*frames[:2], tuple(plane[::-1].copy() for plane in frames[2])]
    fmt = VideoFormat(53, 37)
    coded = get_codec(name).encode_group(frames, fmt, GroupSpec(quality=40, model=str(path)))
    ours = get_codec(name).open_group(coded.config, coded.units, fmt, 3)
    twins = decode_group(get_codec(name).codec_id, coded.config, coded.units, Weights(data), 53, 37)
    assert twins.symbol_hash == ours.symbol_hash == coded.symbol_hash
    assert any(unit.references for unit in coded.units) == (name == "stem")
    assert min(frame[0].std() for frame in twins.pictures) > 5  # there is something to compare
    check_pictures(twins, ours, fmt)
    samples = b"".join(plane.tobytes() for frame in range(3) for plane in ours.planes(frame))
    assert coded.picture_hash == hashlib.blake2b(samples, digest_size=8).digest()


@EXAMPLES(max_examples=60)
@given(data=st.data())
def test_both_refuse_the_same_payloads(stored, data):
    """A payload with changed, missing or added bytes is the same symbols to both readers, or to neither."""
    group = LatentGroup(stored.package.id, 30, 10)
    units, _ = random_units(stored, data.draw(st.integers(0, 3)), (1, 1), group, [None])
    payload = bytearray(units[0].payload)
    for _ in range(data.draw(st.integers(0, 2))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.sampled_from([len(payload), data.draw(st.integers(0, len(payload)))]))]
    payload += bytes(data.draw(st.integers(0, 2)))
    damaged = [Unit(0, 1, (), bytes(payload))]
    try:
        ours = get_codec("intra").open_group(group.pack(), damaged, VideoFormat(8, 8), 1).symbol_hash
    except FormatError:
        ours = None
    try:
        twins = decode_group(4, group.pack(), damaged, stored.twin, 8, 8).symbol_hash
    except (ValueError, NvcodecError):
        twins = None
    assert ours == twins


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("stem", [(0, 1, ()), (1, 1, (0, 0))]),
        ("stem", [(0, 2, ())]),
        ("stem", [(1, 1, ()), (0, 1, ())]),
        ("intra", [(0, 1, ()), (1, 1, (0,))]),
    ],
)
def test_unit_tables_that_the_text_forbids(stored, name, rows):
    units = [Unit(*row, b"\0\0") for row in rows]
    config = LatentGroup(stored.package.id, 1).pack()
    with pytest.raises(FormatError):
        get_codec(name).open_group(config, units, VideoFormat(8, 8), 2)
    with pytest.raises(ValueError):
        decode_group(get_codec(name).codec_id, config, units, stored.twin, 8, 8)


def rewritten(stored: Stored, arrays: dict[str, np.ndarray] | None = None, **about: str) -> bytes:
    """The file with other tensors or strings, and the id that goes with them."""
    tensors = {**stored.package.arrays, **(arrays or {})}
    said = {**stored.package.about, **about}
    return safetensors.numpy.save(tensors, {**said, "id": model_id(stored.package.about["sizes"], tensors).hex()})


def test_files_that_the_text_forbids(stored):
    """Each of them states the id of its tensors."""
    sizes = stored.package.about["sizes"]
    assert Model.of(parse_weights(rewritten(stored))).weights.id == stored.package.id
    for about in (
        {"format": "weights 1"},
        {"format": "1"},
        {"sizes": sizes.replace('"width":9,', "").replace(',"width":9', "")},
        {"sizes": sizes.replace('"hyper":3', '"hyper":3,"more":1')},
        {"sizes": sizes.replace('{"prior"', '{"more":1,"prior"')},
    ):
        with pytest.raises(FormatError, match=r"not a file of weights|impossible sizes"):
            parse_weights(rewritten(stored, **about))
    bias, taps = (stored.package.arrays[name] for name in ("synthesis.up.bias", "prior.taps"))
    for name, array in {
        "synthesis.more": bias, "prior.more": taps, "synthesis.up.bias": bias * np.nan, "prior.taps": taps * 0 + 32,
    }.items():  # fmt: skip
        with pytest.raises(FormatError):
            Model.of(parse_weights(rewritten(stored, {name: array})))


def test_spaces_in_the_sizes_do_not_change_the_id(stored):
    data = rewritten(stored, sizes=stored.package.about["sizes"].replace(",", " ,\n"))
    assert Weights(data).id == parse_weights(data).id == stored.package.id


# the example

EXAMPLE = LatentConfig(TransformConfig(2, 1, 3, 1), PriorConfig(96, 2, 2, 3, 1, 3, 1, ()))


def ruled(name: str, shape: tuple[int, ...], start: int) -> np.ndarray:
    """A tensor of the example, whose first element has the number ``start``."""
    n = start + np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    r = (31 * n * n + 17 * n + 5) % 65521
    if name.endswith(".logs"):
        return ((r % 1024 - 512) / 1024).astype(np.float32)
    if name == "synthesis.linear":
        return ((r % 256 - 128) / 1024 + 16 * np.eye(*shape)).astype(np.float32)
    if name.startswith("synthesis."):
        return ((r % 1024 - 512) / 1024).astype(np.float16)
    integers = {"weight": (r % 31 - 15, "i1"), "bias": (r % 2001 - 1000, "i4"), "shift": (5 + r % 3, "u1")}
    integers |= {"taps": (r % 63 - 31, "i1"), "z_index": (r % 64, "u1")}
    numbers, kind = integers[name.rpartition(".")[2]]
    return numbers.astype(kind)


def ruled_weights() -> bytes:
    """The example's file of weights, with zeros for encoders."""
    torch.manual_seed(0)
    model = LatentModel(EXAMPLE, [1.0] * 8, SIGMAS, laplace=True)
    arrays = {name: np.zeros_like(array) for name, array in parse_weights(pack_weights(model)).arrays.items()}
    start = 0
    for name in sorted(name for name in arrays if name.startswith(("prior.", "synthesis."))):
        arrays[name] = ruled(name, arrays[name].shape, start)
        start += arrays[name].size
    sizes = sizes_text(EXAMPLE)
    about = {"format": "nvcodec weights 1", "sizes": sizes, "id": model_id(sizes, arrays).hex()}
    return safetensors.numpy.save(arrays, about)


def example(name: str) -> list[str]:
    found = re.search(rf"<!-- example {name} -->\n((?:    .+\n)+)", TEXT)
    assert found is not None
    return [line.strip() for line in found.group(1).splitlines()]


def test_the_example(tmp_path, monkeypatch):
    data, fmt = ruled_weights(), VideoFormat(18, 3)
    (tmp_path / "example.safetensors").write_bytes(data)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert example("sizes") == [sizes_text(EXAMPLE)]
    config, digest = (bytes.fromhex(example(part)[0]) for part in ("config", "hash"))
    payloads = [bytes.fromhex(line) for line in example("payloads")]
    units = [Unit(i, 1, (i - 1,) if i else (), payload) for i, payload in enumerate(payloads)]
    ours = get_codec("stem").open_group(config, units, fmt, 3)
    twins = decode_group(3, config, units, Weights(data), 18, 3)
    assert ours.symbol_hash == twins.symbol_hash == digest
    assert [" ".join(map(str, y[:8, 0, 1])) for y in twins.latents] == example("latents")
    lines = [f"{n} = " + " / ".join(" ".join(f"{v:.0f}" for v in row) for row in plane)
             for n, plane in zip("YUV", twins.pictures[2], strict=True)]  # fmt: skip
    assert lines == example("frame")
    check_pictures(twins, ours, fmt)


def test_a_segment_without_elements_has_no_bytes(tmp_path, monkeypatch):
    """The example's indices are all below 63."""
    data, fmt = ruled_weights(), VideoFormat(8, 8)
    (tmp_path / "example.safetensors").write_bytes(data)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    config = LatentGroup(Weights(data).id, 20, 63).pack()

    def both(payload: bytes) -> list[bytes]:
        units = [Unit(0, 1, (), payload)]
        twins = decode_group(4, config, units, Weights(data), 8, 8)
        return [get_codec("intra").open_group(config, units, fmt, 1).symbol_hash, twins.symbol_hash]

    ours, twins = both(b"\0\0\0")
    assert ours == twins
    for payload in (b"\0\0\1\0", b"\0\0\0\0"):
        with pytest.raises(DamagedError):
            both(payload)
        with pytest.raises(DamagedError):
            get_codec("intra").open_group(config, [Unit(0, 1, (), payload)], fmt, 1)
