"""bitstream/FITTED.md is the code: its table of fields, its steps, its examples; and its text, followed to the letter
in numpy alone, has the costs and shows the pictures of the decoder. (Groups that lean: test_nirvana_spec.py.)"""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from nvcodec.codecs.fields import FieldReader
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.steps import step_size
from nvcodec.codecs.tensors import CodedTensors, encode_tensors
from nvcodec.container import Unit
from nvcodec.format import VideoFormat
from nvcodec.models.boost import HNeRVBoostConfig, NeRVBoostConfig
from nvcodec.models.enerv import ENeRVBoostConfig, ENeRVConfig
from nvcodec.models.hnerv import HNeRVConfig
from nvcodec.models.nerv import NeRVConfig
from nvcodec.models.nervpp import NeRVPlusConfig
from nvcodec.models.nirvana import NirvanaConfig
from tests.oracles.fitted_twin import Network, decode_group, picture

TEXT = (Path(__file__).resolve().parents[2] / "bitstream" / "FITTED.md").read_text(encoding="utf-8")
FAMILIES = ("nerv", "hnerv", "nirvana", "hnerv-boost", "nerv-boost", "nervpp", "enerv", "enerv-boost")
CONFIGS = {
    "nerv": NeRVConfig((2, 3), 4, (2, 1, 3), 2, 2, 9, 1.25, 11, 6),
    "hnerv": HNeRVConfig((2, 3), 4, 7, (3, 1, 2), 1.5, 2, 1, 5, 6),
    "nirvana": NirvanaConfig((2, 3), 2, 3, 9, 5, (1, 3), 1.5, 2, 4, 3),
    "hnerv-boost": HNeRVBoostConfig((2, 3), 4, 7, (3, 1, 2), 1.5, 2, 1, 5, 6, "sin", 1.3, 5, 1, 3),
    "nerv-boost": NeRVBoostConfig((2, 3), 4, (2, 1, 3), 2, 2, 9, 1.25, 11, 6, "sin", 2, 3),
    "nervpp": NeRVPlusConfig((2, 3), 4, (2, 1, 3), 2, 2, 9, 1.25, 11, 6),
    "enerv": ENeRVConfig((2, 3), 4, (2, 1, 3), 2, 2, 9, 1.25, 11, 6, "silu", 5, 6, 3, 4, 7, 8, 2),
    "enerv-boost": ENeRVBoostConfig((2, 3), 4, (2, 1, 3), 2, 2, 9, 1.25, 11, 6, "sin", 5, 6, 3, 4, 7, 8, single=1),
}


def example(name: str) -> list[str]:
    found = re.search(rf"<!-- example {name} -->\n((?:    .+\n)+)", TEXT)
    assert found is not None
    return [line.strip() for line in found.group(1).splitlines()]


def field_table() -> list[tuple[str, dict[str, tuple[int, int]]]]:
    rows = re.search(r"<!-- fields: begin -->\n(.*?)<!-- fields: end -->", TEXT, re.DOTALL)
    assert rows is not None
    out = []
    for line in rows.group(1).splitlines()[2:]:
        field, *ranges = [cell.strip() for cell in line.split("|")[1 : 2 + len(FAMILIES)]]
        pairs = zip(FAMILIES, ranges, strict=True)
        out.append((field, {codec: tuple(map(int, text.split("-"))) for codec, text in pairs if text}))
    return out


@pytest.mark.parametrize("name", FAMILIES)
def test_fields_have_the_order_and_ranges_of_the_text(name, monkeypatch):
    asked = []
    original = FieldReader.get

    def spy(self: FieldReader, field: str, low: int, high: int) -> int:
        asked.append((field, (low, high)))
        return original(self, field, low, high)

    monkeypatch.setattr(FieldReader, "get", spy)
    codec = get_codec(name)
    codec.unpack(codec.pack(CONFIGS[name]), 12, 18)
    written = [(field, ranges[name]) for field, ranges in field_table() if name in ranges]
    strides = [field for field in written if field[0] == "stride"] * len(CONFIGS[name].strides)
    written[1:2] = strides
    assert asked == [(field if "kernel" not in field else "kernel", bounds) for field, bounds in written]


