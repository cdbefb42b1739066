"""A group that leans on the one before: its fit begins with that network, and differences to it are coded.

A first, short part of the fit shows what there is to gain. Still content ends there, with the network before or
little more (NIRVANA, Maiya et al. 2023, sec. 3.4, starts each group from the one before; it does not stop by itself).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from nvcodec.codecs.base import GroupState
from nvcodec.codecs.fitted import start_at_means, to_channels_last
from nvcodec.codecs.goals import Candidate, PsnrGoal
from nvcodec.codecs.sizing import fit_plan
from nvcodec.codecs.state import FittedState
from nvcodec.codecs.steps import STEP_BIAS, step_size
from nvcodec.codecs.tensors import CodedTensors
from nvcodec.container import check_cost
from nvcodec.errors import FormatError, LimitError
from nvcodec.fitting.parameters import Before, CodedParameters
from nvcodec.fitting.schedule import Plan

if TYPE_CHECKING:
    from nvcodec.codecs.encoding import GroupEncoder

PROBE = 1 / 6  # of the fit
STILL = 0.01  # of the objective: a probe that gains less ends the fit


def before_of(state: FittedState, device: str) -> Before:
    """The state as the tensors that a fit begins with."""

    def log2_steps(exponents: tuple[int, ...]) -> tuple[float, ...]:
        return tuple((exponent - STEP_BIAS) / 16 for exponent in exponents)

    weights = tuple(torch.from_numpy(values).to(device) for values in state.weights)
    if state.embedding is None:
        return Before(weights, log2_steps(state.weight_exponents))
    steps = torch.tensor([float(step_size(e)) for e in state.embedding_exponents])
    last = torch.from_numpy(state.embedding).float() * steps[:, None, None]
    channels = torch.tensor(log2_steps(state.embedding_exponents)).reshape(1, -1, 1, 1)
    return Before(weights, log2_steps(state.weight_exponents), last.to(device), channels.to(device))


class Follower:
    """One group of ``encoder`` that may lean on ``previous``."""

    def __init__(self, encoder: GroupEncoder, previous: GroupState) -> None:
        self.encoder, self.spec, self.previous = encoder, encoder.spec, previous

    def run(self) -> tuple[Candidate, Any] | None:
        """What to code and its network's description; None where leaning cannot be, or misses its goal."""
        config = self._config()
        if config is None:
            return None
        network, parameters = self._start(config)
        if (still := self._as_it_is(config, parameters)) is not None:
            return still, config
        plan = self._plan(config, parameters)
        if self.encoder.goal.plain and self.encoder.codec.stands_alone:
            candidate = self._until_still(network, parameters, plan, config)
        else:
            self.encoder.fit(network, parameters, plan, config)
            candidate = self.encoder.goal.choose(self._quantised(parameters), partial(self.encoder.psnr, config))
        if not self.encoder.goal.met(candidate) and self.encoder.codec.stands_alone:
            return None
        return replace(candidate, leans=True), config

    def _as_it_is(self, config: Any, parameters: CodedParameters) -> Candidate | None:
        """The network before, unfitted, where that keeps a floor of PSNR already."""
        if not isinstance(self.encoder.goal, PsnrGoal):
            return None
        tensors = self._quantised(parameters)(0)
        payload, bits = tensors.encode()
        candidate = Candidate(payload, bits, self.encoder.psnr(config, tensors), leans=True)
        return candidate if self.encoder.goal.met(candidate) else None

    def _config(self) -> Any:
        """The network before, if readers take it for this group, too."""
        encoder, fmt, count = self.encoder, self.encoder.format, len(self.encoder.frames)
        if not isinstance(self.previous, FittedState):
            return None
        try:
            encoder.codec.state_before(self.previous, self.previous.config)
            check_cost(encoder.codec.cost(self.previous.config, fmt, count))
            return encoder.codec.unpack(self.previous.config, fmt.chroma_height, fmt.chroma_width)
        except (FormatError, LimitError):
            return None

    def _start(self, config: Any) -> tuple[torch.nn.Module, CodedParameters]:
        assert isinstance(self.previous, FittedState)
        codec, device = self.encoder.codec, self.spec.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.spec.seed)  # most families' random weights are replaced at once
            network = codec.network(config)
        start_at_means(network, self.encoder.clip)
        network = to_channels_last(network.to(device))
        shape, embedding = codec.shapes(config, len(self.encoder.frames)).embedding, None
        if shape is not None:
            channels, frames, rows, columns = shape
            embedding = torch.zeros(frames, channels, rows, columns)
        parameters = codec.parameters(network, embedding).to(device)
        parameters.follow(before_of(self.previous, device))
        return network, parameters

    def _quantised(self, parameters: CodedParameters) -> Any:
        def at(offset: int) -> CodedTensors:
            assert isinstance(self.previous, FittedState)
            return self.encoder.codec.quantise(parameters, offset, self.previous)

        return at

    def _plan(self, config: Any, parameters: CodedParameters) -> Plan:
        encoder, left = self.encoder, None
        if self.spec.seconds is not None:
            left = encoder.left(encoder.finishing_seconds(config, self._quantised(parameters)(0)))
        return fit_plan(encoder.clip, self.spec, parameters.count, left, 0, 1)

    def _until_still(self, network: torch.nn.Module, parameters: CodedParameters, plan: Plan, config: Any) -> Candidate:
        """The best of the network before, a probe of the fit, and the whole of it where the probe gained enough."""
        quantised = self._quantised(parameters)
        best = quantised(0)
        value = self._value(best, config)
        for part in (PROBE, 1 - PROBE):
            self.encoder.fit(network, parameters, plan.part(part), config)
            tensors = quantised(0)
            now = self._value(tensors, config)
            gained = 1 - now / value
            if now < value:
                best, value = tensors, now
            if gained < STILL:
                break
        return Candidate(*best.encode())

    def _value(self, tensors: CodedTensors, config: Any) -> float:
        """The objective, without scales: they save all trials alike."""
        return self.encoder.objective(config, tensors, 8.0 * len(tensors.encode(scaled=False)[0]))
