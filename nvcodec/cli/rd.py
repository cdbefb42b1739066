"""``nvcodec rd``: codecs and classical anchors over clips and rates, each point a real file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from rich.table import Table

from nvcodec.cli import exits
from nvcodec.cli.messages import Messages
from nvcodec.cli.options import add_settings, given_settings
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import format_duration, plural
from nvcodec.errors import NvcodecError
from nvcodec.study.settings import StudySettings

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
again goes on where it was stopped, and tries again what failed.
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
    from nvcodec.study.measure import why_no_vmaf
    from nvcodec.study.runner import finished, open_results, run_study

    settings, out = given_settings(StudySettings, given), Path(given.out)
    points = planning.plan(planning.find_clips(given.clips), settings)
    done = finished(points, open_results(out))
    if given.dry_run:
        return _show_plan(points, {row.key for row in done}, done, settings, messages)
    left = len(points) - len(done)
    if "vmaf" in settings.metrics and (why := why_no_vmaf()) is not None:
        messages.warning(why)
    messages.note(f"{plural(len(points), 'point')}, {left} to run, into {out}")
    rows = run_study(points, settings, out, lambda event: _show_event(event, messages))
    failed = [row for row in rows if row.error]
    messages.object("result", {"out": str(out), "points": len(points), "failed": len(failed)})
    if failed:
        raise NvcodecError(f"{plural(len(failed), 'point')} of {len(points)} failed; the same call tries again")
    messages.note(f"all points are in {out}; nvcodec report {out} {out.with_suffix('.html')} shows them")
    return 0


def _show_event(event: Any, messages: Messages) -> None:
    row = event.row
    fields = {name: value for name, value in row.as_dict().items() if name not in ("per_frame", "groups")}
    messages.object("point", {**fields, "done": event.done, "total": event.total})
    name = f"{row.clip} {row.label} {row.rate}"
    if row.error:
        messages.warning(f"{name}: {row.error}")
        return
    quality = "" if row.psnr_yuv is None else f", {row.psnr_yuv:.2f} dB"
    size, took = f"{row.bpp:.4f} bpp", format_duration(row.encode_seconds or 0)
    messages.note(f"{event.done}/{event.total}  {name}: {size}{quality}, encoded in {took}")


def _show_plan(points: Any, keys: set[str], rows: Any, settings: StudySettings, messages: Messages) -> int:
    """A line for each curve of each clip: its points and about how long they take."""
    from nvcodec.study.estimate import Estimates, look, total_seconds

    estimates, seconds = Estimates(rows), []
    table = Table("clip", "curve", "points", "to run", "about", box=None, pad_edge=False)
    curves: dict[tuple[Path, str], list[Any]] = {}
    for point in points:
        curves.setdefault((point.clip, point.label), []).append(point)
    shapes = {}
    for (path, label), members in curves.items():
        if path not in shapes:
            shapes[path] = look(path, settings)
        todo = [estimates.seconds(point, shapes[path]) for point in members if point.key not in keys]
        seconds += todo
        rates = " ".join(point.rate for point in members)
        plan = {"clip": path.name, "curve": label, "rates": rates, "to_run": len(todo), "seconds": round(sum(todo))}
        messages.object("plan", plan)
        table.add_row(path.name, label, rates, str(len(todo)), format_duration(sum(todo)))
    whole = total_seconds(seconds, settings.jobs)
    messages.object("result", {"points": len(points), "to_run": len(seconds), "seconds": round(whole)})
    if not messages.json:
        messages.table(table)
    messages.note(f"{len(seconds)} of {plural(len(points), 'point')} to run, about {format_duration(whole)}")
    return 0
