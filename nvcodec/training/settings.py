"""Everything that decides a training beside its corpus and its model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from nvcodec.errors import UsageError

STAGES = ("intra", "inter")
PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class TrainSettings:
    """Of one stage."""

    stage: str = "intra"  # single pictures, or clips under the temporal prior
    model: str = "s"
    steps: int = 0  # of the whole training, 0 = by seconds
    seconds: float = 0.0  # of the whole training, resumed parts included; 0 = by steps
    batch: int = 8  # clips a step
    frames: int = 4  # pictures of a clip, stage inter
    crop: int = 192  # side of a crop in luma samples
    stills: float = 0.4  # share of stills among single pictures, where the corpus has both
    lr: float = 4e-3  # AdamW, at its peak
    warm_up: float = 0.02  # share of the training
    decay: float = 0.4  # share of the training at whose end the rate falls to nothing
    weight_decay: float = 0.0
    clip: float = 1.0  # largest norm of a gradient
    average: float = 0.998  # decay of the running mean of the weights
    slow: str = "linear,gain.,step."  # parameters with one of these in their names learn slower: what starts as a DCT
    slow_rate: float = 0.1  # their share of the learning rate
    frozen: str = ""  # parameters whose names start with one of these words (comma between them) keep their values
    seed: int = 0
    precision: str = "auto"  # of the transforms; the prior is always fp32
    held_out: int = 24  # sources that only validate
    validation_clips: int = 16
    log_every: int = 20  # steps
    validate_every: int = 1000  # steps
    checkpoint_minutes: float = 5.0

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


def rate_factor(progress: float, settings: TrainSettings) -> float:
    """Factor on the learning rate at ``progress`` in 0..1: a linear rise, a plateau, a fall as the root does.

    The plateau lets a longer training go on from a shorter one's state before its fall.
    """
    rise = min(1.0, (progress + 1e-4) / settings.warm_up) if settings.warm_up else 1.0
    left = (1 - progress) / settings.decay if settings.decay else 1.0
    return rise * min(1.0, max(left, 0.0) ** 0.5 if left < 1 else 1.0)
