"""E-NeRV: Expedite Neural Video Representation with Disentangled Spatial-Temporal Context (Li et al., ECCV 2022).

Places and time have branches of their own: an encoding of each cell of the grid goes through two transformer blocks,
between which the time's vector scales it. Stages are NeRV's, each behind an instance norm that the time scales and
shifts. Norms have no parameters of their own: the layers behind them have all that these could say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from nvcodec.models.blocks import UpBlock, make_activation, positional_encoding
from nvcodec.models.boost import BoostBlock, Condition, boosted
from nvcodec.models.growth import Growth, Stage, Window, grow
from nvcodec.models.nerv import NeRVConfig

EPSILON = 1e-5  # of all norms


@dataclass(frozen=True)
class NormStage(Stage):
    """What a :class:`NormBlock` is made of and costs."""

    middle: int = 0  # channels between the two steps of its convolution; 0 if it has one step

    def shapes(self) -> list[tuple[int, ...]]:
        area, k = self.stride * self.stride, self.kernel
        grown = self.middle or self.c_out
        weights = [(grown * area, self.c_in, k, k), *([(self.c_out, grown, k, k)] if self.middle else [])]
        return [shape for weight in weights for shape in (weight, weight[:1])]

    def cost(self, cells: int) -> tuple[int, int]:
        first, *rest = (prod(weight) for weight in self.shapes()[::2])
        values = cells * self.stride * self.stride
        macs = cells * (self.c_in + first) + values * sum(rest)
        return macs, 2 * cells * self.c_in + 2 * values * (self.c_out + self.middle)


@dataclass(frozen=True)
class ENeRVConfig(NeRVConfig):
    """Shape of the network; what is not said is that of the published 12.5 M parameters."""

    width: int = 196
    expansion: int = 3
    pe_levels: int = 80
    space_levels: int = 40  # of each coordinate's encoding
    tokens: int = 256  # width of the transformer blocks
    heads: int = 8  # of the second one; the first has one
    head_width: int = 64
    feed: int = 128  # width of their MLPs
    told: int = 128  # width of the second time vector
    squeeze: int = 4  # how many times fewer than ``width`` the channels that the first stage enlarges are

    def growth(self) -> Growth:
        plain = super().growth()
        stages = tuple(
            NormStage(s.c_in, s.c_out, s.stride, s.kernel, middle=0 if number else max(1, s.c_in // self.squeeze))
            for number, s in enumerate(plain.stages)
        )
        return replace(plain, stages=stages, windows=False)


@dataclass(frozen=True)
class ENeRVBoostConfig(ENeRVConfig):
    """Such a stem under the blocks of :mod:`nvcodec.models.boost`; ``told`` is the width of their condition."""

    activation: str = "sin"
    single: int = 2

    def growth(self) -> Growth:
        plain = NeRVConfig.growth(self)
        return replace(plain, stages=boosted(plain.stages, self.single))


class Attention(nn.Module):
    """Transformer block on (N, cells, width): each of its halves behind a layer norm, and added to what it takes."""

    def __init__(self, width: int, heads: int, head_width: int, feed: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, head_width
        self.asked = nn.Linear(width, 3 * heads * head_width)
        self.given = nn.Linear(heads * head_width, width)
        self.feed = nn.Sequential(nn.Linear(width, feed), nn.GELU(), nn.Linear(feed, width))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.asked(functional.layer_norm(x, x.shape[-1:], eps=EPSILON))
        q, k, v = parts.view(*x.shape[:2], 3, self.heads, self.head_width).permute(2, 0, 3, 1, 4)
        mixed = torch.softmax(q @ k.transpose(-1, -2) / sqrt(self.head_width), dim=-1) @ v
        x = x + self.given(mixed.transpose(1, 2).flatten(2))
        return x + self.feed(functional.layer_norm(x, x.shape[-1:], eps=EPSILON))


def attention_shapes(width: int, heads: int, head_width: int, feed: int) -> list[tuple[int, ...]]:
    """Of the parameters of :class:`Attention`."""
    inner = heads * head_width
    weights = [(3 * inner, width), (width, inner), (feed, width), (width, feed)]
    return [shape for weight in weights for shape in (weight, weight[:1])]


def stem_shapes(config: ENeRVConfig) -> list[tuple[int, ...]]:
    """Of the parameters of :class:`Stem`."""
    c, d = config, config.tokens
    first = [(c.hidden, 2 * c.pe_levels), (d, c.hidden), (d, 4 * c.space_levels)]
    blocks = [shape for heads in (1, c.heads) for shape in attention_shapes(d, heads, c.head_width, c.feed)]
    return [*(s for weight in first for s in (weight, weight[:1])), *blocks, (c.width, d), (c.width,)]


def stem_cost(config: ENeRVConfig) -> tuple[int, int]:
    """(multiply-adds, most values alive at once) of a frame's :class:`Stem`."""
    c, cells = config, prod(config.grid)
    time, layers = stem_shapes(c)[:4:2], stem_shapes(c)[4::2]
    mixing = 2 * cells * cells * (1 + c.heads) * c.head_width
    macs = sum(map(prod, time)) + cells * (sum(map(prod, layers)) + c.tokens) + mixing
    inner = c.heads * c.head_width
    alive = 2 * c.tokens + max(4 * inner + 2 * c.heads * cells, 2 * c.feed, 4 * c.space_levels, 2 * c.width)
    return macs, cells * alive


