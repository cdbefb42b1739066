"""Our codecs beside classical ones over a folder of clips: the README's table and plot.

    python -m eval.clips FOLDER --quick --out out/clips           (six clips; at most three hours on two cores)
    python -m eval.clips FOLDER --quick --out out/clips --dry-run
    python -m eval.clips FOLDER --out out/clips --codecs hnerv:2m  (every clip of the folder)

Rows are kept in OUT/results.jsonl as they come, a second call goes on where the first one ended; then OUT/report.html,
OUT/report.md and OUT/plot.svg are made of them. docs/benchmarks.md says which clips `--quick` wants and why.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from nvcodec.cli import main as nvcodec_main
from nvcodec.errors import InputError, NvcodecError
from nvcodec.study.points import find_clips, plan
from nvcodec.study.report import write_report
from nvcodec.study.rows import read_rows
from nvcodec.study.settings import StudySettings

QUICK_CLIPS = {  # the beginning of a file's name: what it stands for
    "akiyo_cif": "a still scene",
    "foreman_cif": "a face, a moving camera",
    "basketballpass_416x240": "fast motion",
    "bus_qcif": "a pan",
    "vid4_city": "fine detail",
    "davis_blackswan": "water, the largest of the six",
}
QUICK = StudySettings(
    codecs=("hnerv:fast", "hnerv:medium"), anchors=("x264", "x265", "svtav1"), qualities=(12, 32, 52), anchor_points=6
)
ANCHOR = "x265 medium"
TITLE = "nvcodec beside x264, x265 and SVT-AV1"


def quick_clips(folder: Path) -> list[Path]:
    """The six clips of `QUICK_CLIPS`, anywhere below ``folder``.

    Raises:
        InputError: one is missing, or two files have its name.
    """
    chosen = []
    for name in QUICK_CLIPS:
        found = sorted(path for path in folder.rglob(f"{name}*") if path.is_file())
        if len(found) != 1:
            raise InputError(f"{folder} holds {len(found)} files whose names begin with {name!r}, one is wanted")
        chosen += found
    return chosen


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.clips", description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path, help="where the clips lie")
    parser.add_argument("--quick", action="store_true", help=f"six clips, {', '.join(QUICK.codecs)}, three points")
    parser.add_argument("--codecs", help=f"as for nvcodec rd (default: {','.join(QUICK.codecs)})")
    parser.add_argument("--anchors", help=f"as for nvcodec rd (default: {','.join(QUICK.anchors)})")
    parser.add_argument("--frames", type=int, help="only the first N frames of each clip")
    parser.add_argument("--jobs", type=int, default=1, help="points at once (default: 1, for times that can be cited)")
    parser.add_argument("--threads", type=int, help="CPU threads a point (default: all cores)")
    parser.add_argument("--out", type=Path, default=Path("out/clips"), help="folder of the results")
    parser.add_argument("--dry-run", action="store_true", help="show what would run and about how long")
    return parser.parse_args(arguments)


def settings_of(given: argparse.Namespace) -> StudySettings:
    """The study that a command line asks for."""
    settings = replace(QUICK, jobs=given.jobs, threads=given.threads, frames=given.frames)
    if not given.quick:
        settings = replace(settings, qualities=None, points=5)
    codecs, anchors = (tuple(text.split(",")) if text else None for text in (given.codecs, given.anchors))
    return replace(settings, codecs=codecs or settings.codecs, anchors=anchors or settings.anchors)


def rd_arguments(clips: list[Path], settings: StudySettings, out: Path, dry_run: bool) -> list[str]:
    """The study as arguments of ``nvcodec rd``, which shows what it does."""
    words = ["rd", *map(str, clips), "--out", str(out), "--codecs", ",".join(settings.codecs)]
    words += ["--anchors", ",".join(settings.anchors), "--anchor-points", str(settings.anchor_points)]
    words += ["--points", str(settings.points), "--jobs", str(settings.jobs)]
    if settings.qualities is not None:
        words += ["--qualities", ",".join(f"{quality:g}" for quality in settings.qualities)]
    for name in ("threads", "frames"):
        if getattr(settings, name) is not None:
            words += [f"--{name}", str(getattr(settings, name))]
    return [*words, "--dry-run"] if dry_run else words


def report(clips: list[Path], settings: StudySettings, folder: Path) -> None:
    """The page, the table and the plot of the points that this study names."""
    keys = {point.key for point in plan(clips, settings)}
    results = folder / "results.jsonl"
    rows = [row for row in read_rows([results]) if row.key in keys]
    anchor = ANCHOR if any(row.label == ANCHOR for row in rows) else None
    for name in ("report.html", "report.md", "plot.svg"):
        write_report(rows, folder / name, anchor=anchor, title=TITLE, results=[results])
        print(folder / name)


def main(arguments: list[str] | None = None) -> int:
    """Runs what is missing, then writes the report."""
    given = parse(arguments)
    try:
        clips = find_clips(quick_clips(given.folder) if given.quick else [given.folder])
        settings = settings_of(given)
        given.out.mkdir(parents=True, exist_ok=True)
        results = given.out / "results.jsonl"
        code = nvcodec_main(rd_arguments(clips, settings, results, given.dry_run))
        if code == 0 and not given.dry_run:
            report(clips, settings, given.out)
        return code
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
