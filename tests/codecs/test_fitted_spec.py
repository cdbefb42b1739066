"""bitstream/FITTED.md is the code: its table of fields, its steps, its example; and its text, followed to the letter in
numpy alone, shows the pictures that the decoder shows."""

import hashlib
import math
import re
from pathlib import Path

import numpy as np
import pytest

from nvcodec.codecs.fields import FieldReader
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.tensors import CodedTensors, decode_tensors, encode_tensors, step_size
from nvcodec.container import Unit
from nvcodec.format import VideoFormat
from nvcodec.models.hnerv import HNeRVConfig
from nvcodec.models.nerv import NeRVConfig

TEXT = (Path(__file__).resolve().parents[2] / "bitstream" / "FITTED.md").read_text(encoding="utf-8")
erf = np.vectorize(math.erf)


def example(name: str) -> list[str]:
    found = re.search(rf"<!-- example {name} -->\n((?:    .+\n)+)", TEXT)
    assert found is not None
    return [line.strip() for line in found.group(1).splitlines()]


def field_table() -> list[tuple[str, dict[str, tuple[int, int]]]]:
    rows = re.search(r"<!-- fields: begin -->\n(.*?)<!-- fields: end -->", TEXT, re.DOTALL)
    assert rows is not None
    out = []
    for line in rows.group(1).splitlines()[2:]:
        field, *ranges = [cell.strip() for cell in line.split("|")[1:4]]
        pairs = zip(("nerv", "hnerv"), ranges, strict=True)
        out.append((field, {codec: tuple(map(int, text.split("-"))) for codec, text in pairs if text}))
    return out


@pytest.mark.parametrize("name", ["nerv", "hnerv"])
def test_fields_have_the_order_and_ranges_of_the_text(name, monkeypatch):
    asked = []
    original = FieldReader.get

    def spy(self: FieldReader, field: str, low: int, high: int) -> int:
        asked.append((field, (low, high)))
        return original(self, field, low, high)

    monkeypatch.setattr(FieldReader, "get", spy)
    codec = get_codec(name)
    config = NeRVConfig((2, 2), 3, (2,), out_channels=6) if name == "nerv" else HNeRVConfig((2, 2), strides=(2,))
    codec.unpack(codec.pack(config), 4, 4)
    written = [(field, ranges[name]) for field, ranges in field_table() if name in ranges]
    kernels = [(field if "kernel" not in field else "kernel", bounds) for field, bounds in written]
    assert asked == kernels