class Stem(nn.Module):
    """Encoded times (N, 2 * pe_levels) -> (N, width, rows, columns)."""

    def __init__(self, config: ENeRVConfig) -> None:
        super().__init__()
        self.config, c = config, config
        self.activation = make_activation(c.activation)
        self.time = nn.Sequential(
            nn.Linear(2 * c.pe_levels, c.hidden), self.activation, nn.Linear(c.hidden, c.tokens), self.activation
        )
        self.place = nn.Linear(4 * c.space_levels, c.tokens)
        self.first = Attention(c.tokens, 1, c.head_width, c.feed)
        self.second = Attention(c.tokens, c.heads, c.head_width, c.feed)
        self.out = nn.Linear(c.tokens, c.width)

    def places(self, device: torch.device) -> Tensor:
        """(cells, 4 * space_levels): codes of row and column of each cell."""
        rows, columns = (
            positional_encoding(
                torch.tensor([i / side for i in range(side)], dtype=torch.float32, device=device),
                self.config.pe_base,
                self.config.space_levels,
            )
            for side in self.config.grid
        )
        shape = len(rows), len(columns), rows.shape[1]
        return torch.cat((rows[:, None].expand(shape), columns[None].expand(shape)), -1).flatten(0, 1)

    def forward(self, code: Tensor) -> Tensor:
        x = self.first(self.activation(self.place(self.places(code.device).to(code.dtype)))[None])
        x = self.second(x * self.time(code)[:, None])
        x = self.activation(self.out(x)).transpose(1, 2)
        return x.reshape(len(code), -1, *self.config.grid).contiguous(memory_format=torch.channels_last)


class NormBlock(UpBlock):
    """Instance norm that the time scales and shifts; convolution, pixel shuffle, perhaps one more, activation."""

    def __init__(self, stage: NormStage, activation: str) -> None:
        grown = stage.middle or stage.c_out
        super().__init__(stage.c_in, grown, stage.stride, stage.kernel, activation)
        self.widen = nn.Conv2d(grown, stage.c_out, stage.kernel, padding=stage.kernel // 2) if stage.middle else None

    def forward(self, x: Tensor, told: Tensor) -> Tensor:  # type: ignore[override]
        scale, shift = told[..., None, None].unbind(1)
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        x = torch.addcmul(shift, (x - mean) * torch.rsqrt(variance + EPSILON), 1 + scale)
        x = self.shuffle(self.conv(x))
        return self.activation(x if self.widen is None else self.widen(x))


class ENeRV(nn.Module):
    """Times (N,) in [0, 1) -> pictures (N, out_channels, H, W) in [0, 1]."""

    def __init__(self, config: ENeRVConfig) -> None:
        super().__init__()
        self.config, growth, told = config, config.growth(), config.told
        self.stem = Stem(config)
        self.channels = [stage.c_in for stage in growth.stages]
        activation = make_activation(config.activation)
        self.told = nn.Sequential(nn.Linear(2 * config.pe_levels, told), activation, nn.Linear(told, told), activation)
        self.parts = nn.Linear(told, 2 * sum(self.channels))
        with torch.no_grad():
            self.parts.weight.zero_()  # stages that the time does not touch yet are easier to begin with
            self.parts.bias.zero_()
        self.stages = nn.ModuleList(
            NormBlock(stage, config.activation) for stage in growth.stages if isinstance(stage, NormStage)
        )
        self.head = nn.Conv2d(growth.head.c_in, config.out_channels, 1)

    def forward(self, t: Tensor, window: Window | None = None) -> Tensor:
        code = positional_encoding(t, self.config.pe_base, self.config.pe_levels).to(self.head.weight.dtype)
        parts = self.parts(self.told(code)).split([2 * c for c in self.channels], dim=1)
        x = grow(self.stem(code), self.stages, window, [part.view(len(code), 2, -1) for part in parts])
        return torch.tanh(self.head(x).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level


class ENeRVBoost(nn.Module):
    """Times (N,) in [0, 1) -> pictures (N, out_channels, H, W) in [0, 1]; with a ``window``, a part of them."""

    def __init__(self, config: ENeRVBoostConfig) -> None:
        super().__init__()
        self.config, growth = config, config.growth()
        self.condition = Condition(config.pe_levels, config.told, [stage.c_out for stage in growth.stages])
        self.stem = Stem(config)
        self.stages = nn.ModuleList(BoostBlock(stage) for stage in growth.stages)
        self.head = nn.Conv2d(growth.head.c_in, config.out_channels, 1)

    def forward(self, t: Tensor, window: Window | None = None) -> Tensor:
        code = positional_encoding(t, self.config.pe_base, self.config.pe_levels).to(self.head.weight.dtype)
        x = grow(self.stem(code), self.stages, window, self.condition(code))
        return torch.tanh(self.head(x).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level
