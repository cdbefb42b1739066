"""The transforms of the trained codecs: DCT and steps against oracles, exact inversion, gradients, costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
import scipy.optimize
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from nvcodec.codecs.base import quality_lambda
from nvcodec.errors import UsageError
from nvcodec.models.dct import coefficient_spread, high_rate_step, picture_dct
from nvcodec.models.planes import distortion, features_to_planes, planes_to_features
from nvcodec.models.quality import QUALITY_ANCHORS, QualityScale, anchor_weights
from nvcodec.models.transform import (
    MEDIUM,
    SMALL,
    Analysis,
    Synthesis,
    TransformConfig,
    from_latents,
    macs_per_pixel,
    to_latents,
)

LAMBDAS = [quality_lambda(anchor) for anchor in QUALITY_ANCHORS]
TINY = TransformConfig(width8=8, blocks8=1, width16=8, blocks16=1)


def pair(config: TransformConfig = TINY, seed: int = 0) -> tuple[Analysis, Synthesis]:
    torch.manual_seed(seed)
    return Analysis(config, LAMBDAS), Synthesis(config, LAMBDAS)


def woken(config: TransformConfig = TINY) -> tuple[Analysis, Synthesis]:
    """Transforms whose zero layers and scales have moved, as after training."""
    models = pair(config)
    with torch.no_grad():
        for model in models:
            for parameter in model.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
    return models


@pytest.fixture(scope="module")
def features(crop) -> torch.Tensor:
    """Features of two real pictures, 128x96."""
    frames = crop(128, 96, 2)
    return planes_to_features(*(torch.from_numpy(np.stack(plane)) for plane in zip(*frames, strict=True)))


def test_dct_is_scipys(features: torch.Tensor) -> None:
    y, u, v = (plane.numpy() for plane in features_to_planes(features, 96, 128, whole=False))
    coded = torch.einsum("oc,nchw->nohw", picture_dct(), features).numpy()
    for plane, channels, size in ((y, coded[:, :64], 8), (u, coded[:, 64:80], 4), (v, coded[:, 80:], 4)):
        block = plane[1, size : 2 * size, 2 * size : 3 * size] - 128
        expected = scipy.fft.dctn(block.astype(np.float64), norm="ortho").ravel()
        assert np.allclose(channels[1, :, 1, 2], expected, atol=2e-3)


def test_dct_is_orthonormal() -> None:
    assert torch.allclose(picture_dct() @ picture_dct().T, torch.eye(96), atol=1e-6)


@pytest.mark.parametrize("channel", [0, 63, 64, 95])
def test_step_minimises_the_objective(channel: int) -> None:
    """The whole objective of a picture of 64 luma pixels, minimised by scipy over the step of one coefficient."""
    lambda_, pixels, spread = 0.02, 64, 300.0

    def objective(step: float) -> float:
        bits = 0.5 * math.log2(2 * math.pi * math.e * spread**2) - math.log2(step)
        samples, weight = (pixels, 6) if channel < 64 else (pixels / 4, 1)
        mse = step**2 / 12 / samples  # the plane's error is one coefficient's
        return bits / pixels + lambda_ * weight * mse / 8

    best = scipy.optimize.minimize_scalar(objective, bounds=(1, 200), method="bounded", options={"xatol": 1e-6}).x
    assert float(high_rate_step(lambda_)[channel]) == pytest.approx(best, rel=1e-3)


def test_spread_falls_with_frequency() -> None:
    luma = coefficient_spread()[:64].reshape(8, 8)
    assert (luma.diff(dim=0) < 0).all() and (luma.diff(dim=1) < 0).all()


def test_latents_are_pixel_unshuffled() -> None:
    y = torch.randn(2, 6, 10, 96)
    packed = to_latents(y)
    assert torch.equal(packed.permute(0, 3, 1, 2), functional.pixel_unshuffle(y.permute(0, 3, 1, 2), 2))
    assert torch.equal(from_latents(packed), y)


@pytest.mark.parametrize("quality", [0, 13.7, 63])
def test_inverts_at_the_start(features: torch.Tensor, quality: float) -> None:
    analysis, synthesis = pair()
    y = analysis(features, quality)
    assert y.shape == (2, 384, 6, 8) and y.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(synthesis(y, quality), features, atol=2e-3)


def test_start_is_the_dct_in_steps(features: torch.Tensor) -> None:
    analysis, _ = pair()
    quality = 20.5
    coded = torch.einsum("oc,nchw->nohw", picture_dct(), features)
    steps = high_rate_step(quality_lambda(quality))
    expected = functional.pixel_unshuffle(coded / steps[:, None, None], 2)
    assert torch.allclose(analysis(features, quality), expected, atol=1e-3)


def test_rounded_dct_spans_the_dial(features: torch.Tensor) -> None:
    analysis, synthesis = pair()
    psnr = []
    with torch.no_grad():
        for quality in (0, 16, 32, 48, 63):
            decoded = synthesis(analysis(features, quality).round(), quality)
            psnr.append(10 * math.log10(255**2 / float(distortion(decoded, features).mean())))
    assert psnr == sorted(psnr) and psnr[-1] - psnr[0] >= 10 and psnr[-1] > 40


def test_a_quality_for_each_picture(features: torch.Tensor) -> None:
    analysis, synthesis = woken()
    both = torch.tensor([7.0, 50.0])
    y = analysis(features, both)
    back = synthesis(y, both)
    for index, quality in enumerate(both):
        one = slice(index, index + 1)
        assert torch.allclose(y[one], analysis(features[one], float(quality)), atol=1e-3)
        assert torch.allclose(back[one], synthesis(y[one], float(quality)), rtol=1e-3, atol=0.05)


def test_scale_between_anchors() -> None:
    scale = QualityScale(3, torch.arange(1.0, 25.0).reshape(8, 3))
    factors = scale(torch.tensor([0.0, 9.0, 4.5, 63.0, -5.0, 99.0]))
    start = scale.logs.exp()
    assert torch.allclose(factors[[0, 1, 3]], start[[0, 1, 7]])
    assert torch.allclose(factors[2], (start[0] * start[1]).sqrt())
    assert torch.allclose(factors[4:], start[[0, 7]])
    grid = torch.linspace(0, 63, 64)
    assert torch.allclose(anchor_weights(grid).sum(dim=1), torch.ones(64))
    assert torch.allclose(anchor_weights(grid) @ torch.tensor(QUALITY_ANCHORS).float(), grid, atol=1e-4)


@pytest.mark.parametrize("quality", [30.0, torch.tensor([5.0, 60.0])])
def test_every_parameter_learns(features: torch.Tensor, quality: float | torch.Tensor) -> None:
    models = woken()
    y = models[0](features, quality)
    distortion(models[1](y, quality) + y.mean(), features).mean().backward()
    for model in models:
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


def test_branches_learn_beside_the_dct(features: torch.Tensor) -> None:
    """A few steps at a low quality: less distortion than the DCT from the same rounded latents."""
    analysis, synthesis = pair(TransformConfig(16, 1, 16, 1))
    features = features[:1, :, :8, :8]
    with torch.no_grad():
        y = analysis(features, 4.0).round()
        before = float(distortion(synthesis(y, 4.0), features).mean())
    optimiser = torch.optim.Adam(synthesis.parameters(), lr=1e-2)
    for _ in range(12):
        optimiser.zero_grad()
        loss = distortion(synthesis(y, 4.0), features).mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.9 * before


def test_autocast_leaves_the_linear_path_alone(features: torch.Tensor) -> None:
    analysis, synthesis = pair()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        y = analysis(features, torch.tensor([63.0, 40.0]))
        back = synthesis(y, torch.tensor([63.0, 40.0]))
    assert y.dtype == back.dtype == torch.float32
    assert torch.allclose(back, features, atol=2e-3)


def test_weights_may_be_halves(features: torch.Tensor) -> None:
    """Weights rounded to float16 cost under 0.01 dB at the best quality, those of the linear path among them."""
    analysis, synthesis = pair()
    with torch.no_grad():
        y = analysis(features, 63).round()
        exact = distortion(synthesis(y, 63), features).mean()
        halved = distortion(synthesis.half().float()(y, 63), features).mean()
    assert halved < exact * 10**0.001


@pytest.mark.parametrize("config", [TINY, SMALL, MEDIUM])
def test_costs_are_counted_right(config: TransformConfig) -> None:
    analysis, synthesis = pair(config)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        synthesis(analysis(torch.randn(1, 96, 8, 12), 32.0), 32.0)
    assert counter.get_total_flops() / 2 / (64 * 96) == macs_per_pixel(config)


def test_presets_fit_their_budgets() -> None:
    """They leave room for the prior: under 20 and 120 kMAC/pixel, and under 3 and 6 MB at two bytes a weight."""
    sizes = {}
    for name, config in (("s", SMALL), ("m", MEDIUM)):
        sizes[name] = 2 * sum(p.numel() for model in pair(config) for p in model.parameters())
    assert macs_per_pixel(SMALL) < 9000 and macs_per_pixel(MEDIUM) < 60_000
    assert sizes["s"] < 2_000_000 and sizes["m"] < 4_500_000


@pytest.mark.parametrize("lambdas", [[0.01] * 7, [0.01] * 7 + [0.0]])
def test_wrong_lambdas(lambdas: list[float]) -> None:
    with pytest.raises(UsageError, match="8 positive lambdas"):
        Synthesis(TINY, lambdas)
