"""What other models of a fitted network's symbols would save, in percent of real files.

    python -m eval.weights a.nvc b.nvc --out out/weights.jsonl

Files of nerv, hnerv and nirvana are read and their segments coded again, which has to give the same bytes; then the
same integers are coded otherwise. A line of JSON a file: `symbols` is what all of them take now, the rest what that
changes, in percent of the whole file: below 0 is a saving. What ends in `bytes` is coded for real, side information and
all; the rest are ideal lengths with their side information. Where it is a choice, a tensor takes it only if it pays.

Scales: a symbol's table is its tensor's, wider or narrower by an offset of its row (first index: output channel, or
frame of an embedding's channel) and one of its column (second index). Offsets are a segment of their own before it.
"""

from __future__ import annotations

import argparse
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from math import prod
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nvcodec.codecs.fitted import FittedCodec
from nvcodec.codecs.registry import codec_name, get_codec
from nvcodec.container import Reader
from nvcodec.entropy.cost import table_costs
from nvcodec.entropy.histogram import fit_table
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GGD, GGD_SCALES, SHAPES, ggd_index
from nvcodec.errors import FormatError

Ints = NDArray[np.int64]
REACH = 7  # offsets are -REACH ... REACH
OFFSETS = np.arange(-REACH, REACH + 1)
UNITS = (2, 4, 8)  # eighths of an octave that an offset of 1 stands for
OFFSET_TABLES = tuple(ggd_index(1.0, sigma) for sigma in (0.5, 1.0, 1.7, 3.0))
BASES = range(-6, 7)  # scales tried around a tensor's best one
ROUNDS = 3  # of choosing rows with columns fixed, and the other way about
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
    segment: bytes


@dataclass(frozen=True)
class Scales:
    """How one tensor is coded: ``offsets`` by axis, empty where one table does."""

    bits: float  # of symbols and offsets
    base: int  # table index
    unit: int = UNITS[0]
    offset_table: int = 0  # of OFFSET_TABLES
    offsets: tuple[tuple[int, Ints], ...] = ()

    def tables(self, shape: tuple[int, ...]) -> Ints:
        """Table index of every symbol, of ``shape``."""
        row, scale = divmod(self.base, GGD_SCALES)
        scales = np.full(shape, scale)
        for axis, values in self.offsets:
            scales += self.unit * values.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        return row * GGD_SCALES + np.clip(scales, 0, GGD_SCALES - 1)


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
    tables = [struct.unpack(side, payload[a:b])[-1] for side, (a, b) in zip(sides, pairwise(ends), strict=True)]
    shapes = [*weights, *channels]
    lengths = [prod(shape) for shape in shapes]
    indices = np.repeat(np.array(tables, np.uint16), lengths)
    symbols = decode_segment(payload[ends[-1] :], indices, GGD)
    if encode_segment(symbols, indices, GGD) != payload[ends[-1] :]:
        raise FormatError("the segment is not that of this coder")
    kinds = ["bias" if len(shape) == 1 else "weight" for shape in weights] + ["channel"] * len(channels)
    parts = np.split(symbols.astype(np.int64), np.cumsum(lengths)[:-1])
    streams = [Stream(k, p.reshape(s), t) for k, p, s, t in zip(kinds, parts, shapes, tables, strict=True)]
    return Unit(streams, ends[-1], payload[ends[-1] :])


@cache
def value_costs(value: int) -> NDArray[np.float64]:
    """Bits of one symbol under each table, (960,)."""
    return table_costs(np.array([value]), GGD)


@cache
def offset_costs(table: int) -> NDArray[np.float64]:
    """(2 REACH + 1,) bits."""
    return np.array([value_costs(int(offset))[OFFSET_TABLES[table]] for offset in OFFSETS])


