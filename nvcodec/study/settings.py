"""What a study runs, as a typed dataclass from which the options of ``nvcodec rd`` are made."""

from __future__ import annotations

from dataclasses import dataclass

from nvcodec.api.settings import option
from nvcodec.codecs.base import PRESETS, QUALITIES
from nvcodec.errors import UsageError

METRICS = ("psnr", "ssim", "ms-ssim", "vmaf")


@dataclass(frozen=True)
class StudySettings:
    """Codecs, rate points and effort of one study."""

    codecs: tuple[str, ...] = option(
        ("auto",),
        "codecs of ours, NAME[:EFFORT] with a preset or a time as in hnerv:fast,hnerv:2m; trained ones NAME[:MODEL]"
        " with a size or a file of weights as in stem:s (default: auto)",
        parse="names",
    )
    anchors: tuple[str, ...] = option(
        ("x265",),
        "classical encoders, NAME[:PRESET][:low-delay], as in x264,x265:veryslow,svtav1 (default: x265); none for none",
        parse="names",
    )
    points: int = option(4, "rate points a codec of ours (default: 4)")
    qualities: tuple[float, ...] | None = option(None, "the points themselves, as in 16,28,40", parse="numbers")
    anchor_points: int = option(6, "rate points an anchor (default: 6)")
    crfs: tuple[float, ...] | None = option(None, "the anchors' points themselves, as in 22,27,32,37", parse="numbers")
    preset: str | None = option(
        None, "effort of fitted codecs and conditional where they name none (default: medium)", choices=PRESETS
    )
    time_budget: float | None = option(None, "the same as a time, for each point (30s, 5m)", parse="duration")
    frames: int | None = option(None, "only the first N frames of each clip")
    crop: tuple[int, int] | None = option(None, "only the middle of each picture, WIDTHxHEIGHT", parse="shape")
    keyint: int | None = option(None, "most frames from one key frame of an anchor to the next (default: its own)")
    metrics: tuple[str, ...] = option(
        ("psnr", "ssim", "ms-ssim", "vmaf"), f"what to measure, of {', '.join(METRICS)} (default: all)", parse="names"
    )
    jobs: int = option(1, "points at once; times of more than one at once are not for citing")
    threads: int | None = option(None, "CPU threads a point (default: all cores, shared by the jobs)")
    device: str = option("auto", "auto, cpu or cuda, for codecs of ours")
    seed: int = option(0, "seed of every random choice")
    pictures: int = option(1, "frames of each clip to keep as pictures, for the report's slider; 0 for none")
    keep: str | None = option(None, "folder that keeps every coded file (default: none is kept)")

    def __post_init__(self) -> None:
        if self.preset is not None and self.time_budget is not None:
            raise UsageError("--preset and --time-budget exclude one another; give one of them")
        self._check_ranges()
        for name in self.metrics:
            if name not in METRICS:
                raise UsageError(f"there is no metric {name!r}; there are: {', '.join(METRICS)}")
        for quality in self.qualities or ():
            if not 0 <= quality <= QUALITIES - 1:
                raise UsageError(f"a quality is 0 to {QUALITIES - 1}, not {quality:g}")

    def _check_ranges(self) -> None:
        bounds = {
            "points": (1, QUALITIES), "anchor_points": (1, 52), "frames": (1, 1 << 31), "keyint": (1, 100_000),
            "time_budget": (1, 100_000_000), "jobs": (1, 1024), "threads": (1, 1024), "seed": (0, 2**31 - 1),
            "pictures": (0, 100),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"--{name.replace('_', '-')} is {low} to {high}, not {value:g}")
        if self.crop is not None and min(self.crop) < 2:
            raise UsageError("--crop is at least 2x2")
