"""Training of predicted frames on real pictures: what learns, what is exact, and that it is the codec's own chain."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.codecs.conditional_chain import ChainCoder, Plan
from nvcodec.codecs.conditional_pictures import Networks
from nvcodec.codecs.predicted_model import PredictedModel
from nvcodec.codecs.structure import low_delay
from nvcodec.codecs.weights import load_model
from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat
from nvcodec.metrics import psnr_from_mse
from nvcodec.models.conditional import CONDITIONAL_CONFIGS, ConditionalConfig
from nvcodec.models.conditional_transform import ConditionalTransformConfig
from nvcodec.models.latent import ClipTerms
from nvcodec.models.quality import QUALITY_ANCHORS
from nvcodec.models.residual_prior import ResidualPriorConfig
from nvcodec.models.weights import pack_weights, parse_weights
from nvcodec.motion.field import MotionField
from nvcodec.motion.warp import warp
from nvcodec.training import chains
from nvcodec.training.bilinear import bilinear_warp
from nvcodec.training.chains import SPREAD, ChainModel
from nvcodec.training.loop import batch_loss
from nvcodec.training.making import make_model
from nvcodec.training.objective import LAMBDA_0, quality_lambda, rate_distortion
from nvcodec.training.settings import TrainSettings
from nvcodec.training.state import Training
from tests.motion.fields import SEEDS, make_field

SIZES = ConditionalConfig(
    ConditionalTransformConfig(16, 1, 16, 1, 1, 1),
    ResidualPriorConfig(hyper=4, hyper_width=8, width=16, temporal_blocks=1, blocks=1),
)


@pytest.fixture
def model(tiny_weights) -> ChainModel:
    """As after some training: what starts at zero has moved."""
    torch.manual_seed(4)
    lambdas = quality_lambda(torch.tensor(QUALITY_ANCHORS, dtype=torch.float64)).tolist()
    made = ChainModel(SIZES, lambdas, [GGD.sigma(i) for i in LATENT_TABLES], True, load_model(tiny_weights))
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return made


@pytest.fixture(scope="module")
def clips(crop) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two clips of five pictures, 64x64: one takes its time, one leaps."""
    frames = crop(64, 64, 12)
    both = [frames[:5], frames[1:11:2]]
    y, u, v = (torch.from_numpy(np.stack([[frame[k] for frame in clip] for clip in both])) for k in range(3))
    return y, u, v


def cut(clips, length: int, rows: slice = slice(None)):
    return tuple(plane[rows, :length] for plane in clips)


def qualities(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


# the model


def test_every_part_learns(model, clips):
    """All but the tables of z of frames that stand alone, which the intra model codes."""
    model.train()
    touched: set[str] = set()
    for seed in range(3):
        torch.manual_seed(seed)
        model.zero_grad()
        loss = batch_loss(model, cut(clips, 3 + seed), qualities(12, 50), "cpu")
        assert torch.isfinite(loss.value) and loss.bpp.shape == loss.mse.shape == (2, 2 + seed)
        loss.value.backward()
        named = dict(model.named_parameters())
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in named.values())
        touched |= {name for name, p in named.items() if p.grad is not None and p.grad.any()}
    assert set(named) - touched == {"prior.z_scale"}
    assert {name.partition(".")[0] for name in named} == {"context", "analysis", "synthesis", "prior", "hyper_encoder"}


def test_the_intra_model_is_no_part_of_it(model, clips):
    before = {name: p.clone() for name, p in model._intra[0].synthesis.state_dict().items()}
    assert not any("intra" in name for name in model.state_dict())
    training = Training(model, TrainSettings(stage="inter", steps=4, lr=3e-3))
    training.descend(batch_loss(model, cut(clips, 2), qualities(20, 40), "cpu").value, 1.0)
    after = model._intra[0].synthesis.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(p.requires_grad for p in model._intra[0].synthesis.parameters())


def test_gradients_go_back_through_predictions(model, clips, monkeypatch):
    """The last picture's errors tell the first predicted one how to serve as a reference."""
    shown, original = [], ChainModel._predicted

    def kept(self, *arguments):
        made = original(self, *arguments)
        shown.append(made[0])
        made[0].real[0].retain_grad()
        return made

    monkeypatch.setattr(ChainModel, "_predicted", kept)
    model.train()
    terms = model.loss_terms(cut(clips, 3), qualities(40, 40))
    terms.errors[:, -1].sum().backward()
    assert len(shown) == 2 and shown[0].real[0].grad.abs().sum() > 0
    assert shown[0].whole[0].dtype == torch.uint8


