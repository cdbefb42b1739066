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
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from nvcodec.cli import failures, rd
from nvcodec.cli.messages import Messages
from nvcodec.cli.options import add_settings
from nvcodec.errors import InputError, NvcodecError, StudyError, UsageError
from nvcodec.study.failures import read_failures
from nvcodec.study.points import SUFFIXES, find_clips, plan
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
    codecs=("hnerv:fast", "hnerv:medium", "stem", "conditional"),
    anchors=("x264", "x265", "svtav1"),
    qualities=(12, 32, 52),
    anchor_points=6,
)
ANCHOR = "x265 medium"
TITLE = "nvcodec beside x264, x265 and SVT-AV1"


def quick_clips(folder: Path, warn: Callable[[str], None]) -> list[Path]:
    """Those of the six clips of `QUICK_CLIPS` that are below ``folder``; ``warn`` is told of the others.

    Raises:
        InputError: none of them is.
    """
    videos = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    chosen = []
    for name in QUICK_CLIPS:
        found = [path for path in videos if path.name.startswith(name)]
        if len(found) == 1:
            chosen += found
        else:
            warn(f"{folder}: {len(found) or 'no'} videos whose names begin with {name}, one is wanted: left out")
    if not chosen:
        raise InputError(f"{folder}: none of the six clips is here; docs/benchmarks.md says which")
    return chosen


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.clips", description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path, help="where the clips lie")
    parser.add_argument("--quick", action="store_true", help=f"six clips, {', '.join(QUICK.codecs)}, three points")
    parser.add_argument("--out", type=Path, default=Path("out/clips"), help="folder of results (default: out/clips)")
    parser.add_argument("--dry-run", action="store_true", help="show what would run and about how long")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout, as of nvcodec rd")
    add_settings(parser, StudySettings, {"study (as in nvcodec rd)": ["*"]})
    return parser.parse_args(arguments)


def settings_of(given: argparse.Namespace) -> StudySettings:
    """The study that a command line asks for: what it names, else what `QUICK` does."""
    base = QUICK if given.quick else replace(QUICK, qualities=None, points=5)
    named = {field.name: getattr(given, field.name) for field in fields(StudySettings) if hasattr(given, field.name)}
    return replace(base, **named)


def report(clips: list[Path], settings: StudySettings, folder: Path) -> None:
    """The page, the table and the plot of the points that this study names, as far as they are there."""
    results = folder / "results.jsonl"
    keys = {point.key for point in plan(clips, settings, lambda problem: None)}
    rows = [row for row in [*read_rows([results]), *read_failures([results])] if row.key in keys]
    anchor = ANCHOR if any(row.label == ANCHOR for row in rows) else None
    for name in ("report.html", "report.md", "plot.svg"):
        write_report(rows, folder / name, anchor=anchor, title=TITLE, results=[results])
        print(folder / name, file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Runs what is missing, then writes the report of all that is there."""
    given = parse(arguments)
    messages = Messages(json=given.json)
    try:
        named = quick_clips(given.folder, messages.warning) if given.quick else [given.folder]
        settings = settings_of(given)
        study = {field.name: getattr(settings, field.name) for field in fields(StudySettings)}
        out = given.out / "results.jsonl"
        call = argparse.Namespace(clips=named, out=str(out), dry_run=given.dry_run, **study)
        code = _run(call, messages)
        if not given.dry_run and out.exists():
            report(find_clips(named, lambda problem: None), settings, given.out)
        return code
    except (NvcodecError, KeyboardInterrupt) as error:
        return failures.report(error, messages)


def _run(call: argparse.Namespace, messages: Messages) -> int:
    """`nvcodec rd`; what it could not run leaves the rest to be reported."""
    try:
        return rd.run(call, messages)
    except (StudyError, InputError, UsageError) as error:
        return failures.report(error, messages)


if __name__ == "__main__":
    sys.exit(main())
