"""The points of a study: every codec and anchor at every rate on every clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.study.anchors import AnchorSpec, check_available
from nvcodec.study.settings import StudySettings
from nvcodec.study.sources import clip_digest
from nvcodec.study.specs import NeuralSpec

QUALITY_SPAN = (12.0, 52.0)  # what points are spread over: the ends of the dial serve few
SUFFIXES = frozenset([".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm", ".y4m", ".yuv"])


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
        UsageError: an unknown codec, anchor or effort; a quality that a codec does not have; nothing to run.
        InputError, FormatError: weights that cannot be read.
    """
    qualities = settings.qualities or spread(settings.points)
    anchors = [AnchorSpec.parse(name) for name in dict.fromkeys(settings.anchors) if name != "none"]
    ours = _ours(settings, qualities)
    if not anchors and not ours:
        raise UsageError("neither codecs nor anchors are named")
    anchors = [anchor for anchor in anchors if _runs(anchor, settings, on_problem)]
    points: list[Point] = []
    for clip in clips:
        digest = clip_digest(clip)
        for anchor in dict.fromkeys(anchors):
            crfs = settings.crfs or anchor.ladder(settings.anchor_points)
            points += [Point(clip, digest, anchor, crf, _options(settings, anchor)) for crf in crfs]
        for spec in ours:
            points += [Point(clip, digest, spec, quality, _options(settings, spec)) for quality in qualities]
    return list(dict.fromkeys(points))


def _ours(settings: StudySettings, qualities: Iterable[float]) -> list[NeuralSpec]:
    """Our codecs, each once. Raises UsageError where two have one name, or lack one of the qualities."""
    specs = {NeuralSpec.parse(name, settings): name for name in dict.fromkeys(settings.codecs) if name != "none"}
    by_label: dict[tuple[str, str], NeuralSpec] = {}
    for spec, name in specs.items():
        other = by_label.setdefault((spec.codec, spec.configuration), spec)
        if other != spec:
            raise UsageError(f"{specs[other]} and {name} have one name, and curves are told apart by it")
        for quality in qualities:
            spec.check_quality(quality)
    return list(specs)


def _runs(anchor: AnchorSpec, settings: StudySettings, on_problem: OnProblem) -> bool:
    for crf in settings.crfs or ():
        anchor.check_rate(crf)
    try:
        check_available(anchor)
    except UsageError as error:
        on_problem(error)
        return False
    return True


def _options(settings: StudySettings, spec: NeuralSpec | AnchorSpec) -> str:
    """What else changes a point's result. Metrics do not: they are measured again only by a new file of results."""
    weights = f"{spec.weights} {spec.digest}".strip() if isinstance(spec, NeuralSpec) else ""
    said = {
        "frames": settings.frames,
        "crop": None if settings.crop is None else "{}x{}".format(*settings.crop),
        "keyint": settings.keyint if isinstance(spec, AnchorSpec) else None,
        "seed": None if isinstance(spec, AnchorSpec) or weights else settings.seed or None,
        "weights": weights or None,
    }
    return " ".join(f"{name} {value}" for name, value in said.items() if value is not None)
