"""Keeps a fit from being lost to one bad step: clips outlying gradients, and goes back after a collapse.

Optimisers that normalise their updates do not see how large a gradient is; one outlier in a momentum leads them astray
for many steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

CLIP = 3.0  # times the usual norm
FORGET = 0.02  # weight of the newest norm in the usual one
COLLAPSE = 8.0  # times the best error: frames differ, so that a running mean of few of them may rise several times
KEEP_BELOW = 1.2  # times the best error: good enough to come back to
KEEP_EVERY = 0.01  # of the whole fit


class GradientClip:
    """Scales gradients down to :data:`CLIP` times their usual norm."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self._usual: float | None = None

    def apply(self) -> None:
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = float(nn.utils.get_total_norm(gradients))
        if not math.isfinite(norm):
            for gradient in gradients:
                gradient.zero_()
            return
        usual = norm if self._usual is None else self._usual
        bound = min(norm, CLIP * usual)
        if bound < norm:
            for gradient in gradients:
                gradient.mul_(bound / norm)
        self._usual = usual + FORGET * (bound - usual)


class Checkpoint:
    """The last parameters that were good; errors are running means of the loss, ``progress`` is in [0, 1]."""

    def __init__(self, parameters: nn.Module) -> None:
        self._parameters = parameters
        self._kept: list[Tensor] | None = None
        self._kept_at = 0.0
        self.best = float("inf")  # the least error so far
        self.returns = 0  # how often the fit had to go back

    def watch(self, error: float, progress: float) -> bool:
        """Keep the parameters if they are good; go back to the kept ones after a collapse and return True."""
        if self._kept is not None and not error < COLLAPSE * self.best:
            self._restore()
            return True
        self.best = min(self.best, error)
        if error < KEEP_BELOW * self.best and progress - self._kept_at >= KEEP_EVERY:
            self._kept = [p.detach().clone() for p in self._parameters.parameters()]
            self._kept_at = progress
        return False

    @torch.no_grad()
    def _restore(self) -> None:
        assert self._kept is not None
        for parameter, kept in zip(self._parameters.parameters(), self._kept, strict=True):
            parameter.copy_(kept)
        self.returns += 1