def test_evaluation_is_deterministic_and_training_is_not(model, clips):
    model.eval()
    quality = qualities(10, 61)
    with torch.no_grad():
        torch.manual_seed(1)
        a = model.loss_terms(cut(clips, 5), quality)
        torch.manual_seed(2)
        b = model.loss_terms(cut(clips, 5), quality)
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
        assert a.quality.tolist() == [[10.0] * 4, [61.0] * 4]
        model.train()
        noisy = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            noisy.append(model.loss_terms(cut(clips, 3), quality))
    assert torch.equal(noisy[0].bits, noisy[1].bits) and not torch.equal(noisy[0].bits, noisy[2].bits)
    assert not torch.equal(noisy[0].quality, noisy[2].quality)
    for terms in noisy:
        away = terms.quality - quality[:, None]
        assert (terms.quality == terms.quality.round()).all() and away.abs().max() <= SPREAD + 0.5
        assert terms.quality.max() <= 63


def test_frames_between_two_are_trained_in_training_alone(model, clips, monkeypatch):
    monkeypatch.setattr(chains, "BOTH_SIDES", 1.0)
    seen, original = [], ChainModel._predicted
    monkeypatch.setattr(
        ChainModel, "_predicted", lambda self, p, slot, *more: seen.append(slot) or original(self, p, slot, *more)
    )
    with torch.no_grad():
        for train, wanted in ((True, [4, 2, 1, 3]), (False, [1, 2, 3, 4])):
            seen.clear()
            terms = model.train(train).loss_terms(cut(clips, 5), qualities(30, 30))
            assert [slot.time for slot in seen] == wanted
            assert any(slot.both for slot in seen) == train
            assert terms.bits.shape == (2, 4) and terms.errors.shape == (2, 4, 3)
        seen.clear()
        model.train().loss_terms(cut(clips, 4), qualities(30, 30))
        assert [slot.time for slot in seen] == [1, 2, 3]


def test_clips_do_not_touch_each_other(model, clips):
    model.eval()
    quality = qualities(10, 50)
    with torch.no_grad():
        both = model.loss_terms(cut(clips, 4), quality)
        alone = model.loss_terms(cut(clips, 4, slice(1, 2)), quality[1:])
    assert torch.allclose(both.bits[1], alone.bits[0], rtol=2e-2)
    assert torch.allclose(both.errors[1], alone.errors[0], rtol=2e-2)


def test_better_qualities_cost_more_and_show_more(model, clips):
    model.eval()
    with torch.no_grad():
        terms = [model.loss_terms(cut(clips, 3), torch.full((2,), q)) for q in (4.0, 24.0, 44.0, 63.0)]
    bits, errors = ([float(each.sum()) for each in part] for part in zip(*[t[:2] for t in terms], strict=True))
    assert bits == sorted(bits) and errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("quality", [32, 48])
def test_it_is_the_chain_that_the_codec_codes(model, clips, tiny_weights, quality, monkeypatch):
    """Estimated bits and errors of every predicted frame are those of the codec's units under the packed
    weights, where nothing is skipped."""
    monkeypatch.setattr(chains, "SKIP", 0)
    model.eval()
    with torch.no_grad():
        terms = model.loss_terms(cut(clips, 4, slice(1)), qualities(quality))
    own = PredictedModel.of(parse_weights(pack_weights(model, {"model": "conditional-tiny"})))
    networks = Networks(load_model(tiny_weights), own)
    frames = [tuple(plane[0, t].numpy() for plane in clips) for t in range(4)]
    coder = ChainCoder(networks, frames, VideoFormat(64, 64), "fp32", lambda trial: None)
    trial = coder.code(Plan(tuple(low_delay(4))), quality, 0)
    overhead = 1 + 1 + 5  # a head, the length of a field, a form and a chain's state
    real = np.array([8 * (len(unit.payload) - overhead) for unit in trial.units[1:]])
    assert np.allclose(real, terms.bits[0].numpy(), rtol=0.01, atol=12)
    levels = [[psnr_from_mse(error) for error in frame] for frame in terms.errors[0].tolist()]
    assert np.allclose(trial.psnr[1:], np.array(levels) @ (0.75, 0.125, 0.125), atol=0.03)


def test_a_few_steps_lower_the_loss(model, clips):
    training = Training(model, TrainSettings(stage="inter", steps=12, lr=3e-3))
    losses = []
    for _ in range(12):
        torch.manual_seed(0)
        loss = batch_loss(model, cut(clips, 3), qualities(24, 40), "cpu").value
        losses.append(float(loss.detach()))
        training.descend(loss, 1.0)
    assert losses[-1] < 0.97 * losses[0]


def test_fast_transforms_leave_the_prior_alone(model, clips):
    model.eval()
    seen = []
    model.prior.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].dtype))
    with torch.no_grad():
        slow = model.loss_terms(cut(clips, 2), qualities(30, 30))
        model.fast_transforms = True
        fast = model.loss_terms(cut(clips, 2), qualities(30, 30))
    assert set(seen) == {torch.float32}
    assert torch.allclose(fast.bits, slow.bits, rtol=0.05) and torch.allclose(fast.errors, slow.errors, rtol=0.1)


# names of models, the objective


