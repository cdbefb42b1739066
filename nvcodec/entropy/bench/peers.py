"""Rows of other coders, where they are installed: CompressAI's rANS, constriction's ANS, torchac. From arrays to bytes.

Each is given what its interface takes (lists, arrays, tensors of whole distributions) and is timed from there.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

import numpy as np
import torch

from nvcodec.entropy.bench.cases import Case
from nvcodec.entropy.bench.clock import Clock
from nvcodec.entropy.bench.row import Row
from nvcodec.entropy.tables import GAUSSIAN

PEER_SYMBOLS = 1_000_000  # they take long
TORCHAC_SYMBOLS = 20_000  # a whole distribution a symbol
SPAN = 4096  # constriction's models reach so far to each side
Coders = tuple[Callable[[], Any], Callable[[], Any], int]  # encode, decode, bytes


def _module(name: str) -> ModuleType | None:
    """A peer's module, or None."""
    try:
        return _compiled_compressai() if name == "compressai.ans" else importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):
        return None


def _compiled_compressai() -> ModuleType | None:
    """CompressAI's compiled coder without its package, which needs torchvision; nothing of it stays imported."""
    package = PathFinder.find_spec("compressai")
    if package is None or package.submodule_search_locations is None:
        return None
    spec = PathFinder.find_spec("compressai.ans", list(package.submodule_search_locations))
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compressai(ans: Any, case: Case) -> Coders:
    """Our tables in 16 bits; what lies beyond an alphabet goes by its own bypass code."""
    rows = [np.concatenate([[0], 4 * np.cumsum(GAUSSIAN.tables.frequencies(i))]).tolist() for i in range(GAUSSIAN.size)]
    raw = GAUSSIAN.tables.raw_bits[case.indices].astype(np.int16)
    high = case.values >> raw  # low bits are left out here and counted below
    arguments = (case.indices.astype(int).tolist(), rows, [len(row) for row in rows], [0] * len(rows))
    symbols = ((high << 1) ^ (high >> 15)).tolist()
    encoder, decoder = ans.RansEncoder(), ans.RansDecoder()
    data = encoder.encode_with_indexes(symbols, *arguments)
    if decoder.decode_with_indexes(data, *arguments) != symbols:
        raise RuntimeError("CompressAI's coder did not give back the symbols")
    return (
        lambda: encoder.encode_with_indexes(symbols, *arguments),
        lambda: decoder.decode_with_indexes(data, *arguments),
        len(data) + int(raw.sum()) // 8,
    )


def _constriction(constriction: Any, case: Case) -> Coders:
    """Quantised Gaussians by floats, one scale a symbol; where all have one scale, its one table."""
    models, coders = constriction.stream.model, constriction.stream.stack
    values = case.values.astype(np.int32)
    wanted: tuple[Any, ...] = np.zeros(len(values)), case.sigma
    if (case.sigma == case.sigma[0]).all():
        reach = int(np.abs(values).max())
        edges = torch.arange(-reach, reach + 2, dtype=torch.float64) - 0.5
        chances = torch.special.ndtr(edges / case.sigma[0]).diff().numpy()
        model, values, wanted = models.Categorical(chances, perfect=False), values + reach, ()
    else:
        model = models.QuantizedGaussian(-SPAN, SPAN)

    def encode() -> Any:
        coder = coders.AnsCoder()
        coder.encode_reverse(values, model, *wanted)
        return coder.get_compressed()

    def decode() -> Any:
        return coders.AnsCoder(words).decode(model, *(wanted or [len(values)]))

    words = encode()
    if (decode() != values).any():
        raise RuntimeError("constriction did not give back the symbols")
    return encode, decode, 4 * len(words)


def _torchac(torchac: Any, case: Case) -> Coders:
    """The whole cumulative distribution of every symbol, as its interface wants it."""
    reach = int(np.abs(case.values).max()) + 1
    edges = torch.arange(-reach, reach + 2, dtype=torch.float64) - 0.5
    rows = torch.special.ndtr(edges[None] / torch.from_numpy(case.sigma)[:, None])
    rows[:, 0], rows[:, -1] = 0, 1
    rows, symbols = rows.float(), torch.from_numpy(case.values + reach)
    data = torchac.encode_float_cdf(rows, symbols, check_input_bounds=False)
    return (
        lambda: torchac.encode_float_cdf(rows, symbols, check_input_bounds=False),
        lambda: torchac.decode_float_cdf(rows, data),
        len(data),
    )


PEERS: dict[str, tuple[str, Callable[[Any, Case], Coders], int]] = {
    "compressai": ("compressai.ans", _compressai, PEER_SYMBOLS),
    "constriction": ("constriction", _constriction, PEER_SYMBOLS),
    "torchac": ("torchac", _torchac, TORCHAC_SYMBOLS),
}


def peer_rows(case: Case, clock: Clock) -> Iterator[Row]:
    """Both directions of every peer that is installed."""
    for name, (module_name, make, count) in PEERS.items():
        module = _module(module_name)
        if module is None:
            continue
        part = case.first(count)
        encode, decode, size = make(module, part)
        over = 8 * size / part.ideal_bits() - 1
        for op, work in (("encode", encode), ("decode", decode)):
            seconds, clean = clock.seconds(work)
            yield Row(name, case.name, op, "end_to_end", "-", 1, len(part.values) / seconds / 1e6, over, clean)
