"""``nvcodec report``: curves, BD-rates and tables of what ``nvcodec rd`` measured."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nvcodec.api import files
from nvcodec.cli import exits, streams
from nvcodec.cli.messages import Messages, write_line
from nvcodec.cli.options import Choice
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import parse_size
from nvcodec.errors import UsageError
from nvcodec.study.curves import METRICS
from nvcodec.study.failures import read_failures
from nvcodec.study.rows import read_rows

if TYPE_CHECKING:
    from nvcodec.study.report.content import Content

EXAMPLES = (
    ("nvcodec report r.jsonl r.html", "one page: headlines, curves, BD-rates, conditions"),
    ("nvcodec report a.jsonl b.jsonl r.html --anchor 'x265 veryslow'", "two files, another anchor"),
    ("nvcodec report r.jsonl r.md --metric vmaf", "tables to paste, BD-rates at equal VMAF"),
    ("nvcodec report r.jsonl r.png", "the curves alone"),
    ("nvcodec report r.jsonl - | less", "tables in the terminal"),
)
NOTES = """The extension of OUT chooses the form. A page holds all it needs and loads
nothing. BD-rate is per sequence, then averaged, by Akima and PCHIP; a curve
needs 3 points, and quality must rise with rate."""


def parser() -> Parser:
    made = Parser("report", "RESULTS OUT", "Draw what nvcodec rd measured.", EXAMPLES, f"{NOTES}\n{exits.short()}")
    files_group = made.add_argument_group("files")
    files_group.add_argument("results", metavar="RESULTS", nargs="+", help="files of rows, JSON lines")
    files_group.add_argument("output", metavar="OUT", help="html, md, csv, svg or png; - writes Markdown to stdout")
    made.add_overwrite(files_group)
    settings = made.add_argument_group("settings")
    settings.add_argument(
        "--anchor", metavar="LABEL", help="curve to compare with, as in 'x265 medium' (the default, if there)"
    )
    settings.add_argument(
        "--metric", metavar="NAME", type=_Metric(tuple(METRICS)), default="psnr_yuv",
        help="equal quality in what (default: psnr_yuv); or psnr_rgb, ms_ssim_db, vmaf ...",
    )  # fmt: skip
    settings.add_argument(
        "--pictures", metavar="SIZE", type=parse_size,
        help="most bytes of pictures in a page, as in 12MB (the default); 0 for none",
    )  # fmt: skip
    settings.add_argument("--title", metavar="TEXT", help="the report's title")
    made.add_output_options("one JSON object on stdout: every BD-rate and average")
    return made


class _Metric(Choice):
    """A name of METRICS, or one of those by which ``nvcodec rd --metrics`` knows the usual ones."""

    def __call__(self, text: str) -> str:
        return super().__call__({"psnr": "psnr_yuv", "ms-ssim": "ms_ssim_db"}.get(text, text))


def run(given: Namespace, messages: Messages) -> int:
    from nvcodec.study.report import check_form, write_report
    from nvcodec.study.report.album import MOST_BYTES
    from nvcodec.study.report.content import content
    from nvcodec.study.report.markdown import markdown

    piped = given.output == streams.PIPE
    if not piped:
        check_form(Path(given.output))  # before all else: the last file of results may stand where OUT was forgotten
    for source in given.results:
        streams.check_file(source, "report")
        if not piped:
            files.check_target(source, given.output, given.yes)
    if piped and messages.json:
        raise UsageError("--json writes to standard output, as does the report: name a file for one of them")
    rows = [*read_rows(given.results), *read_failures(given.results)]
    options = {"anchor": given.anchor, "metric": given.metric, "title": given.title}
    if piped:
        for line in markdown(content(rows, **options)).splitlines():
            write_line(messages.stdout, line)
        return 0
    most = MOST_BYTES if given.pictures is None else given.pictures
    results = [Path(path) for path in given.results] if most else []
    made = write_report(rows, Path(given.output), **options, results=results, picture_bytes=most)
    messages.object("report", as_object(made, given.output))
    if not messages.json and not messages.quiet:
        for label, said in made.headlines:
            write_line(messages.stdout, f"{label} {said}")
    messages.note(f"{given.output}: {made.summary}")
    return 0


def as_object(made: Content, output: str) -> dict[str, Any]:
    """What ``--json`` prints: the deltas of the chosen metric and those at equal encode time."""
    table = made.main.table
    return {
        "output": output,
        "anchor": table.anchor,
        "metric": table.metric,
        "method": table.method,
        "clips": table.clips,
        "averages": table.averages,
        "cells": table.cells,
        "time_deltas": made.time_deltas,
        "notes": made.notes,
    }
