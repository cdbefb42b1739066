"""What a fitted codec transmits: weights and an embedding, each with learned quantisation steps.

While fitting, rounding is replaced by uniform noise of one step (Balle et al. 2017), later by rounding with a
straight-through gradient. Steps are powers of two in log2 units, learned with everything else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nvcodec.fitting.rate import modelled_bits

STEP_GRID = 16  # coded steps are 2**(n / 16)
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


def best_predictions(values: Tensor, before: Tensor) -> Tensor:
    """(C,) weights n/8 under which what is left of (T, C, h, w) ``values`` is smallest: the stream's own choice."""
    choices = torch.arange(PREDICTIONS + 1, device=values.device) / PREDICTIONS
    left = torch.stack([(values - before * weight).abs().mean((0, 2, 3)) for weight in choices])
    return choices[left.argmin(0)]


class CodedParameters(nn.Module):
    """The transmitted numbers of one network.

    ``weights[name]`` are float32 masters, ``weight_steps[name]`` their log2 steps (one a tensor); ``embedding`` is
    (T, C, h, w) with ``embedding_steps`` (1, C, 1, 1), or None.
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

    @property
    def count(self) -> int:
        """Coded numbers, steps apart."""
        return sum(p.numel() for p in self.weights) + (0 if self.embedding is None else self.embedding.numel())

    def perturbed_weights(
        self, noise: bool, generator: torch.Generator | None = None
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """name -> (values in steps, step)."""
        out = {}
        for name, weight, log_step in zip(self.names, self.weights, self.weight_steps, strict=True):
            step = _step(log_step, noise)
            out[name] = (_perturb(weight / step, noise, generator), step)
        return out

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
        assert self.embedding is not None and self.embedding_steps is not None
        values = _perturb(self.embedding / _step(self.embedding_steps, noise), noise, generator)
        before = torch.cat([torch.zeros_like(values[:1]), values[:-1]])
        weights = best_predictions(values.detach(), before.detach())
        residual = values - before * weights[:, None, None]
        return modelled_bits(residual.transpose(0, 1).flatten(1), not noise)

    @torch.no_grad()
    def snap_steps(self) -> None:
        """Put every step on the grid that the stream can express."""
        for steps in [*self.weight_steps, self.embedding_steps]:
            if steps is not None:
                steps.copy_((steps * STEP_GRID).round() / STEP_GRID)
