"""The points of a study: every codec and anchor at every rate on every clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nvcodec.codecs.base import PRESETS
from nvcodec.codecs.registry import AUTO, CODECS, get_codec
from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.study.anchors import AnchorSpec, check_available
from nvcodec.study.durations import duration_text, read_duration
from nvcodec.study.settings import StudySettings
from nvcodec.study.sources import clip_digest

QUALITY_SPAN = (12.0, 52.0)  # what points are spread over: the ends of the dial serve few
SUFFIXES = frozenset([".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm", ".y4m", ".yuv"])


@dataclass(frozen=True)
class NeuralSpec:
    """A codec of ours and its effort: a preset, or a time budget in seconds."""

    codec: str
    preset: str | None = None
    time_budget: float | None = None

    @classmethod
    def parse(cls, text: str, settings: StudySettings) -> NeuralSpec:
        """``NAME[:EFFORT]``, the effort a preset or a duration; the study's own where it names none.

        Raises:
            UsageError: no such codec, or an effort that is neither.
        """
        name, colon, effort = text.partition(":")
        name = AUTO if name == "auto" else name
        if name not in CODECS:
            get_codec(name)  # which says what there is
        if not colon:
            preset = settings.preset or ("medium" if settings.time_budget is None else None)
            return cls(name, preset, settings.time_budget)
        if effort in PRESETS:
            return cls(name, effort)
        seconds = read_duration(effort)
        if seconds is None or seconds < 1:
            raise UsageError(f"{effort!r} of {text!r} is neither a preset ({', '.join(PRESETS)}) nor a time such as 2m")
        return cls(name, None, seconds)

    @property
    def family(self) -> str:
        """ "fitted" or "trained"."""
        return get_codec(self.codec).family

    @property
    def configuration(self) -> str:
        """ "fast", or "2m"."""
        return self.preset if self.preset is not None else duration_text(self.time_budget or 0)


@dataclass(frozen=True)
class Point:
    """One encode to make: a clip, a codec in one configuration, a setting of its dial."""

    clip: Path
    digest: str  # of the clip's bytes
    spec: NeuralSpec | AnchorSpec
    setting: float  # quality 0..63, or the anchor's CRF or QP
    options: str = ""  # all else that changes the result: frames, crop, key interval, seed

    @property
    def rate(self) -> str:
        """ "q32", "crf28" or "qp30"."""
        return f"{'q' if isinstance(self.spec, NeuralSpec) else self.spec.dial}{self.setting:g}"

    @property
    def label(self) -> str:
        """Codec and configuration, the name of the point's curve."""
        return f"{self.spec.codec} {self.spec.configuration}"

    @property
    def key(self) -> str:
        """What makes the point what it is, for resuming."""
        return f"{self.clip.name} {self.digest} {self.label} {self.rate} {self.options}".strip()


OnProblem = Callable[[NvcodecError], None]


def stop(problem: NvcodecError) -> None:
    """What is done with a problem by default."""
    raise problem


def find_clips(named: Iterable[str | Path], on_problem: OnProblem = stop) -> list[Path]:
    """The files that were named, and the videos of folders that were, each once.

    ``on_problem`` gets an InputError for one that is missing, a folder without a video, and a clip that has the name of
    another one; where it returns, the rest goes on.
    """
    by_name: dict[str, Path] = {}
    for path in map(Path, named):
        inside = [path]
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if not inside or not path.exists():
            on_problem(InputError(f"{path}: {'no such file' if inside else 'no video file in this folder'}"))
            continue
        for clip in (file.resolve() for file in inside):
            other = by_name.setdefault(clip.name, clip)
            if other != clip:
                on_problem(InputError(f"{other} and {clip} have one name, and rows are told apart by it"))
    return list(by_name.values())


def spread(count: int) -> tuple[float, ...]:
    """``count`` qualities, evenly over `QUALITY_SPAN`; one alone is the dial's default."""
    if count == 1:
        return (32.0,)
    low, high = QUALITY_SPAN
    return tuple(float(round(low + (high - low) * i / (count - 1))) for i in range(count))


def plan(clips: Sequence[Path], settings: StudySettings, on_problem: OnProblem = stop) -> list[Point]:
    """All points, clip by clip, anchors first: they are soon done and show that a clip is in order.

    ``on_problem`` gets a UsageError for an encoder that the ffmpeg lacks; where it returns, the rest goes on.

    Raises:
        UsageError: an unknown codec, anchor or effort; nothing to run.
    """
    qualities = settings.qualities or spread(settings.points)
    anchors = [AnchorSpec.parse(name) for name in dict.fromkeys(settings.anchors) if name != "none"]
    ours = [NeuralSpec.parse(name, settings) for name in dict.fromkeys(settings.codecs) if name != "none"]
    if not anchors and not ours:
        raise UsageError("neither codecs nor anchors are named")
    anchors = [anchor for anchor in anchors if _runs(anchor, settings, on_problem)]
    points: list[Point] = []
    for clip in clips:
        digest = clip_digest(clip)
        for anchor in dict.fromkeys(anchors):
            crfs = settings.crfs or anchor.ladder(settings.anchor_points)
            points += [Point(clip, digest, anchor, crf, _options(settings, anchor=True)) for crf in crfs]
        for spec in dict.fromkeys(ours):
            points += [Point(clip, digest, spec, quality, _options(settings)) for quality in qualities]
    return list(dict.fromkeys(points))


def _runs(anchor: AnchorSpec, settings: StudySettings, on_problem: OnProblem) -> bool:
    for crf in settings.crfs or ():
        anchor.check_rate(crf)
    try:
        check_available(anchor)
    except UsageError as error:
        on_problem(error)
        return False
    return True


def _options(settings: StudySettings, anchor: bool = False) -> str:
    """What else changes a point's result. Metrics do not: they are measured again only by a new file of results."""
    said = {
        "frames": settings.frames,
        "crop": None if settings.crop is None else "{}x{}".format(*settings.crop),
        "keyint": settings.keyint if anchor else None,
        "seed": None if anchor else settings.seed or None,
    }
    return " ".join(f"{name} {value}" for name, value in said.items() if value is not None)
