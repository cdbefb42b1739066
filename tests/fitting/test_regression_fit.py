"""A fit without rate: float weights, no noise, a better picture than the coded fit of the same steps."""

import pytest
import torch

from nvcodec.codecs.encoding import start_of_fit
from nvcodec.codecs.registry import get_codec
from nvcodec.fitting.clip import Clip
from nvcodec.fitting.fit import FitSettings, FitStatus, fit
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import Plan


@pytest.fixture(scope="module")
def clip(crop) -> Clip:
    return Clip(crop(32, 32, 4), 8)


def run(clip: Clip, codec_name: str, **settings) -> tuple[CodedParameters, FitStatus]:
    codec = get_codec(codec_name)
    config = codec.plan(2000, clip.frame_count, *clip.phases.shape[-2:])
    network, parameters = start_of_fit(codec, config, clip, 0, "cpu")

    def inputs(frames, embedding):
        return codec.network_input(frames, embedding, clip.frame_count, "cpu")

    return parameters, fit(network, parameters, clip, inputs, FitSettings(Plan(steps=80), 0.02, **settings))


@pytest.mark.parametrize("codec", ["nerv", "hnerv"])
def test_a_regression_is_better_than_a_coded_fit(clip, codec):
    (_, free), (_, coded) = run(clip, codec, coded=False), run(clip, codec)
    assert free.psnr > coded.psnr + 0.3
    assert free.bits == 0 < coded.bits


def test_nothing_that_is_not_shown_is_learned(clip):
    codec = get_codec("hnerv")
    config = codec.plan(2000, clip.frame_count, *clip.phases.shape[-2:])
    before = start_of_fit(codec, config, clip, 0, "cpu")[1]
    after, _ = run(clip, "hnerv", coded=False)
    for a, b in zip(
        [*before.weight_steps, before.embedding_steps], [*after.weight_steps, after.embedding_steps], strict=True
    ):
        assert torch.equal(a, b)
    assert not torch.equal(before.embedding, after.embedding)


def test_it_repeats_itself(clip):
    (a, _), (b, _) = run(clip, "hnerv", coded=False), run(clip, "hnerv", coded=False)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_plain_parameters_are_the_masters(clip):
    parameters, _ = run(clip, "hnerv", coded=False)
    weights, embedding = parameters.plain([2, 0])
    assert all(torch.equal(w, p) for w, p in zip(weights.values(), parameters.weights, strict=True))
    assert torch.equal(embedding, parameters.embedding[[2, 0]])
