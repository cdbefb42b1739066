"""Coarse first: a large picture is fitted at a fraction of its size, then in full.

At full size a step sees one tile of one frame, and what it learns there about weights that all tiles share is lost
again at others. Averaged down by the last stage's stride, a picture is few tiles or one. No weight is added for that:
the coarse network's last stage enlarges nothing, and each of its channels has the mean of the kernels that make the
phases of that channel in full. What was learnt is thus where the full network needs it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from nvcodec.fitting.clip import Clip
from nvcodec.fitting.tiles import StepOrder, Tile, frames_a_step, plan_tiles
from nvcodec.models.blocks import UpBlock
from nvcodec.models.growth import Growth


@dataclass(frozen=True)
class CoarseFirst:
    """When and for how long."""

    share: float = 0.5  # of the fit, before it goes on in full
    fewest_tiles: int = 3  # of the full picture; a smaller one gains nothing (docs/fitting.md)


@dataclass(frozen=True)
class Scene:
    """What steps of a fit see: a network, frames of its size, and their order."""

    network: nn.Module
    clip: Clip
    tiles: list[Tile]
    order: StepOrder
    joined: frozenset[str] = frozenset()  # weights of which the mean over phases counts
    phases: int = 1  # how many consecutive rows of those are phases of one channel

    def weights(self, full: dict[str, Tensor]) -> dict[str, Tensor]:
        """name -> what this network computes with, from those of the full one."""
        if not self.joined:
            return full
        return {n: w.unflatten(0, (-1, self.phases)).mean(1) if n in self.joined else w for n, w in full.items()}


class AveragedClip(Clip):
    """``clip`` with ``stride`` x ``stride`` samples of each plane averaged, fewer at its lower and right edges."""

    def __init__(self, clip: Clip, stride: int) -> None:
        self.phases = torch.cat([
            functional.avg_pool2d(frame[None].float(), stride, ceil_mode=True).round().to(frame.dtype)
            for frame in clip.phases
        ])  # fmt: skip
        if clip.known is not None:  # a mean is known where all that it is of is
            unknown = functional.max_pool2d((~clip.known).float(), stride, ceil_mode=True)
            self.known = unknown == 0
        self._sums = self.phases.sum((0, 2, 3), dtype=torch.int64).cpu()
        self.bit_depth = clip.bit_depth
        self.height, self.width = (2 * side for side in self.phases.shape[-2:])


def full_scene(network: nn.Module, clip: Clip, growth: Growth | None, samples: int, seed: int) -> Scene:
    """All of ``clip``, about ``samples`` half-size samples a step; without ``growth`` never less than a frame."""
    rows, columns = clip.phases.shape[-2:]
    whole = [Tile(slice(0, rows), slice(0, columns))]
    tiles = whole if growth is None else plan_tiles(growth, rows, columns, samples)
    batch = frames_a_step(rows * columns, clip.frame_count, samples)
    return Scene(network, clip, tiles, StepOrder(clip.frame_count, len(tiles), batch, seed))


def last_enlarging(growth: Growth) -> int:
    """Which stage is the last one that enlarges; -1 if none does."""
    return max((number for number, stage in enumerate(growth.stages) if stage.stride > 1), default=-1)


def coarse_growth(growth: Growth) -> Growth:
    """``growth`` whose last stage that enlarges does not."""
    stages, last = list(growth.stages), last_enlarging(growth)
    stages[last] = replace(stages[last], stride=1)
    return replace(growth, stages=tuple(stages))


def coarse_network(network: nn.Module, last: int) -> nn.Module:
    """``network`` without the pixel shuffle of stage ``last``; for weights as of :meth:`Scene.weights`."""
    coarse = copy.deepcopy(network)
    stage = coarse.get_submodule(f"stages.{last}")
    assert isinstance(stage, UpBlock)
    stage.shuffle = nn.Identity()
    return coarse


def coarse_scene(full: Scene, growth: Growth | None, samples: int, seed: int, settings: CoarseFirst) -> Scene | None:
    """What a fit of ``full`` should see first, at as many ``samples`` a step; None if that would not pay."""
    if growth is None or len(full.tiles) < settings.fewest_tiles or (last := last_enlarging(growth)) < 0:
        return None
    stride = growth.stages[last].stride
    clip = AveragedClip(full.clip, stride)
    scene = full_scene(coarse_network(full.network, last), clip, coarse_growth(growth), samples, seed)
    joined = frozenset(f"stages.{last}.conv.{kind}" for kind in ("weight", "bias"))
    return replace(scene, joined=joined, phases=stride * stride)
