"""The loop: batches in, a trained model, checkpoints and a log out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nvcodec.hardware import fast_precision
from nvcodec.training.checkpoint import save_checkpoint
from nvcodec.training.corpus import Frames, Sampler, Split
from nvcodec.training.log import LOG_NAME, Log
from nvcodec.training.objective import Loss, rate_distortion
from nvcodec.training.settings import rate_factor
from nvcodec.training.state import Training
from nvcodec.training.stop import Stop
from nvcodec.training.validation import validate, validation_clips, weights_of

Report = Callable[[str, dict[str, Any]], None]


class Trainer:
    """One stage of a training in a folder: ``step-N`` checkpoints and ``log.jsonl``."""

    def __init__(
        self, training: Training, split: Split, folder: Path, *, device: str = "cpu", report: Report | None = None
    ) -> None:
        self.training, self.settings, self._folder, self._device = training, training.settings, folder, device
        s = self.settings
        self._sampler = Sampler(split, batch=s.batch, frames=s.clip_frames, crop=s.crop, stills=s.stills, seed=s.seed)
        self._clips = validation_clips(split, s.validation_clips, s.clip_frames)
        self._report = report or (lambda kind, row: None)
        precision = fast_precision(device) if s.precision == "auto" else s.precision
        if hasattr(training.model, "fast_transforms"):
            setattr(training.model, "fast_transforms", precision == "bf16")  # noqa: B010 - nn.Module's own is typed

    def run(self, stop: Stop | None = None) -> str:
        """Train to the end of the plan or until ``stop`` asks for it; saves in both cases.

        Returns "finished", or what stopped it. Raises OutputError.
        """
        t = self.training
        log = Log(self._folder / LOG_NAME, t.step)
        try:
            if not t.step:
                self._validate(log)
            reason = self._train(log, stop)
            if reason == "finished":
                self._validate(log)
            save_checkpoint(self._folder, t.state())
            log.write("end", t.step, reason=reason, seconds=t.seconds)
        finally:
            log.close()
        return reason

    def _train(self, log: Log, stop: Stop | None) -> str:
        """Steps until the plan is done or ``stop`` asks; what is not training does not count as its time."""
        t, saved = self.training, time.monotonic()
        start = saved - t.seconds
        for frames, quality in self._batches():
            self._step(frames, quality, log)
            t.seconds = time.monotonic() - start
            if not t.step % self.settings.validate_every:
                self._validate(log)
            if time.monotonic() - saved > 60 * self.settings.checkpoint_minutes:
                save_checkpoint(self._folder, t.state())
                saved = time.monotonic()
            start = time.monotonic() - t.seconds
            if stop is not None and (asked := stop.asked):
                return asked
        return "finished"

    def progress(self) -> float:
        """Share of the plan that is done."""
        s, t = self.settings, self.training
        return min(1.0, t.step / s.steps if s.steps else t.seconds / s.seconds)

    def _batches(self) -> Iterator[tuple[Frames, Tensor]]:
        """Batches from the step on; the next one is read while one is trained on."""
        with ThreadPoolExecutor(1) as reader:
            waiting = reader.submit(self._sampler.batch, self.training.step)
            while self.progress() < 1:
                batch = waiting.result()
                waiting = reader.submit(self._sampler.batch, self.training.step + 1)
                yield batch

    def _step(self, frames: Frames, quality: Tensor, log: Log) -> None:
        t = self.training
        t.model.train()
        factor = rate_factor(self.progress(), self.settings)
        with _seeded(self.settings.seed, t.step, self._device):
            loss = batch_loss(t.model, frames, quality, self._device)
            norm = t.descend(loss.value, factor)
        if not t.step % self.settings.log_every:
            row = {
                "loss": float(loss.value.detach()),
                "bpp": float(loss.bpp.detach().mean()),
                "mse": float(loss.mse.detach().mean()),
            }
            row |= {"norm": norm, "lr": self.settings.lr * factor, "seconds": t.seconds}
            log.write("train", t.step, **row)
            self._report("train", {"step": t.step, "progress": self.progress(), **row})

    def _validate(self, log: Log) -> None:
        t = self.training
        try:
            with weights_of(t.model, t.average):
                rows = validate(t.model, self._clips, self._device)
        except ValueError as error:  # the prior's integers would not be exact: training may come back from there
            log.write("fault", t.step, reason=str(error))
            return
        log.write("validation", t.step, seconds=t.seconds, rows=rows)
        self._report("validation", {"step": t.step, "rows": rows})


def batch_loss(model: nn.Module, frames: Frames, quality: Tensor, device: str) -> Loss:
    """The objective of a batch under a model with ``loss_terms``."""
    y, u, v = (plane.to(device, non_blocking=True) for plane in frames)
    quality = quality.to(device)
    terms = model.loss_terms((y, u, v), quality)  # type: ignore[operator]
    return rate_distortion(terms, quality, y.shape[-1] * y.shape[-2])


@contextmanager
def _seeded(seed: int, step: int, device: str) -> Iterator[None]:
    """The noise of a step depends on seed and step alone; the caller's generators are left as they were."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed * 1_000_003 + step)
        yield
