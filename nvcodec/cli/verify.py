"""``nvcodec verify``: every checksum and every hash of an nvc file."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

import nvcodec
from nvcodec.cli import exits, progress, streams
from nvcodec.cli.decode import judge
from nvcodec.cli.messages import Messages, write_line
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import plural
from nvcodec.errors import UnsupportedError

EXAMPLES = (
    ("nvcodec verify in.nvc", "exit code 0 if nothing is wrong"),
    ("nvcodec verify in.nvc --json", "the same for programs"),
)
NOTES = """Checksums and symbols must match on every machine. Pictures may differ by
rounding on other machines than the encoder's: that is reported, no error."""


def parser() -> Parser:
    made = Parser(
        "verify",
        "INPUT",
        "Check every checksum, symbol hash and picture hash of an nvc file.",
        EXAMPLES,
        f"{NOTES}\n{exits.short()}",
    )
    made.add_argument_group("files").add_argument("input", metavar="INPUT", help="an nvc file")
    made.add_output_options("one JSON object a line on stdout: progress, result, error")
    return made


def run(given: Namespace, messages: Messages) -> int:
    streams.check_file(given.input, "verify")
    with progress.shown(messages, "verify") as on_progress:
        report = nvcodec.verify(given.input, on_progress=on_progress)
    messages.object("result", {**asdict(report), "ok": report.ok})
    if not messages.quiet and not messages.json:
        for line in _lines(report):
            write_line(messages.stdout, line)
    kept = f"{report.symbols_ok} of {plural(report.groups, 'group')} whole"
    code = judge(given.input, report.damage, report.truncated, kept, messages)
    if not code and report.unreadable:
        raise UnsupportedError(f"{given.input}: {report.unreadable[0]}")
    return code


def _lines(report: nvcodec.VerifyReport) -> list[str]:
    out = [
        f"chunks    {report.chunks} read",
        f"symbols   {report.symbols_ok} of {plural(report.groups, 'group')} as coded",
        f"pictures  {report.pictures_ok} of {plural(report.groups, 'group')} the same to the bit",
    ]
    if report.pictures_differ:
        listed = ", ".join(map(str, report.pictures_differ[:12])) + ", ..." * (len(report.pictures_differ) > 12)
        out.append(f"          other roundings in group {listed} (no error: allowed between machines)")
    out += [f"damage    {damage}" for damage in report.damage]
    if report.unreadable and not report.damage and not report.truncated:
        return [*out, "the file could NOT be checked"]
    return [*out, "the file is whole" if report.ok else "the file is NOT whole"]
