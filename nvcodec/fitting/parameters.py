"""What a fitted codec transmits: weights and an embedding, each with learned quantisation steps.

While fitting, rounding is replaced by uniform noise of one step (Balle et al. 2017), later by rounding with a
straight-through gradient. Steps are powers of two in log2 units, learned with everything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nvcodec.fitting.rate import modelled_bits

STEP_GRID = 16  # coded steps are 2**(n / 16)
LEAST_STEP = -13.0  # log2
PREDICTIONS = 8  # an embedding is predicted by n/8 of the frame before


def _perturb(values: Tensor, noise: bool, generator: torch.Generator | None) -> Tensor:
    """Values in steps with uniform noise, or rounded with a straight-through gradient."""
    if noise:
        return values + (torch.rand(values.shape, generator=generator, device=values.device) - 0.5)
    return values + (values.round() - values).detach()


def _step(log2_step: Tensor, noise: bool) -> Tensor:
    """The step itself; beside rounding it lies on the stream's grid already.

    Rounded values gather at the borders of their bins, so that no step may move afterwards.
    """
    if not noise:
        log2_step = log2_step + ((log2_step * STEP_GRID).round() / STEP_GRID - log2_step).detach()
    return torch.exp2(log2_step)


def _log2_part(values: Tensor, dims: tuple[int, ...], depth: int, keepdim: bool = False) -> Tensor:
    """Of a ``2**depth``-th of the way from least to largest, not below the stream's smallest step."""
    return torch.log2((values.amax(dims, keepdim) - values.amin(dims, keepdim)) / 2**depth).clamp_min(LEAST_STEP)


def best_predictions(values: Tensor, before: Tensor) -> Tensor:
    """(C,) weights n/8 under which what is left of (T, C, h, w) ``values`` is smallest: the stream's own choice."""
    choices = torch.arange(PREDICTIONS + 1, device=values.device) / PREDICTIONS
    left = torch.stack([(values - before * weight).abs().mean((0, 2, 3)) for weight in choices])
    return choices[left.argmin(0)]


@dataclass(frozen=True)
class Before:
    """What the group before left, where a fit begins and its parameters may be coded as differences to."""

    weights: tuple[Tensor, ...]
    weight_steps: tuple[float, ...]  # log2
    embedding: Tensor | None = None  # (C, h, w), its last frame
    embedding_steps: Tensor | None = None  # (1, C, 1, 1), log2