def test_steps_of_the_text():
    lines = re.findall(r"    (?:M = |    )((?:\d{7,8} ?){8})", TEXT)
    mantissas = [int(word) for line in lines for word in line.split()]
    assert len(mantissas) == 16
    for exponent in range(256):
        assert float(step_size(exponent)) == mantissas[exponent % 16] * 2.0 ** (exponent // 16 - 36)


def test_the_rounding_of_widths_that_the_text_names():
    assert HNeRVConfig(width=42, reduction=1.12, min_width=1, strides=(2,)).widths() == [37]


def shown(decoder, name: str) -> None:
    for line, plane in zip(example(name), decoder.planes(0), strict=True):
        wanted = [[int(word) for word in row.split()] for row in line.partition("=")[2].split("/")]
        assert np.abs(plane.astype(int) - wanted).max() <= 1


def test_the_examples():
    codec, fmt = get_codec("hnerv"), VideoFormat(3, 4)
    config, payload = (bytes.fromhex(example(part)[0]) for part in ("config", "payload"))
    cost = codec.cost(config, fmt, 2)
    macs, _ = codec.network_cost(codec.unpack(config, 2, 2))
    numbers = re.search(r"There are (\d+) parameters, (\d+) .*?\((\d+) a pixel\) and (\d+) activation", TEXT, re.DOTALL)
    assert numbers is not None
    assert [int(n) for n in numbers.groups()] == [cost.parameters, macs, cost.macs_per_pixel, cost.activation_bytes]
    decoder = codec.open_group(config, [Unit(0, 2, (), payload)], fmt, 2)
    assert decoder.symbol_hash == bytes.fromhex(example("hash")[0])
    shown(decoder, "frame 0")
    units = [Unit(0, 1, (), bytes.fromhex(example("leaning payload")[0]))]
    leaning = codec.open_group(config, units, fmt, 1, "cpu", decoder.state)
    assert leaning.symbol_hash == bytes.fromhex(example("leaning hash")[0])
    shown(leaning, "leaning frame 0")
    assert leaning.state.weights[0].item() == 2.25 and leaning.state.embedding.item() == 20
    numbers = re.search(r"and the numbers (\S+) and (\S+); the hash is", TEXT)
    assert numbers is not None
    assert np.array(numbers.groups()).astype("<i4").tobytes() == decoder.symbol_hash


@pytest.mark.parametrize("name", FAMILIES)
def test_costs_of_the_text(name):
    codec, fmt = get_codec(name), VideoFormat(35, 23)
    growth = CONFIGS[name].growth()
    assert growth.cells(len(growth.stages)) == (12, 18)
    config = codec.pack(CONFIGS[name])
    group = Network(codec.codec_id, config, 35, 23)
    cost, (parameters, macs, activations) = codec.cost(config, fmt, 5), group.cost(5)
    assert group.tensors() == list(codec.shapes(CONFIGS[name], 5).weights)
    assert (cost.parameters, cost.macs_per_pixel) == (parameters, -(-macs // (35 * 23)))
    assert cost.activation_bytes == activations


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("name", ["nerv", "hnerv", "hnerv-boost", "nerv-boost", "nervpp", "enerv", "enerv-boost"])
def test_the_text_shows_the_same_pictures(name, bit_depth):
    codec, fmt, frames, config = get_codec(name), VideoFormat(35, 23, bit_depth), 3, CONFIGS[name]
    random = np.random.default_rng(3)
    shapes = codec.shapes(config, frames)
    weights = [np.rint(random.normal(0, 40, shape)).astype(np.int32) for shape in shapes.weights]
    least = 128 if name in ("nerv", "hnerv") else 112  # sines of large values are chaos, and residuals add up
    exponents = [least - 8 * (len(shape) - 1) for shape in shapes.weights]
    embedding, channels = None, ()
    if shapes.embedding:
        embedding = np.rint(random.normal(0, 20, shapes.embedding)).astype(np.int32)
        channels = tuple(range(130, 130 + shapes.embedding[0]))
    payload, _ = encode_tensors(CodedTensors(weights, exponents, embedding, channels))
    decoder = codec.open_group(codec.pack(config), [Unit(0, frames, (), payload)], fmt, frames)
    group = decode_group(codec.codec_id, codec.pack(config), payload, fmt.width, fmt.height, frames)
    assert group.symbol_hash == decoder.symbol_hash
    for t in range(frames):
        wanted = picture(group, t, fmt.width, fmt.height, bit_depth)
        for plane, other in zip(decoder.planes(t), wanted, strict=True):
            assert plane.dtype == (np.uint8 if bit_depth == 8 else np.uint16)
            assert plane.std() > 2  # there is something to compare
            assert np.abs(plane.astype(int) - other).max() <= 1


def test_picture_hash_is_over_little_endian_samples():
    planes = tuple(np.arange(n * n, dtype=np.uint16).reshape(n, n) for n in (4, 2, 2))
    pictures = PictureHash()
    pictures.update(tuple(p.astype(">u2") for p in planes))
    raw = b"".join(int(v).to_bytes(2, "little") for p in planes for v in p.ravel())
    assert pictures.digest() == hashlib.blake2b(raw, digest_size=8).digest()
