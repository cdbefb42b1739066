"""One call of a training: from folders and settings to a run that began or went on, and how far it came."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from nvcodec.errors import OutputError, UsageError
from nvcodec.hardware import cpu_model, pick_device
from nvcodec.provenance import commit
from nvcodec.training import importing, making
from nvcodec.training.checkpoint import checkpoints, load_checkpoint
from nvcodec.training.corpus import Items, open_corpus, split_corpus
from nvcodec.training.history import Circumstances
from nvcodec.training.loop import Report, Trainer
from nvcodec.training.packing import INDEX
from nvcodec.training.settings import CallSettings, TrainSettings
from nvcodec.training.state import Training
from nvcodec.training.stop import stoppable

_FREE = ("steps", "seconds", "log_every", "validate_every", "checkpoint_minutes", "decay")  # may change on the way


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    reason: str  # "finished", "time is up", or a signal's name
    step: int
    seconds: float  # of training, parts before included
    progress: float  # share of the plan


def run_training(
    corpora: Sequence[Path],
    folder: Path,
    settings: TrainSettings,
    call: CallSettings | None = None,
    report: Report | None = None,
) -> Ended:
    """Train in ``folder``: go on from its last checkpoint, begin with another run's weights, a file's, or anew.

    ``report`` gets rows of the kinds "start" (step, seconds, progress, grown), "train" and "validation". Signals and
    the time of the call end it in good order.

    Raises:
        UsageError: the settings are not those of the run, or do not fit the corpus.
        InputError: a corpus, checkpoint or file of weights is missing or damaged.
        OutputError: the folder cannot be written, or another training writes to it.
    """
    call = call or CallSettings()
    if (folder / INDEX).exists():
        raise UsageError(f"{folder} is a packed corpus; the folder of the run comes last")
    if call.threads:
        torch.set_num_threads(call.threads)
    device = pick_device(call.device)
    items = [items for corpus in corpora for items in open_corpus(corpus)]
    split = split_corpus(items, settings.held_out)
    torch.manual_seed(settings.seed)
    training = Training(making.make_model(settings.model).to(device), settings)
    training.where = replace(_circumstances(items, device), key_weights=making.key_weights(settings.model))
    with locked(folder):
        _restore(training, folder, call.start_from)
        trainer = Trainer(training, split, folder, device=device, report=report)
        if report is not None:
            row = {"step": training.step, "seconds": training.seconds, "progress": trainer.progress()}
            report("start", {**row, "grown": training.grown})
        with stoppable(call.stop_after) as stop:
            reason = trainer.run(stop)
    return Ended(reason, training.step, training.seconds, trainer.progress())


def _circumstances(items: Sequence[Items], device: str) -> Circumstances:
    threads = torch.get_num_threads()
    cpu = f"{cpu_model()}, {threads} thread{'s' * (threads != 1)}"
    machine = torch.cuda.get_device_name(device) if device.startswith("cuda") else cpu
    return Circumstances(tuple(each.summary for each in items), (machine,), (commit(),))


def _restore(training: Training, folder: Path, start_from: str) -> None:
    if checkpoints(folder):
        state = load_checkpoint(folder)
        _check_same(training.settings, state.settings)
        training.resume(state)
    elif Path(start_from).is_file():
        importing.start_from_file(training, Path(start_from))
    elif start_from:
        training.start_from(load_checkpoint(Path(start_from)))


def _check_same(mine: TrainSettings, before: TrainSettings) -> None:
    """A training may be made longer and watched otherwise; nothing else changes on the way."""
    now = replace(mine, **{name: getattr(before, name) for name in _FREE})
    if now != before:
        odd = [f.name for f in fields(mine) if getattr(now, f.name) != getattr(before, f.name)]
        raise UsageError(f"the training in this folder has other settings: {', '.join(odd)}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder, made if it is not there, for one training: rows and checkpoints of two must not mix.

    Raises:
        OutputError: it cannot be made, or another training holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)  # of the folder itself: the files in it are replaced now and then
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{folder}: another training writes to it") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)
