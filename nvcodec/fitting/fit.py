"""The fitting loop: distortion + lambda x rate from the first step, noise first, rounding at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nvcodec.fitting.clip import Clip, weighted_mse
from nvcodec.fitting.optimisers import LearningRates, Optimisers
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import Clock, Plan, cosine

Inputs = Callable[[list[int], Tensor | None], Tensor]  # (frames, their embeddings or None) -> the network's input


@dataclass(frozen=True)
class FitSettings:
    """How to fit one group."""

    plan: Plan
    lam: float  # objective: bits per pixel + lam x MSE on the 8-bit scale, 6:1:1 over Y, U, V
    target_bits: float | None = None  # steer lam so that the group weighs this much
    seed: int = 0
    precision: str = "fp32"  # of activations while fitting: "fp32" or "bf16"
    rates: LearningRates = field(default_factory=LearningRates)
    batch_samples: int = 100_000  # half-size samples a step; small frames are taken several at a time
    rate_every: int = 4  # the rate term is evaluated every few steps and scaled up (NVRC, sec. 3.4)
    rounding_from: float = 0.7  # progress at which noise gives way to straight-through rounding
    clip_norm: float = 1.0


@dataclass
class FitStatus:
    """What a fit can say of itself on the way; estimates run behind by some steps."""

    progress: float = 0.0
    step: int = 0
    psnr: float = 0.0  # of the 6:1:1 MSE, dB, smoothed over steps
    bits: float = 0.0  # modelled bits of the group
    seconds: float = 0.0
    lam: float = 0.0
    history: list[tuple[float, float]] = field(default_factory=list, repr=False)


OnStatus = Callable[[FitStatus], None]


class _FrameOrder:
    """Frames in random order without repetition, ``size`` at a time, epoch after epoch."""

    def __init__(self, frames: int, size: int, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._frames, self._size = frames, min(size, frames)
        self._left: list[int] = []

    def next(self) -> list[int]:
        while len(self._left) < self._size:
            self._left += torch.randperm(self._frames, generator=self._generator).tolist()
        batch, self._left = self._left[: self._size], self._left[self._size :]
        return batch


def frames_per_step(clip: Clip, batch_samples: int) -> int:
    samples = clip.phases.shape[-1] * clip.phases.shape[-2]
    return max(1, min(clip.frame_count, batch_samples // samples))


class _Fit:
    """State of one run."""

    def __init__(
        self, network: nn.Module, parameters: CodedParameters, clip: Clip, inputs: Inputs, settings: FitSettings
    ) -> None:
        self.network, self.parameters, self.clip = network, parameters, clip
        self.inputs, self.settings = inputs, settings
        self.clock = Clock(settings.plan)
        self.order = _FrameOrder(clip.frame_count, frames_per_step(clip, settings.batch_samples), settings.seed)
        device = clip.phases.device
        self.generator = torch.Generator(device).manual_seed(settings.seed + 1)
        self.dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        self.status = FitStatus(lam=settings.lam)
        self.mse = 0.0
        self.optimiser = Optimisers(parameters, settings.rates, self.dtype)

    def predict(self, frames: list[int], weights: dict[str, tuple[Tensor, Tensor]], noise: bool) -> Tensor:
        cast = {name: (values * step).to(self.dtype) for name, (values, step) in weights.items()}
        embedding = None
        if self.parameters.embedding is not None:
            embedding = self.parameters.perturbed_embedding(frames, noise, self.generator).to(self.dtype)
            embedding = embedding.contiguous(memory_format=torch.channels_last)
        predicted: Tensor = functional_call(self.network, cast, (self.inputs(frames, embedding),))
        rows, columns = self.clip.phases.shape[-2:]
        return predicted[:, :, :rows, :columns]

    def loss(self, noise: bool) -> Tensor:
        frames = self.order.next()
        weights = self.parameters.perturbed_weights(noise, self.generator)
        mse = weighted_mse(self.predict(frames, weights, noise), self.clip.batch(frames, torch.float32)) * 255.0**2
        value = float(mse.detach())
        self.mse = value if not self.clock.step else self.mse + 0.02 * (value - self.mse)
        loss = self.status.lam * mse
        if self.clock.step % self.settings.rate_every == 0:
            bits = self.parameters.weight_bits(weights)
            if self.parameters.embedding is not None:
                bits = bits + self.parameters.embedding_bits(noise, self.generator)
            self.status.bits = float(bits.detach())
            loss = loss + bits * (self.settings.rate_every / self.clip.luma_samples)
        return loss

    def steer(self, progress: float) -> None:
        """Move lambda towards the one that meets the target; the rate follows it through steps and weights."""
        target = self.settings.target_bits
        if target is None or not self.status.bits or not 0.05 < progress < 0.95:
            return
        if self.clock.step % self.settings.rate_every == 0:
            error = max(-1.0, min(1.0, math.log(target / self.status.bits)))
            self.status.lam *= math.exp(0.05 * error)
            self.status.lam = max(self.settings.lam / 4096, min(self.settings.lam * 4096, self.status.lam))

    def step(self, progress: float) -> None:
        self.optimiser.prepare(cosine(progress))
        loss = self.loss(noise=progress < self.settings.rounding_from)
        loss.backward()
        # the optimisers forget the scale of the loss, the clip must too: it is relative to lambda
        nn.utils.clip_grad_norm_(list(self.parameters.weights), self.settings.clip_norm * 100 * self.status.lam)
        self.optimiser.step()

    def report(self, progress: float) -> FitStatus:
        status = self.status
        status.progress, status.step, status.seconds = progress, self.clock.step, self.clock.seconds()
        status.psnr = 10 * math.log10(255.0**2 / max(self.mse, 1e-6))
        return status


def fit(
    network: nn.Module,
    parameters: CodedParameters,
    clip: Clip,
    inputs: Inputs,
    settings: FitSettings,
    on_status: OnStatus | None = None,
) -> FitStatus:
    """Fit ``parameters`` (in place) so that ``network`` under them shows ``clip``.

    ``network`` only gives the structure: it is called with the perturbed weights. Steps end on the stream's grid.
    The same settings with a plan in steps give the same parameters on one machine at one thread count.
    """
    run = _Fit(network, parameters, clip, inputs, settings)
    while (progress := run.clock.progress()) < 1.0:
        run.step(progress)
        run.steer(progress)
        run.clock.step += 1
        if on_status is not None:
            on_status(run.report(progress))
    parameters.snap_steps()
    return run.report(1.0)
