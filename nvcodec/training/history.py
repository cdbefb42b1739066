"""Where weights come from: the stages of their training, each with its corpora, machines and commits.

Checkpoints carry it on from stage to stage, so that a model card can tell the whole way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from nvcodec.training.settings import TrainSettings

MAX_STAGES, MAX_LINES, MAX_LENGTH = 32, 32, 1000  # of a manifest


@dataclass(frozen=True)
class Circumstances:
    """On what and where a stage was trained, a line each; several where it went on elsewhere, none where unknown."""

    corpora: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    key_weights: tuple[str, ...] = ()  # ids in hex of what coded the key frames of predicted ones
    began_with: tuple[str, ...] = ()  # ids in hex of packed weights that the stage began with

    def joined(self, later: Circumstances) -> Circumstances:
        """Both, in the order of time, each line once, the last ones of very many."""
        pairs = zip(_lines(self), _lines(later), strict=True)
        return Circumstances(*(tuple(dict.fromkeys((*before, *after)))[-MAX_LINES:] for before, after in pairs))

    @classmethod
    def from_json(cls, values: Any) -> Circumstances:
        """Raises ValueError unless ``values`` are lists of lines under this class' names."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not _FIRST <= set(values) <= names:
            raise ValueError("impossible circumstances")
        for lines in values.values():
            if not isinstance(lines, list) or len(lines) > MAX_LINES:
                raise ValueError("impossible circumstances")
            if not all(isinstance(line, str) and len(line) <= MAX_LENGTH for line in lines):
                raise ValueError("impossible circumstances")
        return cls(**{name: tuple(map(_printable, lines)) for name, lines in values.items()})


_FIRST = {"corpora", "machines", "commits"}  # that every manifest with circumstances has


def _lines(of: Circumstances) -> tuple[tuple[str, ...], ...]:
    return tuple(getattr(of, field.name) for field in fields(of))


def _printable(line: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in line)


@dataclass(frozen=True)
class Stage:
    """A stage that is over, or as far as it has come."""

    step: int
    seconds: float
    settings: TrainSettings
    where: Circumstances

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Stage:
        """Raises ValueError or UsageError unless ``values`` are such a stage."""
        if not isinstance(values, dict) or set(values) != {"step", "seconds", "settings", "where"}:
            raise ValueError("impossible stage")
        step, seconds = checked_progress(values["step"], values["seconds"])
        return cls(step, seconds, TrainSettings.from_json(values["settings"]), Circumstances.from_json(values["where"]))


def stages_from_json(values: Any) -> tuple[Stage, ...]:
    """A list of stages, the earliest first. Raises ValueError or UsageError."""
    if not isinstance(values, list) or len(values) > MAX_STAGES:
        raise ValueError("impossible stages")
    return tuple(map(Stage.from_json, values))


def checked_progress(step: Any, seconds: Any) -> tuple[int, float]:
    """Both if they are possible. Raises ValueError."""
    if type(step) is not int or step < 0 or type(seconds) not in (int, float) or not 0 <= seconds < 1e10:
        raise ValueError("impossible step or seconds")
    return step, float(seconds)
