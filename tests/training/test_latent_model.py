"""The whole model on real pictures: what it begins as, what it learns, and that its rates are the coder's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from nvcodec.entropy.cost import code_length
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GAUSSIAN
from nvcodec.errors import UsageError
from nvcodec.models.exact_prior import ExactPrior
from nvcodec.models.latent import LatentModel, latent_config
from nvcodec.models.latent_coding import EncoderParts, analyse, latent_symbols
from nvcodec.models.planes import planes_to_features
from nvcodec.models.prior_network import PriorConfig
from nvcodec.models.quality import QUALITY_ANCHORS
from nvcodec.models.transform import TransformConfig
from nvcodec.training.corpus import Sampler
from nvcodec.training.loop import batch_loss
from nvcodec.training.making import make_model
from nvcodec.training.objective import quality_lambda
from nvcodec.training.settings import TrainSettings
from nvcodec.training.state import Training
from nvcodec.training.validation import validate, validation_clips

TINY_PRIOR = PriorConfig(hyper=8, hyper_width=16, width=32, temporal_blocks=1, temporal_kernel=3, blocks=1)


@pytest.fixture
def tiny() -> LatentModel:
    torch.manual_seed(3)
    config = dataclasses.replace(latent_config("s"), transform=TransformConfig(16, 1, 16, 1), prior=TINY_PRIOR)
    lambdas = quality_lambda(torch.tensor(QUALITY_ANCHORS, dtype=torch.float64)).tolist()
    return LatentModel(config, lambdas, [GAUSSIAN.sigma(i) for i in range(GAUSSIAN.size)])


@pytest.fixture
def clips(split):
    return validation_clips(split, 2, 3)


def test_sizes_have_names():
    assert make_model("s").config == latent_config("s")
    with pytest.raises(UsageError, match="'x'"):
        latent_config("x")


def test_it_begins_as_a_transform_codec(tiny, clips):
    rows = validate(tiny, clips)
    bpp, psnr = ([row[name][0] for row in rows] for name in ("bpp", "psnr"))
    assert bpp == sorted(bpp) and psnr == sorted(psnr)
    assert psnr[3] - psnr[0] > 9 and bpp[0] < 0.6 and psnr[0] > 26
    assert all(len(row["bpp"]) == len(row["psnr"]) == 3 for row in rows)


@pytest.mark.parametrize("quality", [3, 40])
def test_the_estimate_is_what_the_tables_take(tiny, clips, quality):
    """And both roads decode the same latents: rates of every picture of the clip agree."""
    tiny.eval()
    parts = EncoderParts(tiny.analysis, tiny.hyper_encoder, ExactPrior(tiny.config.prior, tiny.prior.export()))
    with torch.no_grad():
        estimate = tiny.loss_terms(clips, torch.full((2,), float(quality))).bits
    features = planes_to_features(*(plane[0] for plane in clips))
    history = []
    for t, picture in enumerate(features.split(1)):
        previous = tuple(history[-back] if t >= back else None for back in (1, 2))
        coded = latent_symbols(parts, analyse(parts, picture, quality), previous, quality)
        pairs = list(zip(coded.symbols, coded.indices, strict=True))
        real = sum(code_length(s.numpy(), i.numpy().astype(np.uint16), GAUSSIAN) for s, i in pairs)
        assert real == pytest.approx(float(estimate[0, t]), rel=0.02)  # an untrained model's: escapes are many
        history.append(coded.y_hat)
    whole = torch.cat(coded.symbols).numpy(), torch.cat(coded.indices).numpy().astype(np.uint16)
    data = encode_segment(*whole, GAUSSIAN)
    assert (decode_segment(data, whole[1], GAUSSIAN) == whole[0]).all()
    assert 8 * len(data) == pytest.approx(real, rel=0.02, abs=200)


def test_every_part_learns(tiny, split):
    sampler = Sampler(split, batch=2, frames=3, crop=64, stills=0, seed=0)
    batch_loss(tiny, *sampler.batch(0), "cpu").value.backward()
    for name in ("analysis", "synthesis", "hyper_encoder", "prior"):
        parameters = dict(getattr(tiny, name).named_parameters())
        touched = [key for key, p in parameters.items() if p.grad is not None and p.grad.abs().sum() > 0]
        assert touched, name
    assert tiny.prior.network.temporal_in.weight.grad.abs().sum() > 0


def test_a_few_steps_lower_the_loss(tiny, split):
    training = Training(tiny, TrainSettings(stage="inter", steps=24, lr=3e-3))
    sampler = Sampler(split, batch=2, frames=2, crop=48, stills=0, seed=0)
    batch = sampler.batch(0)
    losses = []
    for _ in range(24):
        loss = batch_loss(tiny, *batch, "cpu").value
        losses.append(float(loss.detach()))
        training.descend(loss, 1.0)
    assert losses[-1] < 0.97 * losses[0]


def test_clips_do_not_touch_each_other(tiny, clips):
    tiny.eval()
    quality = torch.tensor([10.0, 50.0])
    with torch.no_grad():
        both = tiny.loss_terms(clips, quality)
        alone = tiny.loss_terms(tuple(plane[1:] for plane in clips), quality[1:])
    assert torch.allclose(both.bits[1], alone.bits[0], rtol=1e-3)
    assert torch.allclose(both.errors[1], alone.errors[0], rtol=1e-2)


def test_fast_transforms_leave_the_prior_alone(tiny, clips):
    tiny.eval()
    seen = []
    tiny.prior.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].dtype))
    tiny.fast_transforms = True
    with torch.no_grad():
        fast = tiny.loss_terms(clips, torch.tensor([30.0, 30.0]))
        tiny.fast_transforms = False
        slow = tiny.loss_terms(clips, torch.tensor([30.0, 30.0]))
    assert set(seen) == {torch.float32}
    assert torch.allclose(fast.bits, slow.bits, rtol=0.02)
    assert torch.allclose(fast.errors, slow.errors, rtol=0.05)
