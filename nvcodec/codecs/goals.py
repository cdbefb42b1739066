"""Meeting ``--size``, ``--bpp`` and ``--psnr`` with a fitted network: a last, even change of all its steps.

The fit itself steers towards a size; what is left is trimmed by one offset on all step exponents, found by bisection
on the real payload (size) or the really decoded pictures (PSNR). Coarser steps: a smaller file and worse pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.codecs.base import GroupSpec, quality_lambda
from nvcodec.codecs.grids import largest
from nvcodec.codecs.prediction import WHOLE
from nvcodec.codecs.sizing import FEWEST_PARAMETERS, MOST_PARAMETERS, quality_for_psnr
from nvcodec.codecs.state import FittedState
from nvcodec.codecs.steps import step_exponent, step_size
from nvcodec.codecs.tensors import CodedTensors
from nvcodec.fitting.parameters import CodedParameters

PSNR_SLACK = 0.3  # dB above the floor that a result may have
SIZE_FLOOR = 0.93  # of the target
MOST_OFFSET = 96  # sixteenths of an octave: steps up to 64 times coarser or finer
CONFIG_BYTES = 40  # set aside for the network's description under a size goal


@dataclass(frozen=True)
class Candidate:
    """A quantised network and its bytes."""

    payload: bytes
    bits: float  # ideal bits of the symbols and their side information
    psnr: float | None = None  # dB, where it was measured
    leans: bool = False  # on the group before


Quantised = Callable[[int], CodedTensors]  # of a fit, with every step exponent raised by so much


def quantise(parameters: CodedParameters, offset: int = 0, previous: FittedState | None = None) -> CodedTensors:
    """Round all parameters with every step exponent raised by ``offset``; ``previous`` is what they follow, if any."""

    def exponent(log2_step: Tensor) -> int:
        return step_exponent(float(log2_step.detach()) + offset / 16)

    def rounded(values: Tensor, code: int) -> NDArray[np.int32]:
        scaled = values.detach().cpu().double() / float(step_size(code))
        return torch.clamp(scaled.round(), -(2**30), 2**30).numpy().astype(np.int32)

    exponents = [exponent(step) for step in parameters.weight_steps]
    weights = [rounded(w, e) for w, e in zip(parameters.untransmitted_apart(), exponents, strict=True)]
    out = CodedTensors(weights, exponents, previous=previous)
    if previous is not None:
        out.predictions = tuple(WHOLE if leaning else 0 for leaning in parameters.leaning)
    if parameters.embedding is not None and parameters.embedding_steps is not None:
        codes = out.embedding_exponents = tuple(exponent(step) for step in parameters.embedding_steps.flatten())
        channels = parameters.embedding.unbind(1)
        out.embedding = np.stack([rounded(c, e) for c, e in zip(channels, codes, strict=True)])
    return out


def last_true(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """The largest n in [low, high] with ``holds(n)``, if holding is falling in n; None if not even ``low`` holds."""
    return largest(low, high, holds) if holds(low) else None


@dataclass(frozen=True)
class Goal:
    """No goal: take the fit as it is."""

    lam: float
    attempts: int = 1
    decodes: int = 1  # whole decodes of the group after a fit, for planning time
    plain = True  # the objective alone says what is best

    @staticmethod
    def of(spec: GroupSpec) -> Goal:
        if spec.target_bytes is not None:
            return SizeGoal(quality_lambda(spec.quality), 1, 1, max(1, spec.target_bytes - CONFIG_BYTES))
        if spec.psnr_floor is not None:
            return PsnrGoal(quality_lambda(quality_for_psnr(spec.psnr_floor)), 5, 9, spec.psnr_floor)
        return Goal(quality_lambda(spec.quality))

    def choose(self, quantised: Quantised, psnr: Callable[[CodedTensors], float]) -> Candidate:
        return Candidate(*quantised(0).encode())

    def done(self, candidate: Candidate) -> bool:
        return True

    def met(self, candidate: Candidate) -> bool:
        return True

    def better(self, candidate: Candidate, than: Candidate) -> bool:
        return False

    def grow(self, count: int, candidate: Candidate) -> int:
        """Size of the next attempt's network."""
        return count

    def raise_lambda(self, lam: float, candidate: Candidate) -> float:
        """Lambda of the next attempt."""
        return lam


@dataclass(frozen=True)
class SizeGoal(Goal):
    """The finest steps whose payload is not over ``most_bytes``."""

    most_bytes: int = 0
    plain = False

    def choose(self, quantised: Quantised, psnr: Callable[[CodedTensors], float]) -> Candidate:
        def fits(coarseness: int) -> bool:  # holding falls as steps become finer, so count from coarse to fine
            return len(quantised(-coarseness).encode(scaled=False)[0]) <= self.most_bytes

        finest = last_true(-MOST_OFFSET, MOST_OFFSET, fits)
        offset = MOST_OFFSET if finest is None else -finest
        best = Candidate(*quantised(offset).encode())
        while offset > -MOST_OFFSET:  # scales make room for steps a little finer
            offset -= 1
            finer = Candidate(*quantised(offset).encode())
            if len(finer.payload) > self.most_bytes:
                break
            best = finer
        return best

    def met(self, candidate: Candidate) -> bool:
        return SIZE_FLOOR * self.most_bytes <= len(candidate.payload) <= self.most_bytes


@dataclass(frozen=True)
class PsnrGoal(Goal):
    """The coarsest steps that keep the floor; a larger network and more steps if the fit has not reached it."""

    floor: float = 0.0
    plain = False

    def choose(self, quantised: Quantised, psnr: Callable[[CodedTensors], float]) -> Candidate:
        measured: dict[int, float] = {}

        def holds(offset: int) -> bool:
            if offset not in measured:
                measured[offset] = psnr(quantised(offset))
            return measured[offset] >= self.floor

        # fine steps first: rounding may be what is in the way
        low = 0 if holds(0) else -32
        offset = last_true(low, MOST_OFFSET, holds)
        offset = 0 if offset is None else offset  # finer ones cost much and have not helped
        return Candidate(*quantised(offset).encode(), measured[offset])

    def done(self, candidate: Candidate) -> bool:
        assert candidate.psnr is not None
        return self.floor <= candidate.psnr <= self.floor + PSNR_SLACK

    def met(self, candidate: Candidate) -> bool:
        """Better than asked for is no failure: still content may be so at the smallest network."""
        assert candidate.psnr is not None
        return candidate.psnr >= self.floor

    def better(self, candidate: Candidate, than: Candidate) -> bool:
        assert candidate.psnr is not None and than.psnr is not None
        if candidate.psnr >= self.floor and than.psnr >= self.floor:
            return len(candidate.payload) < len(than.payload)
        return candidate.psnr > than.psnr

    def grow(self, count: int, candidate: Candidate) -> int:
        assert candidate.psnr is not None
        missing = self.floor - candidate.psnr
        if missing < 0:  # even the coarsest steps are too good
            return max(FEWEST_PARAMETERS, count // 3)
        return min(MOST_PARAMETERS, int(count * min(3.0, 1.2 * 2 ** (missing / 5))))

    def raise_lambda(self, lam: float, candidate: Candidate) -> float:
        """A larger network alone does not help: under the same lambda its bits would not pay."""
        assert candidate.psnr is not None
        missing = self.floor - candidate.psnr
        return lam if missing < 0 else lam * min(64.0, 2 ** (0.5 + missing))
