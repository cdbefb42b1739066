"""The exact prior: the same integers as a slow twin, as training, at any thread count and batch, for any input."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.errors import FormatError
from nvcodec.models.dct import picture_dct
from nvcodec.models.exact_prior import ExactPrior, decoded, merge, split, symbols
from nvcodec.models.latents import LATENT_LIMIT
from nvcodec.models.prior import Prior
from nvcodec.models.prior_network import MEDIUM_PRIOR, SMALL_PRIOR, PriorConfig, hyper_size, macs_per_pixel
from tests.oracles.prior_twin import Twin, from_board, random_arrays, to_board

TINY = PriorConfig(
    latents=4, hyper=3, hyper_width=4, width=8, temporal_blocks=1, temporal_kernel=5, blocks=1, flat_channels=(0,)
)
GOLDEN = "00b3d84ee05511acbbc058f77da678107ee6d0879880dba568ef2fdefd726662"
GOLDEN_SMALL = "3ec23d8496ddd9043ed6ebb45b9d59bcdb07272ecabafbf0482b98fbffe5714b"
SIGMAS = [0.11 * (64 / 0.11) ** (i / 63) for i in range(64)]


def random_latents(seed: int, size: tuple[int, int], spread: float, config: PriorConfig = TINY, n: int = 1):
    """z and three frames of latents, the last being what is coded; int32."""
    rng = np.random.default_rng(seed)  # integers only: the same in any release

    def peaked(limit: int, shape: tuple[int, ...]) -> np.ndarray:
        return rng.integers(-limit, limit + 1, shape) * rng.integers(0, 17, shape) ** 2 >> 7

    z = peaked(1 + int(spread / 30), (n, config.hyper, *hyper_size(size)))
    frames = peaked(int(spread), (3, n, 4 * config.latents, *size))
    return torch.from_numpy(z.astype(np.int32)), [torch.from_numpy(f.astype(np.int32)) for f in frames]


def run(prior: ExactPrior, z, previous, frame, quality: int) -> list[np.ndarray]:
    """means, indices, means, indices of coding `frame`'s nearest symbols."""
    size = (frame.shape[2], frame.shape[3])
    state = prior.begin(z, previous, quality, size)
    means, indices = state.first()
    first, _ = split(frame)
    means2, indices2 = state.second(decoded(symbols(first / 16, means.cpu()), means.cpu()))
    return [x.cpu().contiguous().numpy() for x in (means, indices, means2, indices2)]


def digest(parts: list[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).astype("<i4").tobytes() for p in parts)).hexdigest()


