"""``nvcodec decode``: an nvc file back into a video."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import nvcodec
from nvcodec.api.settings import DecodeSettings
from nvcodec.cli import exits, progress, streams
from nvcodec.cli.messages import Messages
from nvcodec.cli.options import add_settings, as_arguments, given_settings
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import format_duration, format_rate, plural
from nvcodec.errors import DamagedError, TruncatedError

EXAMPLES = (
    ("nvcodec decode in.nvc out.mp4", "H.264, near-lossless, audio"),
    ("nvcodec decode in.nvc out.mkv", "FFV1, lossless, audio"),
    ("nvcodec decode in.nvc out.y4m --frames 40:56", "frames 40 to 55 alone"),
    ("nvcodec decode library.nvc out.mp4 --video 2", "the third video of a library"),
    ("nvcodec decode in.nvc - | ffplay -", "play it"),
    ("nvcodec decode in.nvc.part out.mp4", "what a stopped encode left"),
)
NOTES = """The extension of OUTPUT chooses the container. A damaged file, or one that ends
early, gives what is whole in it."""


def parser() -> Parser:
    made = Parser(
        "decode", "INPUT OUTPUT", "Decode an nvc file into a video file.", EXAMPLES, f"{NOTES}\n{exits.short()}"
    )
    files = made.add_argument_group("files")
    files.add_argument("input", metavar="INPUT", help="an nvc file; - reads it from stdin")
    files.add_argument("output", metavar="OUTPUT", help="mp4, mkv, y4m or another container; - writes y4m to stdout")
    made.add_overwrite(files)
    add_settings(made, DecodeSettings, {"settings": ("*",)})
    made.add_output_options("one JSON object a line on stdout: progress, warning, result, error")
    return made


def run(given: Namespace, messages: Messages) -> int:
    settings = given_settings(DecodeSettings, given)
    streams.check_stdin(given.input, "cat in.nvc | nvcodec decode - out.mp4")
    streams.check_stdout(given.output, "nvcodec decode in.nvc - | ffplay -", messages)
    with progress.shown(messages, "decode") as on_progress:
        result = nvcodec.decode(
            given.input, given.output, overwrite=given.yes, on_progress=on_progress, **as_arguments(settings)
        )
    return _show(given.input, result, messages)


def _show(source: str, result: Any, messages: Messages) -> int:
    for warning in result.warnings:
        messages.warning(warning)
    messages.object("result", result)
    messages.note(
        f"{streams.shown_name(result.path, 'stdout')}: {plural(result.frames, 'frame')}, "
        f"{format_duration(result.seconds)}, {format_rate(result.fps)}"
    )
    return judge(
        streams.shown_name(source, "stdin"),
        result.damaged,
        result.truncated,
        f"{plural(result.frames, 'frame')} saved",
        messages,
    )


def judge(source: str, damaged: list[str], truncated: bool, kept: str, messages: Messages) -> int:
    """The exit code of a file that was read as far as it goes, said in one line if it is not whole."""
    if damaged:
        more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
        messages.error(f"{source} is damaged: {damaged[0]}{more}; {kept}", "DamagedError", DamagedError.exit_code)
        return DamagedError.exit_code
    if truncated:
        messages.error(f"{source} ends early; {kept}", "TruncatedError", TruncatedError.exit_code)
        return TruncatedError.exit_code
    return 0
