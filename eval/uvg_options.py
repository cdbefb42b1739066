"""The UVG benchmark's command line: its own options, and those of a study made from the study's settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from eval.uvg_data import SEQUENCES, SHAPE, sequence_of
from nvcodec.cli.options import add_settings
from nvcodec.errors import UsageError
from nvcodec.study.curves import check_metric
from nvcodec.study.settings import StudySettings

CROPS: dict[str, tuple[int, int] | None] = {"1080p": None, "960x1920": (1920, 960)}  # named by rows x columns
SHOWN = ("HiNeRV", "C3", "NeRV", "HNeRV", "HM 18.0", "VTM 17.0", "x265")  # of the published figures
_OWN = ("frames", "crop")  # fields of the study that the benchmark's own options set


@dataclass(frozen=True)
class Options:
    """One call of the benchmark."""

    folder: Path
    out: Path
    setting: str
    sequences: tuple[str, ...]
    study: StudySettings
    anchor: str | None = None  # label that BD-rates are against
    metric: str = "psnr_rgb"  # of the report
    published: tuple[str, ...] = SHOWN  # ("all",) for all of them
    md5: Path | None = None
    strict: bool = False
    any_shape: bool = False
    dry_run: bool = False
    latex: bool = False
    json: bool = False

    @property
    def name(self) -> str:
        """Of the files of results: rows of other frames or pictures lie in other files."""
        frames = "all" if self.study.frames is None else str(self.study.frames)
        return f"uvg-{self.setting}-{frames}{'-any-shape' if self.any_shape else ''}"

    @property
    def shape(self) -> tuple[int, int] | None:
        """(width, height) of the pictures that are coded; None: whatever the files have."""
        return CROPS[self.setting] or (None if self.any_shape else SHAPE)


def parse(arguments: Sequence[str] | None, description: str) -> Options:
    """The command line.

    Raises:
        UsageError: settings that exclude one another or are out of range.
        SystemExit: argparse's own, of what it cannot read.
    """
    given = vars(_parser(description).parse_args(arguments))
    names = {field.name for field in fields(StudySettings)} - set(_OWN)
    frames, crop = given.pop("frames"), CROPS[given["setting"]]
    study = StudySettings(**{name: given.pop(name) for name in names & given.keys()}, frames=frames, crop=crop)
    check_metric(given["metric"])
    return Options(study=study, **given)


def _parser(description: str) -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.uvg", description=description, formatter_class=raw)
    parser.add_argument("folder", type=Path, help="holds the sequences as .yuv, .y4m, .mp4 or .mkv")
    parser.add_argument("--out", type=Path, default=Path("out/uvg"), help="folder of results (default: out/uvg)")
    what = parser.add_argument_group("what is coded")
    what.add_argument(
        "--setting", choices=list(CROPS), default="1080p", help="whole pictures, or their middle 960 rows"
    )
    what.add_argument("--frames", type=_frames, default=None, metavar="all|N", help="first N frames (default: all)")
    what.add_argument("--sequences", type=_sequences, default=SEQUENCES, metavar="A,B", help="default: all seven")
    what.add_argument("--md5", type=Path, metavar="FILE", help="hold files against lines as md5sum writes them")
    what.add_argument("--strict", action="store_true", help="run nothing unless every sequence is there and fits")
    what.add_argument("--any-shape", action="store_true", help="take any size and length; not the benchmark any more")
    names = [field.name for field in fields(StudySettings) if field.name not in _OWN]
    add_settings(parser, StudySettings, {"study (as in nvcodec rd)": names})
    shown = parser.add_argument_group("what is shown")
    shown.add_argument("--anchor", metavar="LABEL", help='BD-rate against it (default: "x265 medium" or the like)')
    shown.add_argument("--metric", default="psnr_rgb", metavar="NAME", help="of the plots (default: psnr_rgb)")
    shown.add_argument(
        "--published", type=_names, default=SHOWN, metavar="A,B|all|none", help="published figures beside"
    )
    form = shown.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="print LaTeX (booktabs) instead of markdown")
    form.add_argument("--json", action="store_true", help="print the rows as lines of JSON, without frames' values")
    shown.add_argument("--dry-run", action="store_true", help="show what would run and about how long")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _frames(text: str) -> int | None:
    if text == "all":
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is neither all nor a number of frames")
    return int(text)


def _sequences(text: str) -> tuple[str, ...]:
    found = {name: sequence_of(name) for name in _names(text)}
    for name, sequence in found.items():
        if sequence is None:
            raise argparse.ArgumentTypeError(f"there is no sequence {name!r}; there are: {', '.join(SEQUENCES)}")
    if not found:
        raise argparse.ArgumentTypeError("no sequence is named")
    return tuple(name for name in SEQUENCES if name in found.values())


def check_anchor(label: str | None, labels: Sequence[str]) -> None:
    """Raises UsageError, before anything runs, for an anchor that the study has no curve of."""
    if label is not None and label not in labels:
        raise UsageError(f"--anchor {label!r} is not of this study; there are: {', '.join(labels)}")