def run_twin(arrays, z, previous, frame, quality: int) -> tuple[list[np.ndarray], int]:
    def inner(x):
        return (
            None if x is None else np.moveaxis(x[0].numpy().astype(np.int64), 0, -1).clip(-LATENT_LIMIT, LATENT_LIMIT)
        )

    def steps(x):
        if x is None:
            return None, None
        h, w, channels = x.shape
        board = np.zeros((2 * h, 2 * w, channels // 4), np.int64)
        for phase in range(4):
            board[phase // 2 :: 2, phase % 2 :: 2] = x[..., phase::4]
        return from_board(board, True), from_board(board, False)

    twin = Twin(arrays, quality)
    last, older = inner(previous[0]), inner(previous[1])
    h, w = frame.shape[2:]
    features = twin.features(np.moveaxis(z[0].numpy().astype(np.int64), 0, -1), last, older, h, w)
    step = twin.first(features, steps(last)[0])
    now = steps(np.moveaxis(frame[0].numpy().astype(np.int64), 0, -1))[0]
    symbol = np.rint((now - step[0]) / 16).astype(np.int64).clip(-(LATENT_LIMIT // 16), LATENT_LIMIT // 16)
    means2, indices2 = twin.second(
        features, step, (symbol * 16 + step[0]).clip(-LATENT_LIMIT, LATENT_LIMIT), steps(last)[1]
    )
    parts = [step[0], step[1], means2, indices2]
    return [np.moveaxis(p, -1, 0)[None] for p in parts], twin.largest_sum


@pytest.mark.parametrize("strong", [False, True])
@pytest.mark.parametrize("known", [0, 1, 2])
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    spread=st.sampled_from([3.0, 60.0, 3000.0, 1e6]),
    size=st.tuples(st.integers(1, 5), st.integers(1, 6)),
    quality=st.integers(0, 63),
)
def test_it_is_the_slow_twin(strong, known, seed, spread, size, quality):
    arrays = random_arrays(TINY, seed, strong)
    z, frames = random_latents(seed, size, spread)
    previous = (frames[1] if known else None, frames[0] if known == 2 else None)
    ours = run(ExactPrior(TINY, arrays), z, previous, frames[2], quality)
    twins, largest = run_twin(arrays, z, previous, frames[2], quality)
    assert largest < 1 << 24
    for ours_part, twin_part in zip(ours, twins, strict=True):
        assert np.array_equal(ours_part, twin_part)


def test_random_integers_reach_every_corner():
    """What the twin is compared on is no trivial case: all tables occur, means vary, sums come near the bound."""
    arrays = random_arrays(TINY, 3, strong=True)
    z, frames = random_latents(3, (6, 6), 1e6)
    parts, largest = run_twin(arrays, z, (frames[1], frames[0]), frames[2], 40)
    assert largest > 0.98 * (1 << 24)
    assert len(np.unique(parts[0])) > 20
    assert {0, 63} <= set(np.unique(parts[1])) and {0, 63} <= set(np.unique(parts[3]))


WIDER = PriorConfig(latents=12, hyper=8, hyper_width=16, width=32, flat_channels=(0,))


def golden_parts(device: str = "cpu", prior: ExactPrior | None = None) -> list[np.ndarray]:
    prior = prior or ExactPrior(WIDER, random_arrays(WIDER, 2026), device)
    z, frames = random_latents(2026, (5, 7), 80.0, WIDER)
    return run(prior, z, (frames[1], frames[0]), frames[2], 37) + run(prior, z, (None, None), frames[2], 5)


def test_golden_hash():
    """Integers from integers: this hash holds on every machine, device and release."""
    parts = golden_parts()
    assert len(np.unique(parts[1])) > 30 and len(np.unique(parts[2])) > 100
    assert digest(parts) == GOLDEN


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_golden_hash_on_a_gpu():
    torch.backends.cuda.matmul.fp32_precision = "tf32"  # which would round, were it not switched off inside
    try:
        assert digest(golden_parts("cuda")) == GOLDEN
    finally:
        torch.backends.cuda.matmul.fp32_precision = "none"


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_threads(threads):
    before = torch.get_num_threads()
    prior = ExactPrior(SMALL_PRIOR, random_arrays(SMALL_PRIOR, 1))
    z, frames = random_latents(1, (6, 11), 60.0, SMALL_PRIOR)
    try:
        torch.set_num_threads(threads)
        parts = run(prior, z, (frames[1], frames[0]), frames[2], 20)
    finally:
        torch.set_num_threads(before)
    assert digest(parts) == GOLDEN_SMALL


def test_any_batch_and_autocast_and_settings():
    prior = ExactPrior(WIDER, random_arrays(WIDER, 5))
    z, frames = random_latents(5, (3, 9), 60.0, WIDER, n=3)
    together = run(prior, z, (frames[1], frames[0]), frames[2], 11)
    owner = torch.backends.mkldnn.matmul
    before = owner.fp32_precision
    try:
        owner.fp32_precision = "bf16"
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cut = [x[1:2] for x in (z, *frames)]
            alone = run(prior, cut[0], (cut[2], cut[1]), cut[3], 11)
    finally:
        owner.fp32_precision = before
    assert all(np.array_equal(a[1:2], b) for a, b in zip(together, alone, strict=True))


@pytest.mark.skipif("NVCODEC_TEST_COMPILE" not in os.environ, reason="takes minutes: set NVCODEC_TEST_COMPILE")
def test_golden_hash_compiled():
    prior = ExactPrior(WIDER, random_arrays(WIDER, 2026))
    for name in ("features", "first", "second"):
        setattr(prior.network, name, torch.compile(getattr(prior.network, name), dynamic=False))
    assert digest(golden_parts(prior=prior)) == GOLDEN


@pytest.mark.parametrize("value", [0, 1, -1, 1 << 17, -(1 << 31), (1 << 31) - 1])
def test_inputs_at_the_limits_of_their_type(value):
    """A hostile file may decode to any int32; means and indices stay in range and equal the twin's."""
    arrays = random_arrays(TINY, 8, strong=True)
    z, frames = random_latents(8, (2, 3), 10.0)
    z, frames = torch.full_like(z, value), [torch.full_like(f, value) for f in frames]
    prior = ExactPrior(TINY, arrays)
    parts = run(prior, z, (frames[1], -1 - frames[0]), frames[2], 63)
    twins, _ = run_twin(arrays, z, (frames[1], -1 - frames[0]), frames[2], 63)
    assert all(np.array_equal(a, b) for a, b in zip(parts, twins, strict=True))
    assert max(np.abs(parts[0]).max(), np.abs(parts[2]).max()) <= LATENT_LIMIT
    assert max(parts[1].max(), parts[3].max()) < 64
    everything = decoded(torch.full((5,), value, dtype=torch.int32), torch.full((5,), LATENT_LIMIT, dtype=torch.int32))
    assert everything.abs().max() <= LATENT_LIMIT


@pytest.mark.parametrize("config", [TINY, WIDER, SMALL_PRIOR])
@pytest.mark.parametrize("known", [0, 1, 2])
def test_training_computes_the_same_integers(config, known):
    """Prior.forward with float parameters rounds latents as the exported integers do, at each sample's quality."""
    torch.manual_seed(known)
    prior = Prior(config, SIGMAS)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2 * parameter.abs().mean().clamp_min(0.1))
    z, frames = random_latents(7, (5, 6), 40.0, config, n=3)
    now = frames[2] / 16 + torch.rand(frames[2].shape) - 0.5
    previous = (frames[1] / 16 if known else None, frames[0] / 16 if known == 2 else None)
    quality = torch.tensor([0, 29, 63])
    out = prior(now, z.float(), previous, quality, noise=False)
    exact = ExactPrior(config, prior.export())
    for n in range(3):
        before = (frames[1][n : n + 1] if known else None, frames[0][n : n + 1] if known == 2 else None)
        frame = exact.begin(z[n : n + 1], before, int(quality[n]), (5, 6))
        first, second = split(now[n : n + 1])
        means, indices = frame.first()
        assert len(indices.unique()) > 3
        first = decoded(symbols(first, means), means)
        means, indices = frame.second(first)
        got = merge(first, decoded(symbols(second, means), means))
        assert torch.equal(got.float() / 16, out.y_hat[n : n + 1])


def test_training_at_the_edges_of_its_range():
    """Parameters far too large: export refuses them or still equals training; it never differs in silence."""
    for factor in (30.0, 300.0, 1e5):
        torch.manual_seed(0)
        prior = Prior(WIDER, SIGMAS)
        with torch.no_grad():
            for parameter in prior.parameters():
                parameter.mul_(factor)
        z, frames = random_latents(2, (3, 3), 40.0, WIDER)
        try:
            exact = ExactPrior(WIDER, prior.export())
        except ValueError:
            assert factor > 100
            continue
        out = prior(frames[2] / 16, z.float(), (frames[1] / 16, None), 17.0, noise=False)
        means, _, means2, _ = (torch.from_numpy(x) for x in run(exact, z, (frames[1], None), frames[2], 17))
        first, second = (decoded(symbols(x / 16, m), m) for x, m in zip(split(frames[2]), (means, means2), strict=True))
        assert torch.equal(merge(first, second).float() / 16, out.y_hat)


def test_split_and_merge():
    latents = torch.arange(2 * 16 * 3 * 5).reshape(2, 16, 3, 5)
    first, second = split(latents)
    assert torch.equal(merge(first, second), latents)
    board, known = to_board(np.moveaxis(first[0].numpy(), 0, -1), first=True)
    at8 = torch.nn.functional.pixel_shuffle(latents[:1].float(), 2)[0].long().numpy()
    assert np.array_equal(np.moveaxis(board, -1, 0), np.where(np.moveaxis(known, -1, 0) == 1, at8, 0))


def test_tables_of_z():
    arrays = random_arrays(TINY, 0)
    indices = ExactPrior(TINY, arrays).z_indices(9, (5, 9))
    assert indices.shape == (1, 3, 2, 3) and indices.dtype == torch.uint8
    assert np.array_equal(indices[0, :, 1, 2].numpy(), arrays["z_index"][0, 9])


HOSTILE = {
    "missing": lambda a: a.pop("head1.bias"),
    "a wrong shape": lambda a: a.update({"fuse1.weight": a["fuse1.weight"][:, 1:]}),
    "a wrong type": lambda a: a.update({"fuse1.weight": a["fuse1.weight"].astype(np.float32)}),
    "weight -128": lambda a: a["fuse1.weight"].fill(-128),
    "shift 0": lambda a: a["fuse1.shift"].fill(0),
    "shift 200": lambda a: a["fuse1.shift"].fill(200),
    "a bias at the bound": lambda a: a["fuse2.bias"].fill(1 << 24),
    "the least bias": lambda a: a["fuse2.bias"].fill(-(1 << 31)),
    "sums at the bound": lambda a: a["blocks1.0.project.bias"].fill((1 << 24) - 100),
    "no taps": lambda a: a.pop("taps"),
    "taps too strong": lambda a: a["taps"].fill(32),
    "tap -128": lambda a: a["taps"].fill(-128),
    "tables past the last": lambda a: a["z_index"].fill(64),
    "tables of z as floats": lambda a: a.update(z_index=a["z_index"].astype(np.float32)),
    "no tables of z": lambda a: a.pop("z_index"),
    "a tensor too many": lambda a: a.update({"blocks1.7.expand.weight": a["blocks1.0.expand.weight"]}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_weights(name):
    arrays = random_arrays(TINY, 0)
    HOSTILE[name](arrays)
    with pytest.raises(FormatError, match="integer weights"):
        ExactPrior(TINY, arrays)


@pytest.mark.parametrize(
    "sizes",
    [
        {"width": 0},
        {"hyper": 1 << 40},
        {"latents": 5},
        {"temporal_kernel": 4},
        {"blocks": 1 << 40},
        {"temporal_blocks": -1},
        {"flat_channels": (4,)},
        {"width": 1024},
    ],
)
def test_hostile_sizes(sizes):
    with pytest.raises(FormatError, match="integer weights"):
        ExactPrior(replace(TINY, **sizes), random_arrays(TINY, 0))


def test_flat_channels_are_the_transforms_means():
    flat = picture_dct() @ torch.ones(96)
    assert tuple(torch.nonzero(flat > 1e-3).flatten().tolist()) == SMALL_PRIOR.flat_channels


def test_calls_that_do_not_fit():
    prior = ExactPrior(TINY, random_arrays(TINY, 0))
    z, frames = random_latents(0, (5, 6), 9.0)
    for wrong in (
        lambda: prior.begin(z, (None, None), 64, (5, 6)),
        lambda: prior.begin(z, (None, None), 3, (4, 3)),
        lambda: prior.begin(z.float(), (None, None), 3, (5, 6)),
        lambda: prior.begin(z, (frames[0][:, 1:], None), 3, (5, 6)),
        lambda: prior.begin(z, (None, None), 3, (5, 6)).second(frames[0]),
        lambda: prior.z_indices(-1, (5, 6)),
    ):
        with pytest.raises(ValueError):
            wrong()


def test_opening_leaves_the_callers_random_numbers_alone():
    arrays = random_arrays(TINY, 0)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    ExactPrior(TINY, arrays)
    assert torch.equal(torch.rand(3), expected)


def test_costs():
    assert macs_per_pixel(SMALL_PRIOR) < 2500
    assert macs_per_pixel(MEDIUM_PRIOR) < 10000
