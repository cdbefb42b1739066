"""The fitting loop: distortion + lambda x rate from the first step, noise first, rounding at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nvcodec.fitting.clip import Clip, weighted_mse
from nvcodec.fitting.coarse import CoarseFirst, coarse_scene, full_scene
from nvcodec.fitting.guard import Checkpoint, GradientClip
from nvcodec.fitting.objectives import Consistent, Joint, Objective, Regression
from nvcodec.fitting.optimisers import LearningRates, Optimisers
from nvcodec.fitting.parameters import CodedParameters
from nvcodec.fitting.schedule import Clock, Plan
from nvcodec.fitting.tiles import Tile
from nvcodec.models.growth import Growth

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
    batch_samples: int = 20_000  # half-size samples a step: tiles of large frames, several small ones
    rate_every: int = 8  # the rate term is evaluated every few steps and scaled up (NVRC, sec. 3.4)
    rounding_from: float = 0.9  # progress at which noise gives way to straight-through rounding
    coarse: CoarseFirst | None = None  # large pictures are fitted at a fraction of their size first
    objective: str = "joint"  # or "consistent": see fitting.objectives
    coded: bool = True  # False: plain regression of float weights, with neither rate nor noise nor rounding


@dataclass
class FitStatus:
    """What a fit can say of itself on the way; estimates run behind by some steps."""

    progress: float = 0.0
    step: int = 0
    psnr: float = 0.0  # of the 6:1:1 MSE, dB, smoothed over steps
    bits: float = 0.0  # modelled bits of the group
    seconds: float = 0.0
    lam: float = 0.0


FIRST_CHECK = 50  # steps after which the running error means something
LEAN_EVERY = 8  # evaluations of the rate between choices of what is coded as a difference
STEERING = 40.0  # log lambda a log of missed rate, over a whole fit

OnStatus = Callable[[FitStatus], None]


class _Fit:
    """State of one run."""

    def __init__(
        self,
        network: nn.Module,
        parameters: CodedParameters,
        clip: Clip,
        inputs: Inputs,
        settings: FitSettings,
        growth: Growth | None,
    ) -> None:
        self.parameters, self.clip, self.inputs, self.settings = parameters, clip, inputs, settings
        self.clock = Clock(settings.plan)
        self.scene = self.full = full_scene(network, clip, growth, settings.batch_samples, settings.seed)
        if settings.coarse is not None:
            coarse = coarse_scene(self.full, growth, settings.batch_samples, settings.seed, settings.coarse)
            self.scene = coarse or self.full
        device = clip.phases.device
        self.generator = torch.Generator(device).manual_seed(settings.seed + 1)
        self.dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        self.status = FitStatus(lam=settings.lam)
        self.mse = 0.0
        self.steered = 0.0  # progress when lambda was last moved
        self.objective = self._objective()
        self.optimiser = Optimisers(parameters, settings.rates, self.dtype)
        self.clip_gradients = GradientClip(list(parameters.weights))
        self.checkpoint = Checkpoint(parameters)

    def _objective(self) -> Objective:
        if not self.settings.coded:
            return Regression(self.parameters)
        if self.settings.objective == "consistent":
            return Consistent(self.parameters, self.generator)
        return Joint(self.parameters, self.generator, self.settings.rounding_from)

    def predict(self, frames: list[int], tile: Tile, weights: dict[str, Tensor], embedding: Tensor | None) -> Tensor:
        """The tile of these frames, (N, 6, rows, columns)."""
        cast = {name: values.to(self.dtype) for name, values in self.scene.weights(weights).items()}
        if embedding is not None:
            embedding = embedding.to(self.dtype).contiguous(memory_format=torch.channels_last)
        window = {} if tile.window is None else {"window": tile.window}
        predicted: Tensor = functional_call(self.scene.network, cast, (self.inputs(frames, embedding),), window)
        bottom = tile.top + tile.rows.stop - tile.rows.start
        return predicted[:, :, tile.top : bottom, tile.left : tile.left + tile.columns.stop - tile.columns.start]

    def distortion(self, frames: list[int], tile: Tile, weights: dict[str, Tensor], embedding: Tensor | None) -> Tensor:
        """The 6:1:1 error of a tile on the 8-bit scale, kept as a running mean."""
        clip, predicted = self.scene.clip, self.predict(frames, tile, weights, embedding)
        target = clip.batch(frames, torch.float32, tile.rows, tile.columns)
        target = clip.seen(target, predicted, frames, tile.rows, tile.columns)
        mse = weighted_mse(predicted, target) * 255.0**2
        value = float(mse.detach())
        self.mse = value if not self.clock.step else self.mse + 0.03 * (value - self.mse)
        return mse

    def loss(self) -> Tensor:
        frames, number = self.scene.order.next()
        values, embedding = self.objective.shown(frames)
        loss = self.status.lam * self.distortion(frames, self.scene.tiles[number], values, embedding)
        if self.clock.step % (LEAN_EVERY * self.settings.rate_every) == 0:
            self.parameters.choose_leaning()
        if self.clock.step % self.settings.rate_every == 0 and (bits := self.objective.bits()) is not None:
            self.status.bits = float(bits.detach())
            loss = loss + bits * (self.settings.rate_every / self.clip.luma_samples)
        return loss

    def steer(self, progress: float) -> None:
        """Move lambda towards the one that meets the target; the rate follows it through steps and weights."""
        target = self.settings.target_bits
        if target is None or not self.status.bits or not self.objective.settled < progress < 0.95:
            return
        if self.clock.step % self.settings.rate_every == 0:
            error = max(-1.0, min(1.0, math.log(target / self.status.bits)))
            self.status.lam *= math.exp(min(0.2, STEERING * (progress - self.steered)) * error)
            self.steered = progress
            self.status.lam = max(self.settings.lam / 4096, min(self.settings.lam * 4096, self.status.lam))

    def enlarge(self, progress: float) -> None:
        """Go on in full once the coarse part is over."""
        coarse = self.settings.coarse
        if coarse is not None and self.scene is not self.full and progress >= coarse.share:
            self.scene = self.full
            self.checkpoint = Checkpoint(self.parameters)  # errors at another size tell nothing of these

    def step(self, progress: float) -> None:
        if self.objective.begin(progress):
            self.optimiser.forget()
            self.checkpoint = Checkpoint(self.parameters)
        self.optimiser.prepare(self.objective.factor(progress))
        self.loss().backward()
        self.clip_gradients.apply()
        self.optimiser.step()
        if self.clock.step > FIRST_CHECK and self.checkpoint.watch(self.mse, progress):
            self.optimiser.forget()
            self.mse = self.checkpoint.best

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
    growth: Growth | None = None,
) -> FitStatus:
    """Fit ``parameters`` (in place) so that ``network`` under them shows ``clip``.

    ``network`` only gives the structure: it is called with the perturbed weights. Steps end on the stream's grid,
    unless nothing is coded.
    ``growth`` describes a network that can show a window of its picture; large frames are then fitted tile by tile,
    and averaged down first if the settings say so.
    The same settings with a plan in steps give the same parameters on one machine at one thread count.
    """
    run = _Fit(network, parameters, clip, inputs, settings, growth)
    while (progress := run.clock.progress()) < 1.0:
        run.enlarge(progress)
        run.step(progress)
        run.steer(progress)
        run.clock.step += 1
        if on_status is not None:
            on_status(run.report(progress))
    if settings.coded:
        parameters.snap_steps()
        parameters.choose_leaning()
    return run.report(1.0)