def test_models_of_predicted_frames_have_names():
    made = make_model("conditional-s")
    assert isinstance(made, ChainModel) and made.config == CONDITIONAL_CONFIGS["s"]
    assert made._intra[0].weights.about["model"] in ("s", "latent-s")
    assert make_model(TrainSettings(stage="inter", model="conditional-s", steps=1).model).config == made.config
    for name in ("conditional-x", "conditional-", "conditional", "x"):
        with pytest.raises(UsageError, match=f"not '{name}'"):
            make_model(name)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 63), min_size=1, max_size=6), st.floats(0, 63))
def test_each_frame_has_its_own_lambda(each, clip):
    """By hand, frame by frame; a clip without qualities of its own has the clip's."""
    rng = np.random.default_rng(len(each))
    bits, errors = rng.uniform(10, 900, (1, len(each))), rng.uniform(1, 90, (1, len(each), 3))
    terms = ClipTerms(*(torch.from_numpy(array) for array in (bits, errors)), torch.tensor([each], dtype=torch.float64))
    loss = rate_distortion(terms, torch.tensor([clip], dtype=torch.float64), 4096)
    wanted = 0.0
    for n, quality in enumerate(each):
        mse = (6 * errors[0, n, 0] + errors[0, n, 1] + errors[0, n, 2]) / 8
        cost = bits[0, n] / 4096 + LAMBDA_0 * 2 ** (quality / 8) * mse
        wanted += cost / 2 ** ((quality - 32) / 16) / len(each)
    assert float(loss.value) == pytest.approx(wanted, rel=1e-5)
    same = terms._replace(quality=torch.full((1, len(each)), clip, dtype=torch.float64))
    whole = rate_distortion(terms._replace(quality=None), torch.tensor([clip], dtype=torch.float64), 4096)
    assert float(rate_distortion(same, torch.tensor([0.0]), 4096).value) == pytest.approx(float(whole.value), rel=1e-5)


# the stand-in for the exact prediction


def tensors(pictures) -> list[torch.Tensor]:
    return [torch.from_numpy(np.stack(plane)).float() for plane in zip(*pictures, strict=True)]


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([(64, 64), (48, 32), (16, 16)]), st.sampled_from([1, 4, 40]))
def test_whole_samples_are_warped_as_the_codec_does(seed: int, size: tuple[int, int], spread: int) -> None:
    rng = np.random.default_rng(seed)
    half = (size[1] // 2, size[0] // 2)
    pictures = [
        tuple(rng.integers(0, 256, shape, np.uint8) for shape in ((size[1], size[0]), half, half)) for _ in range(2)
    ]
    fields = [MotionField(*size, 8 * make_field(seed + n, *size, spread).vectors) for n in range(2)]
    bent = bilinear_warp(tensors(pictures), fields)
    for n, (picture, field) in enumerate(zip(pictures, fields, strict=True)):
        for plane, exact in zip(bent, warp(picture, field), strict=True):
            assert plane.dtype == torch.float32
            assert np.abs(plane[n].numpy() - exact).max() < 0.02


def test_between_samples_it_is_the_mean() -> None:
    y = torch.zeros(1, 16, 16)
    y[0, 8, 8] = 100
    chroma = torch.zeros(1, 8, 8)
    chroma[0, 4, 4] = 80
    field = MotionField.whole(16, 16, np.full((1, 1, 2), (2, -1), np.int16))
    bent = bilinear_warp((y, chroma, chroma), [field])
    wanted = torch.zeros(16, 16)
    wanted[8, 7:9], wanted[9, 7:9] = 37.5, 12.5
    assert torch.allclose(bent[0][0], wanted, atol=1e-3)
    wanted = torch.zeros(8, 8)
    wanted[4, 3:5], wanted[5, 3:5] = torch.tensor([17.5, 52.5]), torch.tensor([2.5, 7.5])
    assert torch.allclose(bent[1][0], wanted, atol=1e-3) and torch.equal(bent[1], bent[2])


def test_smooth_pictures_are_nearly_the_exact_prediction(clips) -> None:
    """Real pictures and quarter samples: the filters differ by their sharpness alone."""
    picture = tuple(plane[0, 0].numpy() for plane in clips)
    field = make_field(5, 64, 64, 9)
    for plane, exact, source in zip(
        bilinear_warp(tensors([picture]), [field]), warp(picture, field), picture, strict=True
    ):
        away = np.square(plane[0].numpy() - exact).mean()
        assert away < 0.2 * np.square(source.astype(float) - exact).mean() + 1
        assert away < 16


def test_gradients_come_from_where_samples_do() -> None:
    planes = [torch.rand(1, 32, 32, requires_grad=True), *(torch.rand(1, 16, 16, requires_grad=True) for _ in range(2))]
    field = MotionField.whole(32, 32, np.full((2, 2, 2), (16, 8), np.int16))
    y, u, _ = bilinear_warp(planes, [field])
    (y[0, 10, 12] + u[0, 3, 4]).backward()
    assert [tuple(n.tolist()) for n in planes[0].grad[0].abs().gt(1e-3).nonzero()] == [(12, 16)]
    assert [tuple(n.tolist()) for n in planes[1].grad[0].abs().gt(1e-3).nonzero()] == [(4, 6)]
    assert planes[2].grad is None or not planes[2].grad.any()
