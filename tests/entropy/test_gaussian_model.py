"""CompressAI's Gaussian conditional as an independent entropy model: its likelihoods and its coder, our tables."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from nvcodec.entropy.cost import code_length
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GAUSSIAN
from tests.oracles.compressai_adapter import load_compressai

SIGMAS = [GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)]
EACH = 3000


@pytest.fixture(scope="module")
def model():
    module: ModuleType | None = load_compressai("entropy_models")
    if module is None:
        pytest.skip("compressai is not installed")
    found = module.GaussianConditional(None)
    assert found.update_scale_table(SIGMAS)
    return found.eval()


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    """(64, EACH) int32: a row a sigma, tails and all."""
    rng = np.random.default_rng(8)
    return np.rint(rng.normal(0, 1, (len(SIGMAS), EACH)) * np.array(SIGMAS)[:, None]).astype(np.int32)


def indices(rows: int = GAUSSIAN.size) -> np.ndarray:
    return np.repeat(np.arange(rows, dtype=np.uint16), EACH)


def likelihood_bits(model, latents: np.ndarray) -> np.ndarray:
    """Bits of each row by the model's own likelihoods, which know the scales and none of our tables."""
    values = torch.from_numpy(latents).float()[None]
    scales = torch.tensor(SIGMAS).view(1, -1, 1).expand_as(values)
    with torch.no_grad():
        shown, likelihood = model(values, scales)
    assert torch.equal(shown, values)
    return -likelihood[0].double().log2().sum(1).numpy()


def test_code_lengths_follow_the_likelihoods(model, latents):
    theirs = likelihood_bits(model, latents)
    row = np.zeros(EACH, np.uint16)
    ours = np.array([code_length(values, row + i, GAUSSIAN) for i, values in enumerate(latents)])
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.005)
    # frequencies are 14 bits: nearly certain symbols cost up to a few thousandths of a bit more
    np.testing.assert_allclose(ours, theirs, rtol=0.01, atol=0.003 * EACH)


def test_both_choose_the_same_table_for_a_scale(model):
    scales = torch.tensor(SIGMAS) * 0.999
    assert model.build_indexes(scales).tolist() == list(range(GAUSSIAN.size))


def test_coded_sizes_agree(model, latents):
    """Both models with both coders, from end to end; theirs from its own cumulative tables."""
    chosen = torch.from_numpy(indices().astype(np.int32)).view(1, 1, -1)
    values = latents.reshape(-1)
    theirs = model.compress(torch.from_numpy(values).float().view(1, 1, -1), chosen)
    assert np.array_equal(model.decompress(theirs, chosen).numpy().reshape(-1), values)
    ours = encode_segment(values, indices(), GAUSSIAN)
    assert np.array_equal(decode_segment(ours, indices(), GAUSSIAN), values)
    assert len(ours) == pytest.approx(len(theirs[0]), rel=0.01)