def test_steps_of_the_text():
    lines = re.findall(r"    (?:M = |    )((?:\d{7,8} ?){8})", TEXT)
    mantissas = [int(word) for line in lines for word in line.split()]
    assert len(mantissas) == 16
    for exponent in range(256):
        assert float(step_size(exponent)) == mantissas[exponent % 16] * 2.0 ** (exponent // 16 - 36)


def test_the_rounding_of_widths_that_the_text_names():
    assert HNeRVConfig(width=42, reduction=1.12, min_width=1, strides=(2,)).widths() == [37]


def test_the_example():
    codec, fmt = get_codec("hnerv"), VideoFormat(3, 4)
    config, payload = (bytes.fromhex(example(part)[0]) for part in ("config", "payload"))
    cost = codec.cost(config, fmt, 2)
    macs, _ = codec.network_cost(codec.unpack(config, 2, 2))
    numbers = re.search(r"There are (\d+) parameters, (\d+) .*?\((\d+) a pixel\) and (\d+) activation", TEXT, re.DOTALL)
    assert numbers is not None
    assert [int(n) for n in numbers.groups()] == [cost.parameters, macs, cost.macs_per_pixel, cost.activation_bytes]
    decoder = codec.open_group(config, [Unit(0, 2, (), payload)], fmt, 2)
    assert decoder.symbol_hash == bytes.fromhex(example("hash")[0])
    for line, plane in zip(example("frame 0"), decoder.planes(0), strict=True):
        wanted = [[int(word) for word in row.split()] for row in line.partition("=")[2].split("/")]
        assert np.abs(plane.astype(int) - wanted).max() <= 1


# the text, followed in float64


def convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    k = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    out = np.zeros((len(weight), *x.shape[1:])) + bias[:, None, None]
    for i in range(k):
        for j in range(k):
            out += np.einsum("oc,cyx->oyx", weight[:, :, i, j], padded[:, i : i + x.shape[1], j : j + x.shape[2]])
    return out


def shuffle(x: np.ndarray, s: int) -> np.ndarray:
    out = np.empty((len(x) // (s * s), s * x.shape[1], s * x.shape[2]))
    for i in range(s):
        for j in range(s):
            out[:, i::s, j::s] = x[s * i + j :: s * s]
    return out


def gelu(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + erf(x / math.sqrt(2)))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def picture_by_the_text(name, strides, grid, base, levels, tensors: CodedTensors, t, frames, fmt: VideoFormat):
    values = [v.astype(np.float64) for v in tensors.weight_values()]
    if name == "hnerv":
        embedding = np.stack([
            tensors.embedding[c, t] * float(step_size(e)) for c, e in enumerate(tensors.embedding_exponents)
        ])  # fmt: skip
        x, activation = gelu(convolution(embedding, values[0], values[1])), gelu
        values = values[2:]
    else:
        tau = float(np.float32(t / frames))
        angles = [math.pi * tau * base**level for level in range(levels)]
        code = np.array([f(a) for a in angles for f in (math.sin, math.cos)])
        hidden = silu(values[0] @ code + values[1])
        x, activation = silu(values[2] @ hidden + values[3]).reshape(-1, *grid), silu
        values = values[4:]
    for i, s in enumerate(strides):
        x = activation(shuffle(convolution(x, values[2 * i], values[2 * i + 1]), s))
    v = np.tanh(convolution(x, values[-2], values[-1])) / 2 + 0.5
    samples = np.rint(v * (2**fmt.bit_depth - 1))[:, : (fmt.height + 1) // 2, : (fmt.width + 1) // 2]
    luma = np.empty((2 * samples.shape[1], 2 * samples.shape[2]))
    for i in (0, 1):
        for j in (0, 1):
            luma[i::2, j::2] = samples[2 * i + j]
    return luma[: fmt.height, : fmt.width], samples[4], samples[5]


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("hnerv", HNeRVConfig((2, 3), 4, 7, (3, 1, 2), 1.5, 2, 1, 5, 6)),
        ("nerv", NeRVConfig((2, 3), 4, (2, 1, 3), 2, 2, 9, 1.25, 11, 6)),
    ],
)
def test_the_text_shows_the_same_pictures(name, config, bit_depth):
    codec, fmt, frames = get_codec(name), VideoFormat(35, 23, bit_depth), 3
    random = np.random.default_rng(3)
    shapes = codec.shapes(config, frames)
    weights = [np.rint(random.normal(0, 40, shape)).astype(np.int32) for shape in shapes.weights]
    exponents = [208 - 16 * 5 - 8 * (len(shape) - 1) for shape in shapes.weights]
    embedding, channels = None, ()
    if shapes.embedding:
        embedding = np.rint(random.normal(0, 20, shapes.embedding)).astype(np.int32)
        channels = tuple(range(130, 130 + shapes.embedding[0]))
    payload, _ = encode_tensors(CodedTensors(weights, exponents, embedding, channels))
    decoder = codec.open_group(codec.pack(config), [Unit(0, frames, (), payload)], fmt, frames)
    tensors = decode_tensors(payload, shapes)
    base, levels = (config.pe_base, config.pe_levels) if name == "nerv" else (0, 0)
    for t in range(frames):
        wanted = picture_by_the_text(name, config.strides, config.grid, base, levels, tensors, t, frames, fmt)
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