class CodedParameters(nn.Module):
    """The transmitted numbers of one network.

    ``weights[name]`` are float32 masters, ``weight_steps[name]`` their log2 steps (one a tensor); ``embedding`` is
    (T, C, h, w) with ``embedding_steps`` (1, C, 1, 1), or None. After :meth:`follow`, ``bases[name]`` is what of a
    weight is not transmitted: the value before, or 0 where differences would cost more.
    """

    def __init__(self, network: nn.Module, embedding: Tensor | None = None, resolution: float = 8.0) -> None:
        super().__init__()
        self.names = [name for name, _ in network.named_parameters()]
        self.weights = nn.ParameterList(nn.Parameter(p.detach().clone()) for _, p in network.named_parameters())
        steps = [math.log2(max(float(p.detach().square().mean().sqrt()), 2e-3) / resolution) for p in self.weights]
        self.weight_steps = nn.ParameterList(nn.Parameter(torch.tensor(step)) for step in steps)
        self.embedding: nn.Parameter | None = None
        self.embedding_steps: nn.Parameter | None = None
        if embedding is not None:
            self.embedding = nn.Parameter(embedding.clone())
            spread = embedding.square().mean((0, 2, 3), keepdim=True).sqrt().clamp_min(1e-3)
            self.embedding_steps = nn.Parameter(torch.log2(spread / resolution))
        self.before: Before | None = None
        self.leaning = [False] * len(self.weights)  # whether a weight is coded as a difference

    @torch.no_grad()
    def follow(self, before: Before) -> None:
        """Begin with the network of the group before, every frame's embedding with the last one there."""
        self.before = before
        self.leaning = [True] * len(self.weights)
        for weight, steps, value, log2_step in zip(
            self.weights, self.weight_steps, before.weights, before.weight_steps, strict=True
        ):
            weight.copy_(value)
            steps.fill_(log2_step)
        if self.embedding is not None and self.embedding_steps is not None:
            assert before.embedding is not None and before.embedding_steps is not None
            self.embedding.copy_(before.embedding.expand_as(self.embedding))
            self.embedding_steps.copy_(before.embedding_steps)

    def base(self, index: int) -> Tensor | None:
        """What weight ``index`` is coded as a difference to, or None."""
        return self.before.weights[index] if self.before is not None and self.leaning[index] else None

    @torch.no_grad()
    def untransmitted_apart(self) -> list[Tensor]:
        """Weights without their bases: what is coded of each."""
        bases = [self.base(index) for index in range(len(self.weights))]
        return [w.detach() if b is None else w - b for w, b in zip(self.weights, bases, strict=True)]

    @torch.no_grad()
    def choose_leaning(self) -> None:
        """Weights are coded as differences where that takes fewer bits."""
        if self.before is None:
            return
        for index, (weight, steps) in enumerate(zip(self.weights, self.weight_steps, strict=True)):
            step = torch.exp2(steps)
            values = (weight - self.before.weights[index]) / step, weight / step
            bits = [float(modelled_bits(value.round().reshape(1, -1), rounded=True)) for value in values]
            self.leaning[index] = bits[0] <= bits[1]

    @property
    def count(self) -> int:
        """Coded numbers, steps apart."""
        return sum(p.numel() for p in self.weights) + (0 if self.embedding is None else self.embedding.numel())

    def perturbed_weights(
        self, noise: bool, generator: torch.Generator | None = None
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """name -> (what is coded, in steps; step)."""
        out = {}
        for index, (name, weight, log_step) in enumerate(zip(self.names, self.weights, self.weight_steps, strict=True)):
            step, base = _step(log_step, noise), self.base(index)
            out[name] = (_perturb((weight if base is None else weight - base) / step, noise, generator), step)
        return out

    def network_weights(self, perturbed: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """name -> what the network computes with."""
        coded = {name: values * step for name, (values, step) in perturbed.items()}
        bases = {name: self.base(index) for index, name in enumerate(self.names)}
        return {name: value if (base := bases[name]) is None else value + base for name, value in coded.items()}

    def perturbed_embedding(self, frames: list[int], noise: bool, generator: torch.Generator | None = None) -> Tensor:
        """(len(frames), C, h, w) as the decoder will see it, up to noise."""
        assert self.embedding is not None and self.embedding_steps is not None
        step = _step(self.embedding_steps, noise)
        chosen = torch.tensor(frames, device=self.embedding.device)  # indexing's gradient is not deterministic on CUDA
        return _perturb(self.embedding.index_select(0, chosen) / step, noise, generator) * step

    def plain(self, frames: list[int]) -> tuple[dict[str, Tensor], Tensor | None]:
        """(name -> weight, embedding (len(frames), C, h, w) or None) as they are, neither perturbed nor rounded."""
        chosen = torch.tensor(frames, device=self.weights[0].device)
        embedding = None if self.embedding is None else self.embedding.index_select(0, chosen)
        return dict(zip(self.names, self.weights, strict=True)), embedding

    def weight_bits(self, perturbed: dict[str, tuple[Tensor, Tensor]], noise: bool = True) -> Tensor:
        """Modelled bits of all weights, a differentiable scalar."""
        return torch.stack([modelled_bits(values.reshape(1, -1), not noise) for values, _ in perturbed.values()]).sum()

    def embedding_bits(self, noise: bool, generator: torch.Generator | None = None) -> Tensor:
        """Modelled bits of the whole embedding, each channel predicted from the frame before as the stream can."""
        return modelled_bits(self.embedding_residual(noise, generator), not noise)

    def embedding_residual(self, noise: bool, generator: torch.Generator | None = None) -> Tensor:
        """(C, T * h * w), in steps: what is coded of each channel."""
        assert self.embedding is not None and self.embedding_steps is not None
        values = _perturb(self.embedding / _step(self.embedding_steps, noise), noise, generator)
        before = torch.cat([self._last_embedding(values[:1]), values[:-1]])
        weights = best_predictions(values.detach(), before.detach())
        residual = values - before * weights[:, None, None]
        return residual.transpose(0, 1).flatten(1)

    @torch.no_grad()
    def _last_embedding(self, like: Tensor) -> Tensor:
        """The frame before the first one, (1, C, h, w) in steps; zeros where there is none."""
        if self.before is None or self.before.embedding is None or self.embedding_steps is None:
            return torch.zeros_like(like)
        return self.before.embedding / torch.exp2(self.embedding_steps)

    @torch.no_grad()
    def set_steps(self, depth: int) -> None:
        """Let every tensor and channel have ``2**depth`` steps from its least value to its largest, or fewer."""
        for index, (weight, steps) in enumerate(zip(self.weights, self.weight_steps, strict=True)):
            base = self.base(index)
            steps.copy_(_log2_part(weight if base is None else weight - base, tuple(range(weight.ndim)), depth))
        if self.embedding is not None and self.embedding_steps is not None:
            self.embedding_steps.copy_(_log2_part(self.embedding, (0, 2, 3), depth, keepdim=True))

    @torch.no_grad()
    def snap_steps(self) -> None:
        """Put every step on the grid that the stream can express."""
        for steps in [*self.weight_steps, self.embedding_steps]:
            if steps is not None:
                steps.copy_((steps * STEP_GRID).round() / STEP_GRID)
