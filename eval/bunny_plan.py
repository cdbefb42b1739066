"""Which fits and which coded points the Bunny table has: the papers' own, those of a command line, or a quick few."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from eval.compressed import Goal
from eval.regression import Fit, fitted_codec
from nvcodec.codecs.fitted import FittedCodec
from nvcodec.codecs.registry import CODECS, get_codec

CROP, WHOLE = (1280, 640), (1280, 720)
# picture, million parameters, epochs: Chen et al. 2023 (HNeRV, Bunny tables) and Zhang et al. 2024 (Boosting-NeRV)
PAPER_FITS = (
    *((CROP, parameters, 300) for parameters in (0.35, 0.75, 1.5, 3.0)),
    *((CROP, 0.75, epochs) for epochs in (600, 1200, 1800, 2400, 3600)),
    *((WHOLE, 1.5, epochs) for epochs in (300, 600, 1200, 2400, 3600)),
)
PAPER_RATES = tuple((WHOLE, bpp) for bpp in (0.025, 0.05, 0.1))
QUICK_FITS = tuple((CROP, parameters) for parameters in (0.35, 0.75))
QUICK_RATES = ((WHOLE, 0.025),)
QUICK_CODECS = ["nerv", "hnerv"]
QUICK_SECONDS = 280.0  # of a quick run, a codec
BESIDE_A_FIT, BESIDE_A_FILE = 30.0, 50.0  # seconds that decoding and measuring take on 2 cores
LEAST_SECONDS = 5.0
PRESET = "slow"


@dataclass(frozen=True)
class Work:
    """One row to be: ``kind`` is "regression" or "compressed", ``options`` those of the command that makes it alone."""

    size: tuple[int, int]
    what: Fit | Goal

    @property
    def kind(self) -> str:
        return "regression" if isinstance(self.what, Fit) else "compressed"

    @property
    def name(self) -> str:
        """Unlike that of any other row."""
        what, size = self.what, "{}x{}".format(*self.size)
        tail = f"seed {what.seed} {what.device}"
        if isinstance(what, Goal):
            return f"{size} {what.codec} {what.bpp:g} bpp {what.effort} {tail}"
        effort = f"{what.seconds:g}s" if what.epochs is None else f"{what.epochs} epochs"
        return f"{size} {what.codec} {what.parameters / 1e6:g}M {effort} {tail} {what.precision or ''}".strip()

    @property
    def options(self) -> str:
        what = self.what
        shared = f"--only {self.kind} --pictures {self.size[0]}x{self.size[1]} --codecs {what.codec}"
        tail = f"--seed {what.seed} --device {what.device}"
        if isinstance(what, Goal):
            effort = f"--time-budget {what.effort}" if what.preset is None else f"--preset {what.preset}"
            return f"{shared} --bpp {what.bpp:g} {effort} {tail}"
        effort = f"--seconds {what.seconds:g}" if what.epochs is None else f"--epochs {what.epochs}"
        precision = f" --precision {what.precision}" if what.precision else ""
        return f"{shared} --parameters {what.parameters / 1e6:g} {effort} {tail}{precision}"


def size_of(text: str) -> tuple[int, int]:
    """(width, height) of "1280x640"."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text, re.ASCII)
    if match is None or min(int(match[1]), int(match[2])) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1280x640")
    return int(match[1]), int(match[2])


def chosen_codecs(names: list[str] | None, quick: bool = False) -> list[str]:
    """Fitted codecs of these names, where "all" is all of them; by default all, of a quick run two.

    Raises:
        UsageError: there is none of a name, or it is not fitted.
    """
    names = names or (QUICK_CODECS if quick else ["all"])
    if "all" in names:
        return [name for name in CODECS if isinstance(get_codec(name), FittedCodec)]
    return list(dict.fromkeys(fitted_codec(name).name for name in names))


def plan_work(given: argparse.Namespace) -> list[Work]:
    """All pieces of work of a command line, in the table's order."""
    fits = [] if given.only == "compressed" else _fits(given)
    rates = [] if given.only == "regression" else _rates(given)
    seconds, budget = given.seconds, given.budget
    if given.quick:
        seconds = budget = quick_seconds(len(fits), len(rates))
    shared = {"seed": given.seed, "device": given.device}
    work = [
        Work(size, Fit(codec, round(millions * 1e6), epochs, seconds, precision=given.precision, **shared))
        for codec in given.codecs
        for size, millions, epochs in fits
    ]
    preset = (given.preset or PRESET) if budget is None else None
    return work + [
        Work(size, Goal(codec, bpp, preset, budget, threads=given.threads, **shared))
        for codec in given.codecs
        for size, bpp in rates
    ]


def quick_seconds(fits: int, files: int) -> float:
    """The time that each fit and each encode of a quick run gets, of so many a codec."""
    left = QUICK_SECONDS - fits * BESIDE_A_FIT - files * BESIDE_A_FILE
    return round(max(LEAST_SECONDS, left / max(1, fits + files)))


def _fits(given: argparse.Namespace) -> list[tuple[tuple[int, int], float, int | None]]:
    """(picture, million parameters, epochs or None for seconds)."""
    if given.parameters or given.epochs or given.seconds or given.quick:
        parameters = given.parameters or [0.35, 0.75, 1.5, 3.0]
        if given.quick:
            parameters = given.parameters or [millions for _, millions in QUICK_FITS]
        epochs = [None] if given.seconds or given.quick else given.epochs or [300]
        return [(size, p, e) for size in given.pictures or [CROP] for p in parameters for e in epochs]
    return [fit for fit in PAPER_FITS if given.pictures is None or fit[0] in given.pictures]


def _rates(given: argparse.Namespace) -> list[tuple[tuple[int, int], float]]:
    """(picture, bits per pixel)."""
    rates = given.bpp or [bpp for _, bpp in (QUICK_RATES if given.quick else PAPER_RATES)]
    return [(size, bpp) for size in given.pictures or [WHOLE] for bpp in rates]
