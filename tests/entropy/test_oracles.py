"""Independent coders on the same symbols: CompressAI's rANS on our tables, constriction on the true densities."""

from __future__ import annotations

import numpy as np
import pytest

from nvcodec.entropy.segment import encode_segment
from nvcodec.entropy.tables import GAUSSIAN
from tests.oracles.compressai_adapter import load_compressai

COUNT = 20_000


@pytest.fixture(scope="module")
def latents() -> tuple[np.ndarray, np.ndarray]:
    """Gaussian values with a scale each, up to sigma 5 (no raw bits), none beyond its table's alphabet."""
    rng = np.random.default_rng(11)
    narrow = int(np.flatnonzero(GAUSSIAN.tables.raw_bits == 0)[-1])
    indices = rng.integers(8, narrow - 6, COUNT).astype(np.uint16)
    sigma = np.array([GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)])[indices]
    values = np.rint(rng.normal(0, 1, COUNT) * sigma).astype(np.int32)
    order = (values << 1) ^ (values >> 31)
    values[order >= GAUSSIAN.tables.escapes[indices]] = 0
    return values, indices


def test_against_compressai(latents: tuple[np.ndarray, np.ndarray]) -> None:
    ans = load_compressai("ans")
    if ans is None:
        pytest.skip("compressai is not installed")
    values, indices = latents
    # Its tables have 16 bits where ours have 14, and its last symbol is the escape too.
    rows = [np.concatenate([[0], 4 * np.cumsum(GAUSSIAN.tables.frequencies(i))]).tolist() for i in range(GAUSSIAN.size)]
    arguments = (indices.astype(int).tolist(), rows, [len(row) for row in rows], [0] * len(rows))
    symbols = ((values << 1) ^ (values >> 31)).tolist()
    theirs = ans.RansEncoder().encode_with_indexes(symbols, *arguments)
    assert ans.RansDecoder().decode_with_indexes(theirs, *arguments) == symbols
    ours = encode_segment(values, indices, GAUSSIAN, lanes_log2=0, chunk_symbols=0)
    assert abs(len(ours) - len(theirs)) <= 8 + 0.0003 * len(theirs)


def test_against_constriction(latents: tuple[np.ndarray, np.ndarray]) -> None:
    constriction = pytest.importorskip("constriction")
    values, indices = latents
    sigma = np.array([GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)])[indices]
    model = constriction.stream.model.QuantizedGaussian(-4096, 4096)
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(values, model, np.zeros(COUNT), sigma)
    theirs = 4 * len(coder.get_compressed())
    assert np.array_equal(coder.decode(model, np.zeros(COUNT), sigma), values)
    ours = len(encode_segment(values, indices, GAUSSIAN, lanes_log2=0, chunk_symbols=0))
    assert abs(ours - theirs) <= 8 + 0.002 * theirs


def test_against_torchac() -> None:
    torchac = pytest.importorskip("torchac")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    row = np.cumsum(GAUSSIAN.tables.frequencies(30)) / 2**14
    values = np.rint(rng.normal(0, GAUSSIAN.sigma(30), 4000)).astype(np.int32)
    symbols = np.minimum((values << 1) ^ (values >> 31), len(row) - 2)
    cdf = torch.tensor(np.concatenate([[0.0], row]), dtype=torch.float32).repeat(len(symbols), 1)
    theirs = torchac.encode_float_cdf(cdf, torch.tensor(symbols, dtype=torch.int16))
    restored = ((symbols >> 1) ^ -(symbols & 1)).astype(np.int32)
    ours = encode_segment(restored, np.full(len(symbols), 30, np.uint16), GAUSSIAN, lanes_log2=0, chunk_symbols=0)
    assert abs(len(ours) - len(theirs)) <= 8 + 0.01 * len(theirs)