class ScaleSearch:
    """Scales of one tensor."""

    def __init__(self, symbols: Ints) -> None:
        self.shape = symbols.shape
        values, self.which = np.unique(symbols, return_inverse=True)
        self.which = self.which.reshape(symbols.shape)
        self.costs = np.stack([value_costs(int(value)) for value in values])  # (values, 960)
        totals = np.bincount(self.which.reshape(-1)) @ self.costs
        self.plain = Scales(float(totals.min()), int(totals.argmin()))
        self.bests = [int(t.argmin()) + s * GGD_SCALES for s, t in enumerate(totals.reshape(len(SHAPES), GGD_SCALES))]

    def best(self) -> Scales:
        """The shortest of one table, rows, columns, and rows and columns."""
        lines = [self.single(axis) for axis in (0, 1)]
        return min([self.plain, *lines, *map(self.pair, lines)], key=attrgetter("bits"))

    def single(self, axis: int) -> Scales:
        """Offsets along one axis, shorter than one table or not."""
        lines = np.moveaxis(self.which, axis, 0).reshape(self.shape[axis], -1)
        counts = np.stack([np.bincount(line, minlength=len(self.costs)) for line in lines])
        by_table, found = counts @ self.costs, []
        for best, shift, unit, number in product(self.bests, BASES, UNITS, range(len(OFFSET_TABLES))):
            shape, scale = divmod(best, GGD_SCALES)
            if 0 <= scale + shift < GGD_SCALES:
                scales = np.clip(scale + shift + unit * OFFSETS, 0, GGD_SCALES - 1)
                bits = by_table[:, shape * GGD_SCALES + scales] + offset_costs(number)
                offsets = ((axis, OFFSETS[bits.argmin(1)]),)
                found.append(Scales(float(bits.min(1).sum()), best + shift, unit, number, offsets))
        return min(found, key=attrgetter("bits"))

    def pair(self, start: Scales) -> Scales:
        """Offsets along both axes, by turns, from those of one."""
        shape = start.base // GGD_SCALES
        costs = self.costs[:, shape * GGD_SCALES : (shape + 1) * GGD_SCALES]
        best, first = start, start.offsets[0][0]
        for number in range(len(OFFSET_TABLES)):
            offsets = dict(start.offsets)
            for axis in (1 - first, first) * ROUNDS:
                rest = tuple(item for item in offsets.items() if item[0] != axis)
                fixed = Scales(0, start.base, start.unit, number, rest).tables(self.shape) - shape * GGD_SCALES
                others = tuple(i for i in range(len(self.shape)) if i != axis)
                scales = (np.clip(fixed + start.unit * o, 0, GGD_SCALES - 1) for o in OFFSETS)
                bits = np.stack([costs[self.which, s].sum(others) for s in scales], 1) + offset_costs(number)
                offsets[axis] = OFFSETS[bits.argmin(1)]
            other = sum(float(offset_costs(number)[v + REACH].sum()) for a, v in offsets.items() if a != axis)
            total = float(bits.min(1).sum()) + other
            if total < best.bits:
                best = Scales(total, start.base, start.unit, number, tuple(sorted(offsets.items())))
        return best


def scaled_bytes(streams: Sequence[Stream], scales: Sequence[Scales]) -> tuple[bytes, bytes]:
    """(segment of offsets, if any, after its length; segment of symbols)."""
    offsets = [(values, OFFSET_TABLES[s.offset_table]) for s in scales for _, values in s.offsets]
    front = b""
    if offsets:
        tables = np.repeat(np.array([t for _, t in offsets], np.uint16), [len(v) for v, _ in offsets])
        front = encode_segment(np.concatenate([v for v, _ in offsets]).astype(np.int32), tables, GGD, lanes_log2=0)
        front = len(front).to_bytes(1 if len(front) < 128 else 2, "little") + front  # as long as a uv
    symbols = np.concatenate([s.symbols.reshape(-1) for s in streams]).astype(np.int32)
    tables = np.concatenate([c.tables(s.symbols.shape).reshape(-1) for s, c in zip(streams, scales, strict=True)])
    return front, encode_segment(symbols, tables.astype(np.uint16), GGD)


def _entropy(symbols: Ints) -> float:
    counts = np.unique(symbols, return_counts=True)[1]
    return float((counts * np.log2(len(symbols) / counts)).sum())


def unit_bits(unit: Unit) -> dict[str, float]:
    """Bits that each model adds to a unit; `symbols` is what there is."""
    out = dict.fromkeys(("laplace", "entropy", "histogram", "zero_rows"), 0.0)
    chosen: dict[str, list[Scales]] = {name: [] for name in ("rows", "columns", "weights", "channels", "all")}
    for stream in unit.streams:
        search, flat = ScaleSearch(stream.symbols), stream.symbols.reshape(-1)
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
        out[f"scales_{name}_bytes"] = 8.0 * (sum(map(len, scaled_bytes(unit.streams, scales))) - len(unit.segment))
    return {"symbols": 8.0 * len(unit.segment), "side": 8.0 * unit.side, **out}


def measure(path: Path) -> dict[str, object]:
    units, size = [unit_bits(unit) for unit in read_units(path)], path.stat().st_size
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
