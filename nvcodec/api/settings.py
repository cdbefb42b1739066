"""What a caller chooses, as typed dataclasses; the command line is generated from them.

``metadata["help"]`` of each field is the option's help text; ``metadata["parse"]`` names how its text is read
("size": 2MB, 500kB, 1MiB; "duration": 90s, 5m, 1h30m; otherwise the annotated type).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nvcodec.codecs.base import OBJECTIVES, PRESETS, QUALITIES, STRUCTURES
from nvcodec.codecs.registry import get_codec, has_effort
from nvcodec.errors import UsageError

DEFAULT_PRESET = "medium"
DEFAULT_QUALITY = 32.0
ENGINES = ("local", "ray")
MOST_WORKERS = 256


def option(default: Any, help: str, **extra: Any) -> Any:
    """A dataclass field that is also a command-line option."""
    return field(default=default, metadata={"help": help, **extra})


@dataclass(frozen=True)
class EncodeSettings:
    """How to encode. The goals (quality, bpp, size, psnr) exclude one another, so do preset and time budget."""

    codec: str = option(
        "auto",
        "trained: conditional (auto), stem, intra; fitted: nirvana, hnerv, hnerv-boost, nerv, nerv-boost, nervpp, "
        "enerv, enerv-boost; pfnr: a library, to which --append adds videos",
    )
    quality: float | None = option(None, "0..63, higher is better and larger (default: 32); 8 steps double lambda")
    bpp: float | None = option(None, "goal: bits per pixel of the video, not exceeded")
    size: int | None = option(None, "goal: size of the whole file (2MB, 500kB), never exceeded", parse="size")
    psnr: float | None = option(None, "goal: at least this PSNR in dB, mean of (6Y+U+V)/8")
    preset: str | None = option(
        None,
        f"how long fitted codecs fit, how much conditional tries: {', '.join(PRESETS)} (default: {DEFAULT_PRESET})",
        choices=PRESETS,
    )
    time_budget: float | None = option(None, "encode within this time (90s, 5m, 1h); not stem, intra", parse="duration")
    gof: int | None = option(None, "frames per group, at most (default: by codec, length and size)")
    keyint: int | None = option(
        None,
        "fitted codecs: frames between points where decoding can start, at most; groups between lean on the one before "
        "(default: 96 for nirvana, else each group stands alone)",
    )
    structure: str | None = option(
        None,
        f"how frames lean on each other, codec conditional: {', '.join(STRUCTURES)} (default: what suits each group)",
        choices=STRUCTURES,
    )
    objective: str | None = option(
        None,
        "how the rate enters a fit, fitted codecs but pfnr: joint (default), from the first step; consistent, after a "
        "regression, as the papers' entropy minimisation",
        choices=OBJECTIVES,
    )
    model: str | None = option(None, "of a trained codec: a size, or a file of weights (default: s)")
    seed: int = option(0, "seed of every random choice")
    threads: int | None = option(None, "CPU threads of each worker (default: all cores)")
    workers: int = option(1, "processes that encode chains of groups side by side, same bytes from any number")
    engine: str = option("local", f"where workers run: {', '.join(ENGINES)} (needs nvcodec[ray])", choices=ENGINES)
    device: str = option("auto", "auto, cpu or cuda")
    audio: bool = option(True, "pass audio, subtitles and attachments through")

    def __post_init__(self) -> None:
        goals = [name for name in ("quality", "bpp", "size", "psnr") if getattr(self, name) is not None]
        if len(goals) > 1:
            raise UsageError(f"--{' and --'.join(goals)} exclude one another; give one of them")
        if self.preset is not None and self.time_budget is not None:
            raise UsageError("--preset and --time-budget exclude one another; give one of them")
        if self.preset is not None and self.preset not in PRESETS:
            raise UsageError(f"no preset {self.preset!r}; there are: {', '.join(PRESETS)}")
        if self.structure is not None and self.structure not in STRUCTURES:
            raise UsageError(f"no structure {self.structure!r}; there are: {', '.join(STRUCTURES)}")
        if self.objective is not None and self.objective not in OBJECTIVES:
            raise UsageError(f"no objective {self.objective!r}; there are: {', '.join(OBJECTIVES)}")
        if self.engine not in ENGINES:
            raise UsageError(f"no engine {self.engine!r}; there are: {', '.join(ENGINES)}")
        self._check_ranges()

    def _check_ranges(self) -> None:
        bounds: dict[str, tuple[float, float]] = {
            "quality": (0, QUALITIES - 1), "bpp": (1e-5, 48), "size": (200, 1 << 50), "psnr": (5, 70),
            "time_budget": (1, 100_000_000), "gof": (1, 4096), "keyint": (1, 1 << 20),
            "workers": (1, MOST_WORKERS), "seed": (0, 2**31 - 1), "threads": (1, 1024),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:  # also refuses nan
                raise UsageError(f"--{name.replace('_', '-')} is {_text(low)} to {_text(high)}, not {value:g}")

    def described(self) -> dict[str, str]:
        """What decides the bytes, as text, defaults filled in: kept in the file, and compared by ``--resume``."""
        skip = {"device", "workers", "engine"}  # they change no byte
        resolved = asdict(self)
        if self.preset is None and self.time_budget is None and has_effort(get_codec(self.codec)):
            resolved["preset"] = DEFAULT_PRESET
        if self.bpp is None and self.size is None and self.psnr is None:
            resolved["quality"] = DEFAULT_QUALITY if self.quality is None else self.quality
        if self.model is not None:
            resolved["model"] = Path(self.model).name  # where it lies is nobody else's business
        return {key: _text(value) for key, value in resolved.items() if value is not None and key not in skip}


def _text(value: Any) -> str:
    """The same for 32 and 32.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True)
class DecodeSettings:
    """How to decode."""

    frames: tuple[int | None, int | None] | None = option(
        None, "START:STOP as in Python: 40:56, 40:, -8: (the last 8); drops audio", parse="range"
    )
    video: int | None = option(None, "which video of a library (codec pfnr), counted from 0")
    vcodec: str | None = option(None, "encoder of the output (default: libx264 near-lossless for mp4, ffv1 for mkv)")
    crf: float | None = option(None, "quality of that encoder")
    audio: bool = option(True, "mux passed-through tracks back")
    threads: int | None = option(None, "CPU threads of each worker (default: all cores, shared)")
    workers: int = option(1, "threads that make pictures side by side")
    device: str = option("auto", "auto, cpu or cuda")

    def __post_init__(self) -> None:
        if self.video is not None and not 0 <= self.video < 1 << 16:
            raise UsageError(f"--video is 0 to 65535, not {self.video}")
        if not 1 <= self.workers <= MOST_WORKERS:
            raise UsageError(f"--workers is 1 to {MOST_WORKERS}, not {self.workers}")


@dataclass(frozen=True)
class Progress:
    """One report on the way. Unknown numbers are None."""

    frames_done: int
    frames_total: int | None
    group: int = 0
    group_progress: float = 0.0  # of the current group, 0..1
    step: int = 0
    psnr: float | None = None  # dB, of what is being fitted
    bytes_written: int = 0
    predicted_bytes: int | None = None
    seconds: float = 0.0  # since the call

    @property
    def fraction(self) -> float | None:
        """Of the whole, 0..1."""
        return None if not self.frames_total else min(1.0, self.frames_done / self.frames_total)

    @property
    def fps(self) -> float:
        return self.frames_done / self.seconds if self.seconds > 0 else 0.0


OnProgress = Callable[[Progress], None]
