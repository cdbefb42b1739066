"""Vectors of fitted codecs' payloads, for make_vectors.py: ``vectors/fitted/NAME.json``, with config and payload in hex
and the symbol hash that a decoder finds (FITTED.md, section 3), or the name of the error (section 8)."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.scales import Scales
from nvcodec.codecs.tensors import CodedTensors, Shapes, Stream, decode_tensors, streams_of, write_streams
from nvcodec.errors import NvcodecError

WIDTH, HEIGHT, FRAMES = 3, 4, 3
CONFIGS = {
    "nerv": "01 02 01 01 02 01 01 04 7d 03",  # (4, 6), (4), (2, 4), (2), (8, 2, 3, 3), (8), (6, 2, 1, 1), (6)
    "hnerv": "01 02 01 01 02 02 64 02 01 01",  # (2, 2, 1, 1), (2), (8, 2, 1, 1), (8), (6, 2, 3, 3), (6); (2, 3, 1, 1)
    "nirvana": "01 02 01 01 01 02 03 02 96 01 02 01 02",
    "hnerv-boost": "01 02 01 01 02 02 64 02 01 01 7d 02 00 02",
    "nerv-boost": "01 02 01 01 02 01 01 03 7d 02 01 02",
    "nervpp": "01 02 01 01 02 01 01 03 7d 02",
    "enerv": "01 02 01 01 04 01 01 03 7d 02 01 02 02 02 03 02 02",
    "enerv-boost": "01 02 01 01 02 01 01 03 7d 02 01 02 02 02 03 01 02",
}
Vectors = Iterator[tuple[str, str, bytes]]  # name, codec, payload


def shapes_of(codec: str) -> Shapes:
    found = get_codec(codec)
    config = found.unpack(bytes.fromhex(CONFIGS[codec]), (HEIGHT + 1) // 2, (WIDTH + 1) // 2)
    shapes: Shapes = found.shapes(config, FRAMES)
    return shapes


def streams(codec: str) -> list[Stream]:
    """Of symbols from -5 to 5 in no order."""

    def symbols(shape: Sequence[int], seed: int) -> np.ndarray:
        at = np.arange(prod(shape), dtype=np.int32)
        return np.asarray((7 * at * at + 3 * at + seed) % 11 - 5, np.int32).reshape(shape)

    shapes = shapes_of(codec)
    weights = [symbols(shape, number) for number, shape in enumerate(shapes.weights)]
    tensors = CodedTensors(weights, [176] * len(weights))
    if shapes.embedding:
        tensors.embedding, tensors.embedding_exponents = symbols(shapes.embedding, 4), (170, 180)
    return streams_of(tensors)


def line(count: int, seed: int, most: int = 3) -> np.ndarray:
    """Offsets from -most to most."""
    return np.array([(5 * i * i + 2 * i + seed) % (2 * most + 1) - most for i in range(count)], np.int64)


def written(codec: str, scales: dict[int, Scales]) -> bytes:
    """With ``scales`` for the tensors (and then channels) of these numbers."""
    given = streams(codec)
    return write_streams(given, [scales.get(number, Scales(stream.table)) for number, stream in enumerate(given)])[0]


def rows() -> bytes:
    return written("nerv", {0: Scales(340, 4, 1, ((0, line(4, 0)),)), 4: Scales(860, 2, 2, ((0, line(8, 1)),))})


def both() -> bytes:
    of_stage = Scales(346, 8, 0, ((0, line(8, 2, 1)), (1, line(2, 0, 1))))
    of_head = Scales(190, 2, 3, ((1, line(2, 1)),))
    return written("hnerv", {2: of_stage, 4: of_head, 7: Scales(505, 4, 1, ((0, line(3, 2)),))})


def good() -> Vectors:
    yield "plain", "hnerv", written("hnerv", {})
    yield "rows", "nerv", rows()
    yield "rows_columns_frames", "hnerv", both()
    for codec in CONFIGS:
        yield f"of_{codec.replace('-', '_')}", codec, written(codec, {})
    far = np.array([0, 100_000, -100_000, 1]), np.array([-100_000, 0, 2, 9, 0, 100_000])
    yield "clipped", "nerv", written("nerv", {0: Scales(484, 8, 3, ((0, far[0]), (1, far[1])))})


def refused() -> Vectors:
    plain, scaled = written("hnerv", {}), both()
    sides, stage, bias, channel = 3 * 6 + 4 * 2, 3 * 2 + 1, 3 * 3 + 1, 3 * 6 + 2  # where words are

    def word(payload: bytes, at: int, value: int) -> bytes:
        return payload[:at] + struct.pack("<H", value) + payload[at + 2 :]

    yield "index_960", "hnerv", word(plain, stage, 960)
    yield "unit_3", "hnerv", word(scaled, stage, 346 | 1 << 10 | 3 << 12)
    yield "unit_without_offsets", "hnerv", word(plain, stage, 346 | 1 << 12)
    yield "table_without_offsets", "hnerv", word(plain, stage, 346 | 1 << 14)
    yield "rows_of_a_bias", "hnerv", word(scaled, bias, 346 | 1 << 10)
    yield "columns_of_a_bias", "hnerv", word(scaled, bias, 346 | 1 << 11)
    yield "columns_of_a_channel", "hnerv", word(scaled, channel, 346 | 1 << 11)
    yield "prediction_9", "hnerv", plain[: channel - 1] + b"\x09" + plain[channel:]
    yield "side_information_cut", "hnerv", scaled[: sides - 1]
    yield "length_missing", "hnerv", scaled[:sides]
    yield "length_cut", "hnerv", scaled[:sides] + b"\x80"
    yield "length_0", "hnerv", scaled[:sides] + b"\0" + scaled[sides + 1 :]
    length = scaled[sides]
    rest = scaled[sides + 1 :]
    yield "length_overlong", "hnerv", scaled[:sides] + bytes([length | 128, 0]) + rest
    yield "length_of_five_bytes", "hnerv", scaled[:sides] + b"\x80\x80\x80\x80\x01" + rest
    yield "offsets_cut", "hnerv", scaled[: sides + length]
    yield "offsets_longer", "hnerv", scaled[:sides] + bytes([length + 1]) + rest
    yield "offsets_shorter", "hnerv", scaled[:sides] + bytes([length - 2]) + rest
    yield "symbols_missing", "hnerv", scaled[: sides + 1 + length]
    yield "symbols_cut", "hnerv", scaled[:-2]
    yield "offsets_not_there", "hnerv", word(plain, stage, 346 | 1 << 10)


def fitted_files() -> dict[str, bytes]:
    """Every vector by its path under ``vectors``."""
    out = {}
    for name, codec, payload in [*good(), *refused()]:
        vector: dict[str, object] = {"codec": codec, "width": WIDTH, "height": HEIGHT, "frames": FRAMES}
        vector |= {"config": bytes.fromhex(CONFIGS[codec]).hex(), "payload": payload.hex()}
        try:
            vector["symbol_hash"] = decode_tensors(payload, shapes_of(codec)).hash().hex()
        except NvcodecError as error:
            vector["error"] = type(error).__name__
        out[f"fitted/{name}.json"] = (json.dumps(vector) + "\n").encode()
    return out
