"""How long a study's points will take, roughly: for a plan to be looked at before it is run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nvcodec.errors import InputError
from nvcodec.study.points import Point
from nvcodec.study.rawfiles import is_raw, parse_name
from nvcodec.study.rows import Row
from nvcodec.study.settings import StudySettings
from nvcodec.study.specs import NeuralSpec
from nvcodec.video import Reader, probe

# Seconds a megapixel of 4:2:0 video on one core of the 2020s, in orders of magnitude; rows that exist replace them.
_ANCHORS = {"x264": 0.05, "x265": 0.15, "svtav1": 0.06, "aom": 0.6, "vvenc": 1.5}
_ANCHOR_PRESETS = {"veryslow": 8.0, "placebo": 20.0, "slower": 4.0, "slow": 2.0, "veryfast": 0.4, "ultrafast": 0.15}
_PRESETS = {"faster": 1.5, "fast": 4.0, "medium": 12.0, "slow": 40.0, "slower": 120.0}
_FEWEST = {"faster": 6.0, "fast": 15.0, "medium": 40.0, "slow": 100.0, "slower": 240.0}  # seconds of the least steps
_TRAINED = 1.0  # encoding and decoding with the smallest size
_MEASURING = 0.2  # decoding and all metrics
_START = 5.0  # seconds of three processes that start


@dataclass(frozen=True)
class Clip:
    """What of a clip decides how long it takes."""

    pixels: int  # of a frame
    frames: int

    @property
    def megapixels(self) -> float:
        """Of all frames."""
        return self.pixels * self.frames / 1e6


def look(path: Path, settings: StudySettings) -> Clip:
    """Size and length of a clip as the study will cut it; its first picture is decoded to see that it can be.

    Raises:
        InputError: it cannot be read, holds no whole picture, or is smaller than the crop.
    """
    if is_raw(path):
        layout = parse_name(path.name)
        width, height, frames = layout.width, layout.height, path.stat().st_size // layout.frame_bytes
    else:
        info = probe(path)
        width, height, frames = info.format.width, info.format.height, info.frame_count or 1
        with Reader(path, audio=False, limit=1) as reader:
            frames = frames if next(iter(reader), None) is not None else 0
    if not frames:
        raise InputError(f"{path}: no frames")
    if settings.crop is not None:
        if settings.crop[0] > width or settings.crop[1] > height:
            crop = "{}x{}".format(*settings.crop)
            raise InputError(f"{path}: a crop of {crop} does not fit into pictures of {width}x{height}")
        width, height = settings.crop
    return Clip(width * height, min(frames, settings.frames or frames))


class Estimates:
    """Guesses that learn: a curve that has rows is scaled by their time a megapixel."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._measured: defaultdict[str, list[float]] = defaultdict(list)
        for row in rows:
            megapixels = (row.width or 0) * (row.height or 0) * (row.frames or 0) / 1e6
            seconds = row.encode_seconds or 0.0
            if megapixels > 0 and 0 < seconds < math.inf:
                self._measured[row.label].append(math.log(seconds / megapixels))

    def seconds(self, point: Point, clip: Clip) -> float:
        """Encoding, decoding and measuring of one point."""
        return self._encoding(point, clip) + _MEASURING * clip.megapixels + _START

    def _encoding(self, point: Point, clip: Clip) -> float:
        spec = point.spec
        if isinstance(spec, NeuralSpec) and spec.time_budget is not None:
            return spec.time_budget
        if known := self._measured.get(point.label):
            return math.exp(sum(known) / len(known)) * clip.megapixels
        if isinstance(spec, NeuralSpec) and spec.model is not None:
            return _TRAINED * clip.megapixels
        if isinstance(spec, NeuralSpec):
            preset = spec.preset or "medium"
            return max(_PRESETS[preset] * clip.megapixels, _FEWEST[preset])
        return _ANCHORS.get(spec.codec, 0.5) * _ANCHOR_PRESETS.get(spec.preset, 1.0) * clip.megapixels


class Remaining:
    """What is left of a study, and about how long it takes: guesses, scaled by how the points so far bore them out."""

    def __init__(self, points: Iterable[Point], settings: StudySettings, rows: Iterable[Row]) -> None:
        self._rows, self._jobs = list(rows), settings.jobs
        done = {row.key for row in self._rows}
        self.points = {point.key: point for point in points if point.key not in done}
        self._clips = {clip: look(clip, settings) for clip in {point.clip for point in self.points.values()}}
        self._guessed = self._spent = 0.0  # seconds of the points that this call has run

    def each(self) -> dict[Point, float]:
        """The points that are left, and the seconds of each."""
        estimates = Estimates(self._rows)
        scale = self._spent / self._guessed if self._guessed else 1.0
        return {p: scale * estimates.seconds(p, self._clips[p.clip]) for p in self.points.values()}

    def seconds(self) -> float:
        """Wall clock of all that is left."""
        return total_seconds(list(self.each().values()), self._jobs)

    def take(self, row: Row, seconds: float) -> None:
        """Learns from a point that has ended."""
        point = self.points.pop(row.key, None)
        if point is None or row.error:
            return
        self._rows.append(row)
        self._guessed += Estimates(self._rows).seconds(point, self._clips[point.clip])
        self._spent += seconds


def total_seconds(seconds: Sequence[float], jobs: int) -> float:
    """Wall clock of these points, ``jobs`` at a time; never less than the longest one."""
    return max([sum(seconds) / jobs, *seconds], default=0.0)
