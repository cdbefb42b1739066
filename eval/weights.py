"""What other models of a fitted network's symbols would save, in percent of real files.

    python -m eval.weights a.nvc b.nvc --out out/weights.jsonl

Files of the fitted codecs are read and their integers coded again with one table a tensor, which has to give the same
bytes where a file has no scales; then otherwise. A line of JSON a file: `symbols` is what they take with one table, the
rest what that changes, in percent of such a file: below 0 is a saving. What ends in `bytes` is coded for real, side
information and all; the rest are ideal lengths with their side information. Where it is a choice, a tensor takes it
only if it pays. Scales are those of bitstream/FITTED.md, section 3.
"""

from __future__ import annotations

import argparse
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from operator import attrgetter
from pathlib import Path

import numpy as np

from nvcodec.codecs.fitted import FittedCodec
from nvcodec.codecs.registry import codec_name, get_codec
from nvcodec.codecs.scale_search import ScaleSearch
from nvcodec.codecs.scales import Ints, Scales, read_scales, symbol_tables, write_offsets
from nvcodec.container import Reader
from nvcodec.entropy.cost import table_costs
from nvcodec.entropy.histogram import fit_table
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GGD, SHAPES
from nvcodec.errors import FormatError

LAPLACE = SHAPES.index(1)


@dataclass(frozen=True)
class Stream:
    """Symbols of one table: ``kind`` weight, bias or channel, which is (T, h, w), what is left of prediction."""

    kind: str
    symbols: Ints
    table: int


@dataclass(frozen=True)
class Unit:
    """Of one group."""

    streams: list[Stream]
    side: int  # bytes
    segment: bytes  # with one table a tensor
    saved: int  # below 0: bytes that the scales of the file save


def read_units(path: Path) -> Iterator[Unit]:
    """Raises FormatError for another codec's file."""
    with path.open("rb") as file:
        reader = Reader(file)
        fmt = reader.header.format
        codec = get_codec(codec_name(reader.header.codec_id))
        if not isinstance(codec, FittedCodec):
            raise FormatError(f"{path}: not of a fitted codec")
        for number, entry in enumerate(reader.groups):
            group = reader.read_group(number)
            config = codec.unpack(group.config, fmt.chroma_height, fmt.chroma_width)
            shapes = codec.shapes(config, entry.frame_count)
            yield _unit(group.units[0].payload, shapes.weights, shapes.embedding, entry.depends_on is not None)


def _unit(
    payload: bytes, weights: Sequence[tuple[int, ...]], embedding: tuple[int, int, int, int] | None, leans: bool
) -> Unit:
    channels = [embedding[1:]] * embedding[0] if embedding else []
    sides = ["<BBH" if leans else "<BH"] * len(weights) + ["<BBH"] * len(channels)
    ends = np.cumsum([0, *map(struct.calcsize, sides)]).tolist()
    words = [struct.unpack(side, payload[a:b])[-1] for side, (a, b) in zip(sides, pairwise(ends), strict=True)]
    shapes = [*weights, *channels]
    scales, at = read_scales(payload, ends[-1], words, shapes)
    symbols = decode_segment(payload[at:], symbol_tables(scales, shapes), GGD)
    kinds = ["bias" if len(shape) == 1 else "weight" for shape in weights] + ["channel"] * len(channels)
    parts = np.split(symbols.astype(np.int64), np.cumsum([prod(shape) for shape in shapes])[:-1])
    tables = [int(table_costs(part, GGD).argmin()) for part in parts]
    streams = [Stream(k, p.reshape(s), t) for k, p, s, t in zip(kinds, parts, shapes, tables, strict=True)]
    segment = scaled_segment(streams, [Scales(table) for table in tables])
    if at == ends[-1] and segment != payload[at:]:
        raise FormatError("the segment is not that of this coder")
    return Unit(streams, ends[-1], segment, len(payload) - ends[-1] - len(segment))


def scaled_segment(streams: Sequence[Stream], scales: Sequence[Scales]) -> bytes:
    """Of all symbols under the tables of these."""
    symbols = np.concatenate([stream.symbols.reshape(-1) for stream in streams]).astype(np.int32)
    return encode_segment(symbols, symbol_tables(scales, [stream.symbols.shape for stream in streams]), GGD)


def scaled_bytes(streams: Sequence[Stream], scales: Sequence[Scales]) -> int:
    return len(write_offsets(scales)) + len(scaled_segment(streams, scales))


def _entropy(symbols: Ints) -> float:
    counts = np.unique(symbols, return_counts=True)[1]
    return float((counts * np.log2(len(symbols) / counts)).sum())


def unit_bits(unit: Unit) -> dict[str, float]:
    """Bits that each model adds to a unit; `symbols` is what there is."""
    out = dict.fromkeys(("laplace", "entropy", "histogram", "zero_rows"), 0.0)
    chosen: dict[str, list[Scales]] = {name: [] for name in ("rows", "columns", "weights", "channels", "all")}
    for stream in unit.streams:
        search, flat = ScaleSearch(stream.symbols, stream.table), stream.symbols.reshape(-1)
        now = search.plain.bits
        out["laplace"] += table_costs(flat, GGD).reshape(len(SHAPES), -1)[LAPLACE].min() - now
        out["entropy"] += _entropy(flat) - now
        _, table, bits = fit_table(flat)
        out["histogram"] += min(0.0, 8 * len(table) + bits - now)
        used = stream.symbols[stream.symbols.reshape(len(stream.symbols), -1).any(1)]
        out["zero_rows"] += min(0.0, table_costs(used.reshape(-1), GGD).min() + len(stream.symbols) - now)
        plain, is_weight = search.plain, stream.kind == "weight"
        lines = [search.single(axis) for axis in (0, 1)] if stream.symbols.ndim > 1 else [plain, plain]
        full = search.best() if is_weight else min(plain, lines[0], key=attrgetter("bits"))
        for name, line in zip(("rows", "columns"), lines, strict=True):
            chosen[name].append(min(plain, line, key=attrgetter("bits")) if is_weight else plain)
        chosen["weights"].append(full if is_weight else plain)
        chosen["channels"].append(full if stream.kind == "channel" else plain)
        chosen["all"].append(full)
    for name, scales in chosen.items():
        out[f"scales_{name}_bytes"] = 8.0 * (scaled_bytes(unit.streams, scales) - len(unit.segment))
    return {"symbols": 8.0 * len(unit.segment), "side": 8.0 * unit.side, **out}


def measure(path: Path) -> dict[str, object]:
    read = list(read_units(path))
    units, size = [unit_bits(unit) for unit in read], path.stat().st_size - sum(unit.saved for unit in read)
    percent = {name: round(100 * sum(unit[name] for unit in units) / 8 / size, 3) for name in units[0]}
    return {"file": path.stem, "bytes": size, "groups": len(units), "percent": percent}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m eval.weights", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, help="append the lines here, too")
    given = parser.parse_args(arguments)
    for path in given.files:
        line = json.dumps(measure(path))
        print(line, flush=True)
        if given.out is not None:
            with given.out.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
