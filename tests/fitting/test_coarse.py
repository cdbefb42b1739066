"""A coarse first part sees an averaged picture through the same weights, and hands them on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nvcodec.codecs.hnerv import HNeRVCodec
from nvcodec.codecs.nerv import NeRVCodec
from nvcodec.codecs.nirvana import NirvanaCodec
from nvcodec.codecs.registry import get_codec
from nvcodec.fitting.clip import Clip
from nvcodec.fitting.coarse import AveragedClip, CoarseFirst, coarse_growth, coarse_scene, full_scene
from nvcodec.fitting.fit import FitSettings, fit
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import Plan

SAMPLES = 300  # a step: the clip below is more than three tiles


@pytest.fixture(scope="module")
def clip(crop: Any) -> Clip:
    return Clip(crop(80, 96, 3), 8)


def start(clip: Clip, codec: Any = None) -> tuple[Any, Any, torch.nn.Module]:
    codec = codec or get_codec("hnerv")
    config = codec.plan(3000, clip.frame_count, *clip.phases.shape[-2:])
    torch.manual_seed(0)
    return codec, config, codec.network(config)


def run(clip: Clip, steps: int, coarse: CoarseFirst | None, **settings: Any) -> tuple[CodedParameters, list[float]]:
    codec, config, network = start(clip)
    parameters, psnr = CodedParameters(network, codec.start_embedding(clip, config)), []
    fit(
        network, parameters, clip, lambda frames, e: codec.network_input(frames, e, clip.frame_count, "cpu"),
        FitSettings(Plan(steps=steps), lam=0.02, batch_samples=SAMPLES, coarse=coarse, **settings),
        lambda s: psnr.append(s.psnr), config.growth(),
    )  # fmt: skip
    return parameters, psnr


@pytest.mark.parametrize("depth", [8, 10])
def test_samples_are_averaged_and_edges_keep_their_level(depth: int) -> None:
    rng = np.random.default_rng(0)
    kind = np.uint8 if depth == 8 else np.uint16

    def plane(rows: int, columns: int) -> NDArray[Any]:
        return rng.integers(0, 1 << depth, (rows, columns), kind)

    clip = Clip([(plane(14, 22), plane(7, 11), plane(7, 11)) for _ in range(2)], depth)
    small = AveragedClip(clip, 2)
    assert small.phases.shape == (2, 6, 4, 6) and small.phases.dtype == clip.phases.dtype and small.peak == clip.peak
    wide = clip.phases.double()
    torch.testing.assert_close(small.phases[:, :, 1, 2].double(), wide[:, :, 2:4, 4:6].mean((2, 3)), atol=0.5, rtol=0)
    torch.testing.assert_close(small.phases[:, :, 3, 5].double(), wide[:, :, 6, 10], atol=0, rtol=0)
    torch.testing.assert_close(small.means(), small.phases.double().mean((0, 2, 3)).float() / clip.peak)


@pytest.mark.parametrize("codec", [HNeRVCodec(), NeRVCodec(), NirvanaCodec()], ids=lambda codec: codec.name)
def test_the_last_stage_hands_on_what_the_coarse_one_made(clip: Clip, codec: Any) -> None:
    """Where the kernels of a channel's phases are the same, the full stage repeats the coarse one's values."""
    _, config, network = start(clip, codec)
    full = full_scene(network, clip, config.growth(), SAMPLES, 0)
    scene = coarse_scene(full, config.growth(), SAMPLES, 0, CoarseFirst())
    assert scene is not None and len(scene.tiles) < len(full.tiles)
    assert scene.tiles[-1].rows.stop == scene.clip.phases.shape[-2]
    last = len(config.growth().stages) - 1
    stage = network.get_submodule(f"stages.{last}")
    weights = {name: p.detach() for name, p in network.named_parameters()}
    for name in scene.joined:
        means = scene.weights(weights)[name]
        assert len(means) * scene.phases == len(weights[name])
        network.get_parameter(name).data.copy_(means.repeat_interleave(scene.phases, 0))
    x = torch.randn(1, config.growth().stages[-1].c_in, 6, 7)
    kind = {name.rsplit(".", 1)[1]: value for name, value in scene.weights(weights).items() if name in scene.joined}
    shown = torch.func.functional_call(
        scene.network.get_submodule(f"stages.{last}"), {f"conv.{k}": v for k, v in kind.items()}, (x,)
    )
    stride = config.growth().stages[-1].stride
    torch.testing.assert_close(stage(x), functional.interpolate(shown, scale_factor=stride, mode="nearest"))



def test_a_mean_is_known_where_all_that_it_is_of_is(crop):
    known = np.ones((2, 5, 8), bool)
    known[0, 1, 3] = known[1, 4, 7] = False
    small = AveragedClip(Clip(crop(16, 10, 2), 8, known=known), 2)
    assert small.known.shape == (2, 3, 4)
    assert (~small.known).nonzero().tolist() == [[0, 0, 1], [1, 2, 3]]


def test_a_coarse_picture_is_as_large_as_its_growth_says(clip: Clip) -> None:
    _, config, _ = start(clip)
    growth = config.growth()
    stages = len(growth.stages)
    assert coarse_growth(growth).cells(stages) == growth.cells(stages - 1)


@pytest.mark.parametrize("single", [1, 9])
def test_blocks_behind_the_last_stage_that_enlarges_run_at_the_coarse_size(clip: Clip, single: int) -> None:
    """Of networks whose stages have two blocks, of which the second enlarges nothing, and of those that have one."""
    codec = get_codec("hnerv-boost")
    config = replace(codec.plan(9000, clip.frame_count, *clip.phases.shape[-2:]), single=min(single, 8))
    growth, network = config.growth(), codec.network(config)
    full = full_scene(network, clip, growth, SAMPLES, 0)
    scene = coarse_scene(full, growth, SAMPLES, 0, CoarseFirst())
    assert scene is not None and scene.joined
    stride = next(stage.stride for stage in reversed(growth.stages) if stage.stride > 1)
    assert scene.clip.phases.shape[-2:] == tuple(-(-side // stride) for side in clip.phases.shape[-2:])
    weights = scene.weights({name: p.detach() for name, p in network.named_parameters()})
    x = codec.network_input([0], torch.zeros(1, config.embedding_channels, *config.grid), 3, "cpu")
    shown = torch.func.functional_call(scene.network, weights, (x,))
    assert shown.shape[-2:] == coarse_growth(growth).cells(len(growth.stages))
    assert shown.shape[-2] * stride == network(x).shape[-2]


def test_pictures_of_few_tiles_are_fitted_in_full(clip: Clip) -> None:
    _, config, network = start(clip)
    full = full_scene(network, clip, config.growth(), SAMPLES, 0)
    assert len(full.tiles) > 2
    settings = CoarseFirst(fewest_tiles=len(full.tiles) + 1)
    assert coarse_scene(full, config.growth(), SAMPLES, 0, settings) is None
    assert coarse_scene(full_scene(network, clip, None, SAMPLES, 0), None, SAMPLES, 0, CoarseFirst()) is None


@pytest.mark.parametrize("coded", [True, False])
def test_a_fit_that_starts_coarse_learns_and_repeats_itself(clip: Clip, coded: bool) -> None:
    (a, psnr), (b, _) = (run(clip, 120, CoarseFirst(), coded=coded) for _ in range(2))
    plain, _ = run(clip, 120, None, coded=coded)
    assert psnr[-1] > psnr[0] + 3
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.weights[0], plain.weights[0])
    if coded:
        assert all(torch.equal(step * 16, (step * 16).round()) for step in a.weight_steps)


def test_an_encoder_takes_it_for_groups_that_stand_alone(monkeypatch: pytest.MonkeyPatch, crop: Any) -> None:
    """Groups that lean on the one before have a network that shows the picture in full already."""
    from nvcodec.codecs import encoding
    from nvcodec.codecs.base import GroupSpec
    from nvcodec.format import VideoFormat

    seen: list[CoarseFirst | None] = []

    def spied(*arguments: Any) -> Any:
        seen.append(arguments[4].coarse)
        return fit(*arguments)

    monkeypatch.setattr(encoding, "fit", spied)
    codec, format = get_codec("hnerv"), VideoFormat(32, 32)
    spec = GroupSpec(preset="faster", chain=True)
    first = codec.encode_group(crop(32, 32, 2), format, spec)
    codec.encode_group(crop(32, 32, 2), format, spec, None, first.state)
    assert seen[0] == CoarseFirst() and len(seen) > 1 and not any(seen[1:])
