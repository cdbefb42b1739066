"""``nvcodec encode``: a video file into an nvc file."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

import nvcodec
from nvcodec.api.files import part_path
from nvcodec.api.settings import EncodeSettings
from nvcodec.cli import exits, progress, streams
from nvcodec.cli.messages import Messages
from nvcodec.cli.options import add_settings, as_arguments, given_settings
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import format_duration, format_rate, format_size, plural
from nvcodec.codecs.registry import CODECS
from nvcodec.container import Reader
from nvcodec.errors import GoalError, NvcodecError, OutputError

EXAMPLES = (
    ("nvcodec encode in.mp4 out.nvc", "quality 32"),
    ("nvcodec encode in.mp4 out.nvc --quality 40", "better and larger"),
    ("nvcodec encode in.mp4 out.nvc --size 2MB", "at most 2 MB, audio and all"),
    ("nvcodec encode in.mp4 out.nvc --psnr 34", "at least 34 dB"),
    ("nvcodec encode in.mp4 out.nvc --codec hnerv --time-budget 5m", "fitted, within 5 minutes"),
    ("nvcodec encode in.mp4 out.nvc --resume", "go on after a stop"),
    ("nvcodec encode more.mp4 library.nvc --append", "one more video of a pfnr file"),
    ("ffmpeg -i in.mov -f yuv4mpegpipe - | nvcodec encode - out.nvc", "from a pipe"),
)
GROUPS = {
    "how good: one of these": ("quality", "bpp", "size", "psnr"),
    "how long it may take: one of these": ("preset", "time_budget"),
    "other settings": ("*",),
}
NOTES = """Work goes to OUTPUT.part, a valid shorter nvc file after every group, and gets
its name at the end.
Sizes: kB = 1000 bytes, KiB = 1024. Times: 90s, 5m, 1h30m, 1:30."""


def parser() -> Parser:
    made = Parser(
        "encode", "INPUT OUTPUT", "Encode a video file into an nvc file.", EXAMPLES, f"{NOTES}\n{exits.short()}"
    )
    files = made.add_argument_group("files")
    files.add_argument("input", metavar="INPUT", help="any file that FFmpeg's libraries open; - reads y4m from stdin")
    files.add_argument("output", metavar="OUTPUT", help="the nvc file; - writes it to stdout")
    made.add_overwrite(files)
    files.add_argument("--resume", action="store_true", help="go on with OUTPUT.part, which a stopped encode left")
    files.add_argument("--append", action="store_true", help="add a video to OUTPUT, a library (codec pfnr)")
    add_settings(made, EncodeSettings, GROUPS, {"codec": ("auto", *CODECS)})
    made.add_output_options("one JSON object a line on stdout: progress, warning, result, error")
    return made


def run(given: Namespace, messages: Messages) -> int:
    settings = given_settings(EncodeSettings, given)
    streams.check_stdin(given.input, "ffmpeg -i in.mp4 -f yuv4mpegpipe - | nvcodec encode - out.nvc")
    streams.check_stdout(given.output, "nvcodec encode in.mp4 - > out.nvc", messages)
    started = time.time()
    messages.detail("settings: " + ", ".join(f"{key} {value}" for key, value in settings.described().items()))
    try:
        with progress.shown(messages, "encode", given.resume) as on_progress:
            result = nvcodec.encode(
                given.input,
                given.output,
                resume=given.resume,
                append=given.append,
                overwrite=given.yes,
                on_progress=on_progress,
                **as_arguments(settings),
            )
    except BaseException as error:
        if not isinstance(error, NvcodecError) or isinstance(error, OutputError):
            if note := _kept(given.output, started):
                error.add_note(note)
            elif isinstance(error, KeyboardInterrupt):
                error.add_note("no group was whole yet, nothing was kept")
        raise
    return _show(result, messages)


def _show(result: Any, messages: Messages) -> int:
    for warning in result.warnings:
        messages.warning(warning)
    messages.object("result", result)
    messages.note(summary(result))
    messages.detail(
        f"{format_size(result.payload_bytes)} of networks, {format_size(result.estimated_bytes)} by the rate model"
    )
    if result.goal_met:
        return 0
    name = streams.shown_name(result.path, "stdout")
    messages.error(
        f"the goal was not met: {result.goal}; the nearest result was kept in {name}",
        "GoalError",
        GoalError.exit_code,
    )
    return GoalError.exit_code


def summary(result: Any) -> str:
    """What was made, in one line."""
    psnr = "" if result.psnr_yuv is None else f", {result.psnr_yuv:.2f} dB"
    tracks = result.bytes - result.video_bytes
    video = f" ({format_size(result.video_bytes)} of it video)" if tracks else ""
    resumed = result.psnr_yuv is None  # then the time is not that of all frames
    speed = "" if resumed or result.seconds <= 0 else f", {format_rate(result.frames / result.seconds)}"
    return (
        f"{streams.shown_name(result.path, 'stdout')}: {format_size(result.bytes)}{video}, {result.bpp:.4f} bpp{psnr}\n"
        f"{plural(result.frames, 'frame')} in {plural(result.groups, 'group')}, "
        f"{format_duration(result.seconds)}{speed}"
    )


def _kept(target: str, started: float) -> str:
    """What a stopped encode leaves behind, for people; nothing if this call did not get that far."""
    part = part_path(target)
    try:
        if target == streams.PIPE or part.stat().st_mtime < started - 1:
            return ""
        with part.open("rb") as file:
            frames = Reader(file).frame_count
    except (OSError, NvcodecError):
        return ""
    return f"{part} holds {plural(frames, 'frame')}; go on with --resume" if frames else ""
