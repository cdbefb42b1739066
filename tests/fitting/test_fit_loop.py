"""Whole fits of tiny clips: they learn, follow lambda and a target, repeat themselves, and leave steps on the grid."""

from functools import partial

import numpy as np
import pytest
import torch

from nvcodec.codecs.registry import get_codec
from nvcodec.fitting.clip import Clip
from nvcodec.fitting.fit import FitSettings, fit
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import Plan


@pytest.fixture(scope="module")
def clip(crop) -> Clip:
    return Clip(crop(32, 32, 4), 8)


def run(clip: Clip, steps: int = 60, seed: int = 0, **settings):
    codec = get_codec("hnerv")
    config = codec.plan(2000, clip.frame_count, *clip.phases.shape[-2:])
    torch.manual_seed(seed)
    network = codec.network(config)
    parameters = CodedParameters(network, codec.start_embedding(clip, config))
    statuses = []
    status = fit(
        network, parameters, clip, lambda frames, e: codec.network_input(frames, e, clip.frame_count, "cpu"),
        FitSettings(Plan(steps=steps), **{"lam": 0.02, **settings}),
        lambda s: statuses.append((s.step, s.progress, s.psnr, s.bits)),
    )  # fmt: skip
    return parameters, status, statuses


def test_a_fit_learns_and_reports(clip):
    parameters, status, statuses = run(clip, 120)
    assert [s[0] for s in statuses] == list(range(1, 121))
    assert status.step == 120 and status.progress == 1.0
    assert status.psnr > statuses[0][2] + 5
    assert status.bits < statuses[0][3] and status.seconds > 0
    for steps in [*parameters.weight_steps, parameters.embedding_steps]:
        assert torch.equal(steps * 16, (steps * 16).round())


def test_the_same_settings_give_the_same_parameters(clip):
    (a, *_), (b, *_), (c, *_) = run(clip, 25), run(clip, 25), run(clip, 25, seed=1)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not all(torch.equal(x, y) for x, y in zip(a.parameters(), c.parameters(), strict=True))


def test_putting_steps_on_the_grid_changes_nothing(clip, monkeypatch):
    """While values are rounded, their steps are the stream's already: what was fitted is what is coded."""
    seen = []
    original = CodedParameters.snap_steps

    def snap(self: CodedParameters) -> None:
        def now() -> list[torch.Tensor]:
            values = [v * step for v, step in self.perturbed_weights(False).values()]
            return [t.detach().clone() for t in (*values, self.perturbed_embedding([0, 1, 2, 3], False))]

        before = now()
        original(self)
        seen.extend(zip(before, now(), strict=True))

    monkeypatch.setattr(CodedParameters, "snap_steps", snap)
    run(clip, 40)
    assert seen and all(torch.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in seen)


def test_a_larger_lambda_buys_quality_with_bits(clip):
    cheap, dear = run(clip, 100, lam=0.001)[1], run(clip, 100, lam=0.1)[1]
    assert dear.bits > cheap.bits and dear.psnr > cheap.psnr


def test_a_target_is_steered_towards(clip):
    free = run(clip, 60, lam=0.02)[1].bits
    few, many = (run(clip, 60, lam=0.02, target_bits=free * f)[1] for f in (0.3, 3))
    assert few.lam < 0.02 < many.lam


def test_nothing_is_learnt_of_what_is_not_known(crop):
    """Two clips that differ only there give the same parameters; without a mask they do not."""
    frames, known = crop(32, 32, 4), np.ones((4, 16, 16), bool)
    known[:, 3:9, 5:11] = False
    mixed = [tuple(p.copy() for p in planes) for planes in frames]
    for y, u, v in mixed:
        y[6:18, 10:22] ^= 85
        u[3:9, 5:11] ^= 85
        v[3:9, 5:11] ^= 85
    clips = Clip(frames, 8, known=known), Clip(mixed, 8, known=known), Clip(mixed, 8)
    codec = get_codec("hnerv")
    config = codec.plan(2000, 4, 16, 16)
    found = []
    for clip in clips:
        torch.manual_seed(0)
        network = codec.network(config)
        parameters = CodedParameters(network, codec.start_embedding(clips[0], config))  # only the fit can tell
        inputs = partial(network_input, codec)
        fit(network, parameters, clip, inputs, FitSettings(Plan(steps=25), lam=0.02))
        found.append(list(parameters.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(found[0], found[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(found[0], found[2], strict=True))


def network_input(codec, frames, embedding):
    return codec.network_input(frames, embedding, 4, "cpu")


def test_bf16_activations_learn_too(clip):
    _, status, statuses = run(clip, 30, precision="bf16")
    assert status.psnr > statuses[0][2] + 1

