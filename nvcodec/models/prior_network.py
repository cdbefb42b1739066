"""The network that predicts the latents of a frame: means and table indices in integers, the same on every machine.

It reads decoded integers only: the hyper-latents of the frame, the latents of the two frames before, and in its second
step those of the first. Trained and frozen it is the same code over :mod:`nvcodec.models.integer`'s layers.

    z -> hyper decoder -------\\
                               fuse -> blocks -> features -> head -> first step's means, indices, gates
    y1, y1 - y2 -> temporal --/                     |
                               first step's latents + -> fuse -> blocks -> head -> second step's
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nvcodec.errors import FormatError
from nvcodec.models.integer import (
    ACTIVATION_LIMIT,
    IntegerDepthwise,
    IntegerLayer,
    IntegerLinear,
    Integers,
    floor_clip,
    shift_right,
    straight_through,
)
from nvcodec.models.latents import LATENT_LIMIT, SEEN_UNIT, UNIT, moved, neighbour_taps, seen

TABLES = 64
MAX_WIDTH, MAX_BLOCKS = 1024, 32  # of a file's prior
GATE = 64  # an open gate
MEAN_LIMIT = (1 << 15) - 1  # of the network's share of a mean
TAP_LIMIT = 31  # of a spatial tap in 1/64: four of them times LATENT_LIMIT stay below 2**24
_SCALE = 64.0  # of hidden activations
_INDEX_SCALE = 8.0  # eight tables double the standard deviation, about


@dataclass(frozen=True)
class PriorConfig:
    """Sizes of a prior. ``flat_channels`` are the latents' channels that hold local means (a DCT's DC), whose
    spatial prediction starts as the mean of four neighbours."""

    latents: int = 96  # channels at 1/8: four times as many at 1/16; even
    hyper: int = 32  # channels of z at 1/64
    hyper_width: int = 64
    width: int = 128
    temporal_blocks: int = 2
    temporal_kernel: int = 5
    blocks: int = 2  # of each step
    flat_channels: tuple[int, ...] = (0, 64, 80)

    def fault(self) -> str | None:
        """Why no prior has these sizes, or None; for sizes that a file states."""
        sizes = {name: getattr(self, name) for name in ("latents", "hyper", "hyper_width", "width")}
        for name, value in sizes.items():
            if not 1 <= value <= MAX_WIDTH:
                return f"{name} is 1..{MAX_WIDTH}, not {value}"
        if self.latents % 2:
            return f"the number of latent channels is even, not {self.latents}"
        if self.temporal_kernel not in (1, 3, 5, 7):
            return f"temporal_kernel is 1, 3, 5 or 7, not {self.temporal_kernel}"
        if not (0 <= self.temporal_blocks <= MAX_BLOCKS and 0 <= self.blocks <= MAX_BLOCKS):
            return f"there are at most {MAX_BLOCKS} blocks"
        return (
            None if all(0 <= c < self.latents for c in self.flat_channels) else "a flat channel is none of the latents'"
        )

    @property
    def side_channels(self) -> int:
        """Channels of integers beside latents that the network reads."""
        return 0

    @property
    def step_channels(self) -> int:
        """Channels coded in one of the two steps."""
        return 2 * self.latents

    def network(self) -> PriorNetwork:
        """A network of these sizes at its start."""
        return PriorNetwork(self)


SMALL_PRIOR = PriorConfig()
MEDIUM_PRIOR = PriorConfig(hyper_width=96, width=208, temporal_blocks=3, blocks=3)


def hyper_size(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of z for latents of (h, w) at 1/16."""
    return -(-size[0] // 4), -(-size[1] // 4)


class History(NamedTuple):
    """Decoded latents of the two frames that a frame leans on first, None where there is none, and what else of
    integers is known of it: ``side`` (N, side, h, w), for priors that read it."""

    last: Tensor | None
    older: Tensor | None
    side: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """A step's prediction, all (N, h, w, C) floats that hold integers."""

    means: Tensor  # 1/16 of a quantisation step
    indices: Tensor  # 0..63
    carried: Tensor  # the part of the means that came from the frame before


class IntegerBlock(nn.Module):
    """1x1, ReLU, depthwise, ReLU, 1x1, residual, in integers; starts as the identity. Keeps (N, h, w, C)."""

    def __init__(self, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.expand = IntegerLinear(width, width, gain=1.4, relu=True)
        self.depthwise = IntegerDepthwise(width, kernel, relu=True)
        self.project = IntegerLinear(width, width, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        return floor_clip(x + self.project(self.depthwise(self.expand(x))), -ACTIVATION_LIMIT, ACTIVATION_LIMIT)


class HyperDecoder(nn.Module):
    """z (N, h/4, w/4, hyper) -> (N, h, w, width), by two enlargements by 2."""

    def __init__(self, hyper: int, width: int) -> None:
        super().__init__()
        self.up1 = IntegerLinear(hyper, 4 * width, in_scale=8, gain=1.4, relu=True)
        self.smooth1 = IntegerDepthwise(width, 3, relu=True)
        self.up2 = IntegerLinear(width, 4 * width, gain=1.4, relu=True)
        self.smooth2 = IntegerDepthwise(width, 3, relu=True)

    def forward(self, z: Tensor, size: tuple[int, int]) -> Tensor:
        x = self.smooth1(_enlarged(self.up1(z.clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT))))
        x = self.smooth2(_enlarged(self.up2(x)))
        return x[:, : size[0], : size[1]]


def _enlarged(x: Tensor) -> Tensor:
    """(N, h, w, 4C) -> (N, 2h, 2w, C)."""
    n, h, w, c = x.shape
    return x.view(n, h, w, 2, 2, c // 4).transpose(2, 3).reshape(n, 2 * h, 2 * w, c // 4)


class PriorNetwork(nn.Module):
    """See the module. Latents and z come in as (N, h, w, channels) floats that hold integers."""

    carries = True  # means start from the latents one frame ago

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        width, step = config.width, config.step_channels
        if (why := config.fault()) is not None:
            raise ValueError(why)
        self.config = config
        self.hyper = HyperDecoder(config.hyper, config.hyper_width)
        scales = torch.tensor([float(SEEN_UNIT)] * 4 * step + [_SCALE] * self._side_channels())
        self.temporal_in = IntegerLinear(len(scales), width, in_scale=scales, by_quality=True)
        self.temporal = _blocks(width, config.temporal_blocks, config.temporal_kernel)
        self.fuse1 = IntegerLinear(config.hyper_width + width, width, by_quality=True)
        self.blocks1 = _blocks(width, config.blocks)
        scales = torch.tensor([_SCALE] * width + [float(SEEN_UNIT)] * 2 * step)
        self.fuse2 = IntegerLinear(width + 2 * step, width, in_scale=scales, by_quality=True)
        self.blocks2 = _blocks(width, config.blocks)
        self.head1, self.head2 = _head(width, step, self.carries, 0), _head(width, step, self.carries, 1)
        self.taps = nn.Parameter(torch.zeros(config.latents, 4))  # left, right, up, down
        with torch.no_grad():
            self.taps[list(config.flat_channels)] = 0.25

    def layers(self) -> Iterator[tuple[str, IntegerLayer]]:
        """(name, layer) in a fixed order."""
        for name, module in self.named_modules():
            if isinstance(module, IntegerLayer):
                yield name, module

    @torch.no_grad()
    def export(self) -> dict[str, NDArray[Any]]:
        """Every integer of the network: each layer's under its name, and ``taps`` int8 (latents, 4).

        Raises ValueError where a layer's sums could be inexact.
        """
        arrays = {f"{name}.{key}": value for name, layer in self.layers() for key, value in layer.export().items()}
        return {**arrays, "taps": self.integer_taps().cpu().numpy().astype(np.int8)}

    def freeze(self, arrays: Integers) -> None:
        """Compute from these integers from now on. Raises FormatError unless they fit and keep every sum exact."""
        for name, layer in self.layers():
            layer.freeze({key.removeprefix(f"{name}."): value for key, value in arrays.items() if key.startswith(name)})
        taps = arrays.get("taps")
        if taps is None or taps.shape != (self.config.latents, 4) or taps.dtype != np.int8:
            raise FormatError(f"integer weights: taps is not int8 {(self.config.latents, 4)}")
        if np.abs(taps.astype(np.int64)).max() > TAP_LIMIT:
            raise FormatError("integer weights: a tap is out of range")
        self.taps = nn.Parameter(torch.from_numpy(taps.astype(np.float32) / 64), requires_grad=False)

    @torch.no_grad()
    def start_indices(self, first: Tensor, second: Tensor) -> None:
        """Let table indices start at these, (8 anchors of quality, step_channels), wherever nothing is known."""
        for head, index in ((self.head1, first), (self.head2, second)):
            head.bias[:, self.config.step_channels : 2 * self.config.step_channels] = index / _INDEX_SCALE

    def integer_taps(self) -> Tensor:
        """(latents, 4) in 1/64."""
        scaled = self.taps * 64
        return straight_through(scaled.round().clamp(-TAP_LIMIT, TAP_LIMIT), scaled)

    def _side_channels(self) -> int:
        return 1

    def features(self, z: Tensor, history: History, quality: Tensor | int, size: tuple[int, int]) -> Tensor:
        """What the first step's head reads, (N, h, w, width)."""
        hyper = self.hyper(z, size)
        return self.blocks1(self.fuse1(torch.cat((hyper, self._history(history, hyper, quality)), -1), quality))

    def _history(self, history: History, like: Tensor, quality: Tensor | int) -> Tensor:
        """Features of the latents one and two frames ago (N, h, w, 4C); zeros in a frame that has none before it."""
        last, older, _ = history
        if last is None:
            return like.new_zeros((*like.shape[:3], self.config.width))
        flag = like.new_full((*like.shape[:3], 1), 0.0 if older is None else _SCALE)
        change = torch.zeros_like(last) if older is None else seen(last - older)
        return self.temporal(self.temporal_in(torch.cat((seen(last), change, flag), -1), quality))

    def first(self, features: Tensor, last: Tensor | None, quality: Tensor | int) -> Step:
        """The first step, given its latents one frame ago."""
        share, indices, *gates = _parts(self.head1.sums(features, quality), 2 + self.carries)
        carried = _gated(gates[0], last) if self.carries else torch.zeros_like(share)
        return Step((share + carried).clamp(-LATENT_LIMIT, LATENT_LIMIT), indices, carried)

    def second(self, features: Tensor, step: Step, decoded: Tensor, last: Tensor | None, quality: Tensor | int) -> Step:
        """The second step, given the first one's prediction and decoded latents, and its own latents one frame ago."""
        inputs = torch.cat((features, seen(decoded), seen(decoded - step.means)), -1)
        sums = self.head2.sums(self.blocks2(self.fuse2(inputs, quality)), quality)
        share, indices, *gates = _parts(sums, 3 + self.carries)
        carried, spatial_gate = _gated(gates[0], last) if self.carries else torch.zeros_like(share), gates[-1]
        # Neighbours tell by how much the frame before misses: everything, where there is none.
        spatial = _gated(spatial_gate, self._spatial(decoded - step.carried))
        return Step((share + spatial + carried).clamp(-LATENT_LIMIT, LATENT_LIMIT), indices, carried)

    def _spatial(self, missed: Tensor) -> Tensor:
        """Linear prediction of the second step's elements from their four neighbours in the first's."""
        missed = missed.clamp(-LATENT_LIMIT, LATENT_LIMIT)
        taps, blocks = self.integer_taps(), missed.chunk(4, -1)
        sums = []
        for block, neighbours in enumerate(neighbour_taps()):
            weights = taps[block // 2 :: 2]
            parts = [moved(blocks[b], dy, dx) * weights[:, k] for k, (b, dy, dx) in enumerate(neighbours)]
            sums.append(parts[0] + parts[1] + parts[2] + parts[3])
        return shift_right(torch.cat(sums, -1), 6, LATENT_LIMIT)


def _blocks(width: int, count: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(*(IntegerBlock(width, kernel) for _ in range(count)))


def _head(width: int, step: int, carried: bool, spatial: int) -> IntegerLinear:
    """Means, indices and gates side by side; starts at mean 0, a standard deviation near 1, gates half open or
    (the spatial one) open."""
    gates = carried + spatial
    scales = [float(UNIT)] * step + [_INDEX_SCALE] * step + [GATE / 2.0] * gates * step
    head = IntegerLinear(width, step * (2 + gates), out_scale=torch.tensor(scales), gain=0.1, by_quality=True)
    with torch.no_grad():
        head.bias[:, step : 2 * step] = 22 / _INDEX_SCALE
        head.bias[:, 2 * step : (2 + carried) * step] = 1.0
        head.bias[:, (2 + carried) * step :] = 2.0
    return head


def _parts(sums: Tensor, count: int) -> list[Tensor]:
    """A head's sums as means, indices 0..63, gates 0..64."""
    mean, index, *gates = sums.chunk(count, -1)
    shares = floor_clip(mean, -MEAN_LIMIT, MEAN_LIMIT), floor_clip(index, 0, TABLES - 1)
    return [*shares, *(floor_clip(gate, 0, GATE) for gate in gates)]


def _gated(gate: Tensor, values: Tensor | None) -> Tensor:
    """gate / 64 of the values, rounded half up; zeros without values."""
    return torch.zeros_like(gate) if values is None else shift_right(gate * values, 6, LATENT_LIMIT)


def macs_per_pixel(config: PriorConfig) -> float:
    """Multiply-adds of the layers for each luma pixel of a predicted frame."""
    total = 0.0
    with torch.device("meta"):
        network = config.network()
    for name, layer in network.layers():
        density = {"hyper.up1": 1 / 16, "hyper.smooth1": 1 / 4, "hyper.up2": 1 / 4}.get(name, 1.0)
        total += density * layer.outputs * layer.fan_in
    return (total + 2 * config.step_channels * 4) / 256
