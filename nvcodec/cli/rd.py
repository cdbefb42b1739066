"""``nvcodec rd``: codecs and classical anchors over clips and rates, each point a real file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from nvcodec.cli import exits, study_progress
from nvcodec.cli.messages import Messages
from nvcodec.cli.options import add_settings, given_settings
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import format_duration, plural
from nvcodec.errors import InputError, NvcodecError, StudyError
from nvcodec.study.settings import StudySettings

if TYPE_CHECKING:
    from nvcodec.study.estimate import Remaining
    from nvcodec.study.points import Point

EXAMPLES = (
    ("nvcodec rd a.mp4 b.mp4 --time-budget 2m", "our default codec beside x265"),
    ("nvcodec rd clips/ --codecs hnerv:fast,nerv:fast --anchors x265,svtav1", "a folder, two codecs, two anchors"),
    ("nvcodec rd a.mp4 --anchors x265:veryslow,x265:medium:low-delay --dry-run", "what would run, and how long"),
    ("nvcodec report rd.jsonl rd.html", "curves, BD-rates and tables of it"),
)
GROUPS = {
    "what is compared": ("codecs", "anchors", "points", "qualities", "anchor_points", "crfs"),
    "how long each point may take: one of these": ("preset", "time_budget"),
    "other settings": ("*",),
}
NOTES = """Each point is encoded to a real file, decoded in a fresh process and measured
frame by frame; its row is appended to OUT as soon as it is there. The same call
again goes on where it was stopped, and tries again what failed. A clip that
cannot be read and an encoder that the ffmpeg lacks are named and left out.
anchors: x264, x265, svtav1, aom, vvenc, through the ffmpeg of the wheel
imageio-ffmpeg, of NVCODEC_FFMPEG, or on the path."""


def parser() -> Parser:
    made = Parser(
        "rd", "CLIPS", "Measure rate-distortion curves of codecs and anchors.", EXAMPLES, f"{NOTES}\n{exits.short()}"
    )
    files = made.add_argument_group("files")
    files.add_argument(
        "clips", metavar="CLIPS", nargs="+", help="video files, or folders of them; raw .yuv by its name"
    )
    files.add_argument(
        "-o", "--out", metavar="OUT", default="rd.jsonl", help="the rows, JSON lines (default: rd.jsonl)"
    )
    files.add_argument("--dry-run", action="store_true", help="show what would run and about how long")
    add_settings(made, StudySettings, GROUPS)
    made.add_output_options("one JSON object a line on stdout: plan or point, result, error")
    return made


def run(given: Namespace, messages: Messages) -> int:
    from nvcodec.study import points as planning
    from nvcodec.study.estimate import Remaining
    from nvcodec.study.measure import why_no_vmaf
    from nvcodec.study.pictures import why_no_pictures
    from nvcodec.study.runner import finished, open_results, run_study

    settings, out = given_settings(StudySettings, given), Path(given.out)
    problems: list[NvcodecError] = []

    def leave_out(problem: NvcodecError) -> None:
        problems.append(problem)
        messages.warning(f"left out: {problem}")

    clips = _readable(planning.find_clips(given.clips, leave_out), settings, leave_out)
    points = planning.plan(clips, settings, leave_out)
    if not points:
        raise problems[0] if problems else InputError("no clip to run")
    done = finished(points, open_results(out), settings)
    remaining = Remaining(points, settings, done)
    if given.dry_run:
        _show_plan(points, remaining, messages)
        return problems[0].exit_code if problems else 0
    if "vmaf" in settings.metrics and (why := why_no_vmaf()) is not None:
        messages.warning(why)
    if settings.pictures and (why := why_no_pictures()) is not None:
        messages.warning(why)
    messages.note(f"{plural(len(points), 'point')}, {len(remaining.points)} to run, into {out}")
    try:
        with study_progress.shown(messages, remaining, len(points)) as on_event:
            rows = run_study(points, settings, out, on_event)
    except BaseException as error:
        left = len(remaining.points)
        error.add_note(f"{len(points) - left} of {plural(len(points), 'point')} are in {out}; the same call goes on")
        raise
    failed = sum(bool(row.error) for row in rows)
    messages.object("result", {"out": str(out), "points": len(points), "failed": failed, "left_out": len(problems)})
    return _judge(out, len(points), failed, problems, messages)


def _readable(clips: list[Path], settings: StudySettings, leave_out: Callable[[NvcodecError], None]) -> list[Path]:
    """The clips that can be opened."""
    from nvcodec.study.estimate import look

    found = []
    for clip in clips:
        try:
            look(clip, settings)
            found.append(clip)
        except NvcodecError as problem:
            leave_out(problem)
    return found


def _judge(out: Path, points: int, failed: int, problems: list[NvcodecError], messages: Messages) -> int:
    """0, or an error that says what is missing from the results."""
    if failed:
        raise StudyError(f"{failed} of {plural(points, 'point')} failed; the same call tries again")
    if problems:
        raise type(problems[0])(f"{plural(len(problems), 'problem')} left out, see above; the rest is in {out}")
    messages.note(f"all points are in {out}; nvcodec report {out} {out.with_suffix('.html')} shows them")
    return 0


def _show_plan(points: list[Point], remaining: Remaining, messages: Messages) -> None:
    """A line for each curve of each clip: its points and about how long they take."""
    each = remaining.each()
    table = Table("clip", "curve", "points", "to run", "about", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    curves: dict[tuple[Path, str], list[Point]] = {}
    for point in points:
        curves.setdefault((point.clip, point.label), []).append(point)
    for (path, label), members in curves.items():
        todo = [each[point] for point in members if point in each]
        rates = " ".join(point.rate for point in members)
        line = {"clip": path.name, "curve": label, "rates": rates, "to_run": len(todo), "seconds": round(sum(todo))}
        messages.object("plan", line)
        table.add_row(path.name, label, rates, str(len(todo)), format_duration(sum(todo)))
    whole = remaining.seconds()
    messages.object("result", {"points": len(points), "to_run": len(each), "seconds": round(whole)})
    if not messages.json:
        messages.table(table)
    messages.note(f"{len(each)} of {plural(len(points), 'point')} to run, about {format_duration(whole)}")
