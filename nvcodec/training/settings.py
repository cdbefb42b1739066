"""Everything that decides a training beside its corpus and its model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from nvcodec.errors import UsageError

STAGES = ("intra", "inter")
PRECISIONS = ("auto", "fp32", "bf16")
CONDITIONAL = "conditional-"  # before a size's name


def setting(default: Any, help: str, **extra: Any) -> Any:
    """A field that is also a command-line option; the help ends with its default where that says something."""
    shown = f" (default: {default:g})" if isinstance(default, (int, float)) else f" (default: {default})"
    return field(default=default, metadata={"help": help + shown * (default not in (0, "")), **extra})


@dataclass(frozen=True)
class TrainSettings:
    """Of one stage."""

    stage: str = setting(
        "intra", "intra: single pictures; inter: clips, the only stage of conditional models", choices=STAGES
    )
    model: str = setting("s", "s or m: of intra and stem; conditional-s or conditional-m: of predicted frames")
    steps: int = setting(0, "plan: so many steps in all")
    seconds: float = setting(0.0, "plan: so much time in all, parts before included (90s, 8h)", parse="duration")
    batch: int = setting(8, "clips a step")
    frames: int = setting(4, "pictures of a clip, stage inter")
    crop: int = setting(192, "side of a crop in luma samples, a multiple of 16")
    stills: float = setting(0.4, "share of stills among single pictures, where the corpus has both")
    lr: float = setting(4e-3, "learning rate of AdamW at its peak")
    warm_up: float = setting(0.02, "share of the plan in which the rate rises")
    decay: float = setting(0.4, "share of the plan at whose end the rate falls to nothing")
    weight_decay: float = setting(0.0, "of AdamW, on matrices (default: 0)")
    clip: float = setting(1.0, "largest norm of a gradient")
    average: float = setting(0.998, "decay of the running mean of the weights")
    slow: str = setting(
        "linear,gain.,step.", "parameters with one of these in their names learn slower: what starts as a DCT"
    )
    slow_rate: float = setting(0.1, "their share of the learning rate")
    frozen: str = setting("", "parameters whose names start with one of these (A,B) keep their values")
    seed: int = setting(0, "seed of every random choice (default: 0)")
    precision: str = setting("auto", "of the transforms; the prior is always fp32", choices=PRECISIONS)
    held_out: int = setting(24, "sources that only validate")
    validation_clips: int = setting(16, "clips of them that are coded")
    log_every: int = setting(20, "steps from one row of the log to the next")
    validate_every: int = setting(1000, "steps from one validation to the next")
    checkpoint_minutes: float = setting(5.0, "minutes from one checkpoint to the next")

    def __post_init__(self) -> None:
        if self.stage not in STAGES or self.precision not in PRECISIONS:
            raise UsageError(f"stage is one of {', '.join(STAGES)}, precision one of {', '.join(PRECISIONS)}")
        if (self.steps > 0) == (self.seconds > 0) or self.steps < 0 or self.seconds < 0:
            raise UsageError("a training has either steps or seconds")
        counts = ("batch", "frames", "crop", "log_every", "validate_every", "held_out", "validation_clips")
        for name in counts:
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is at least 1")
        for name in ("stills", "warm_up", "decay", "average", "slow_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is within 0..1")
        if self.predicted and (self.stage != "inter" or self.frames < 2):
            raise UsageError(f"model {self.model} predicts frames: it takes --stage inter and at least 2 --frames")

    @property
    def predicted(self) -> bool:
        """Whether the model is of predicted frames, behind key frames of another."""
        return self.model.startswith(CONDITIONAL)

    @property
    def clip_frames(self) -> int:
        """Pictures of a clip in this stage."""
        return self.frames if self.stage == "inter" else 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> TrainSettings:
        """Raises UsageError unless ``values`` are a whole set of settings of the right types."""
        types = {field.name: type(field.default) for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != set(types):
            raise UsageError("settings of another version")
        for name, kind in types.items():
            if type(values[name]) is not kind and not (kind is float and type(values[name]) is int):
                raise UsageError(f"setting {name} is no {kind.__name__}")
        return cls(**values)


@dataclass(frozen=True)
class CallSettings:
    """Of one call, which is a part of a stage: they decide nothing about its result."""

    start_from: str = setting(
        "", "what a new run begins with: mean weights of a run, the stage before, or a file *.safetensors that ships"
    )
    device: str = setting("auto", "auto, cpu or cuda")
    threads: int = setting(0, "CPU threads (default: all cores)")
    stop_after: float = setting(0.0, "save and end after this time of this call (90s, 8h)", parse="duration")

    def __post_init__(self) -> None:
        if not 0 <= self.threads <= 1024 or not 0 <= self.stop_after < 1e9:
            raise UsageError("threads are 0 to 1024, a time to stop after is not negative")


TERMS = (
    "Its sources have licences of their own, mixed and often unstated: it is research-use material, "
    "which the licence of the code does not cover."
)


@dataclass(frozen=True)
class ExportSettings:
    """What is said of weights, and how they are validated."""

    note: str = setting("", "a sentence for the file and its card")
    terms: str = field(default=TERMS, metadata={"help": "on what terms the corpus may be used (default: research)"})
    clips: int = setting(0, "held-out clips to validate on (default: as many as the training did)")
    threads: int = setting(0, "CPU threads (default: all cores)")
    device: str = setting("auto", "auto, cpu or cuda")

    def __post_init__(self) -> None:
        if self.clips < 0 or not 0 <= self.threads <= 1024:
            raise UsageError("clips are not negative, threads 0 to 1024")


def rate_factor(progress: float, settings: TrainSettings) -> float:
    """Factor on the learning rate at ``progress`` in 0..1: a linear rise, a plateau, a fall as the root does.

    The plateau lets a longer training go on from a shorter one's state before its fall.
    """
    rise = min(1.0, (progress + 1e-4) / settings.warm_up) if settings.warm_up else 1.0
    left = (1 - progress) / settings.decay if settings.decay else 1.0
    return rise * min(1.0, max(left, 0.0) ** 0.5 if left < 1 else 1.0)
