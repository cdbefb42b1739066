"""The prior learns: from frames before, from hyper-latents, from neighbours; and what it learned is what is coded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nvcodec.entropy.cost import code_length
from nvcodec.entropy.tables import GAUSSIAN
from nvcodec.models.exact_prior import ExactPrior, decoded, split, symbols
from nvcodec.models.hyper import HyperEncoder
from nvcodec.models.prior import Prior
from nvcodec.models.prior_network import PriorConfig, hyper_size

CONFIG = PriorConfig(latents=8, hyper=4, hyper_width=8, width=16, temporal_blocks=1, blocks=1, flat_channels=(0,))
SIGMAS = [GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)]


def pictures(seed: int, n: int = 4, size: tuple[int, int] = (6, 8)) -> tuple[Tensor, Tensor]:
    """Latents of two like frames, (n, 32, h, w): smooth means in channel 0, activity that varies over the picture."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    activity = torch.nn.functional.interpolate(noise(n, 1, 2, 2), (2 * size[0], 2 * size[1]), mode="bilinear")
    latents = (
        noise(n, 8, 2 * size[0], 2 * size[1]) * torch.exp(1.2 * activity) * torch.linspace(2, 0.3, 8)[:, None, None]
    )
    latents[:, :1] = 30 * torch.nn.functional.interpolate(noise(n, 1, 3, 3), latents.shape[2:], mode="bicubic")
    after = latents + 0.2 * noise(*latents.shape)
    unshuffle = torch.nn.functional.pixel_unshuffle
    return unshuffle(latents, 2), unshuffle(after, 2)


def costs(prior: Prior, encoder: HyperEncoder, seed: int, noise: bool) -> tuple[Tensor, Tensor]:
    """Bits an element of a first frame and of the next, given the first."""
    first, second = pictures(seed)
    quality = torch.tensor([0.0, 20.0, 41.5, 63.0])
    intra = prior(first, encoder(first), (None, None), quality, noise)
    inter = prior(second, encoder(second, intra.y_hat.detach()), (intra.y_hat.detach(), None), quality, noise)
    return tuple((out.bits_y + out.bits_z).sum() / first.numel() for out in (intra, inter))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def trained() -> tuple[Prior, HyperEncoder, list[float]]:
    torch.manual_seed(0)
    prior, encoder = Prior(CONFIG, SIGMAS), HyperEncoder(CONFIG)
    optimiser = torch.optim.Adam([*prior.parameters(), *encoder.parameters()], 1e-2)
    with torch.no_grad():
        start = [float(c) for c in costs(prior, encoder, 10**6, False)]
    for step in range(50):
        intra, inter = costs(prior, encoder, step, True)
        optimiser.zero_grad()
        (intra + inter).backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        optimiser.step()
    return prior, encoder, start


def test_it_learns(trained):
    prior, encoder, start = trained
    with torch.no_grad():
        intra, inter = (float(c) for c in costs(prior, encoder, 10**6, False))
    assert intra < 0.9 * start[0]
    assert inter < 0.6 * intra, "the frame before tells most of this one"


def test_every_parameter_learns(trained):
    prior, encoder, _ = trained
    prior.zero_grad()
    encoder.zero_grad()
    intra, inter = costs(prior, encoder, 3, True)
    (intra + inter).backward()
    for name, parameter in [*prior.named_parameters(), *encoder.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("inter", [False, True])
def test_estimated_bits_are_the_coders(trained, inter):
    """What training counts without noise, and the ideal length of the symbols under the tables: within 0.5 %."""
    prior, encoder, _ = trained
    first, second = pictures(77, n=1, size=(22, 40))
    quality = 33
    with torch.no_grad():
        out = prior(first, encoder(first), (None, None), quality, noise=False)
        now, previous = first, None
        if inter:
            now, previous = second, (out.y_hat * 16).to(torch.int32)
            out = prior(second, encoder(second), (out.y_hat, None), quality, noise=False)
        exact = ExactPrior(CONFIG, prior.export())
        z = encoder(now).round().to(torch.int32)
        frame = exact.begin(z, (previous, None), quality, (22, 40))
    first_step, second_step = split(now)
    means, indices = frame.first()
    coded = symbols(first_step, means)
    bits = length(coded, indices)
    means, indices = frame.second(decoded(coded, means))
    bits += length(symbols(second_step, means), indices)
    assert float(out.bits_y) == pytest.approx(bits, rel=0.005)
    z_indices = exact.z_indices(quality, (22, 40), inter)
    assert z_indices.shape == z.shape == (1, CONFIG.hyper, *hyper_size((22, 40)))
    assert float(out.bits_z) == pytest.approx(length(z, z_indices), rel=0.01)


def length(values: Tensor, indices: Tensor) -> float:
    return code_length(values.numpy().reshape(-1), indices.numpy().reshape(-1).astype("uint16"), GAUSSIAN)


def test_noise_is_an_option_and_gradients_reach_what_was_rounded(trained):
    prior, encoder, _ = trained
    first, second = pictures(5, n=1)
    first.requires_grad_()
    out = prior(first, encoder(first), (None, None), 12.0, noise=False)
    again = prior(first, encoder(first), (None, None), 12.0, noise=False)
    assert torch.equal(out.bits_y, again.bits_y) and torch.equal(out.y_hat, again.y_hat)
    assert (out.y_hat - first).abs().max() <= 0.5
    later = prior(second, encoder(second), (out.y_hat, None), 12.0)
    later.bits_y.sum().backward()
    assert first.grad.abs().sum() > 0, "a frame may learn to be a better reference"


def test_indices_start_where_they_are_told():
    spread = torch.linspace(0.2, 20, 8).expand(8, 8)
    prior = Prior(CONFIG, SIGMAS, spread)
    frame = ExactPrior(CONFIG, prior.export()).begin(
        torch.zeros(1, 4, 1, 1, dtype=torch.int32), (None, None), 3, (4, 4)
    )
    indices = frame.first()[1][0, :, 2, 2].float()
    wanted = torch.tensor([prior.bits.index_of(float(s)) for s in spread[0]])
    order = torch.tensor([0, 2, 4, 6, 0, 2, 4, 6, 1, 3, 5, 7, 1, 3, 5, 7])
    assert (indices - wanted[order]).abs().max() < 3


def test_a_prior_needs_the_coders_tables():
    with pytest.raises(ValueError, match="64 tables"):
        Prior(CONFIG, SIGMAS[:10])
    with pytest.raises(ValueError, match="even"):
        Prior(PriorConfig(latents=7), SIGMAS)
