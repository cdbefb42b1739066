"""``nvcodec eval``: what an nvc file costs and how near it is to its source."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import nvcodec
from nvcodec.cli import exits, progress, streams
from nvcodec.cli.decode import judge
from nvcodec.cli.messages import Messages, write_line
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import format_rate, format_size, parse_int, plural

EXAMPLES = (
    ("nvcodec eval in.mp4 out.nvc", "size, PSNR, MS-SSIM and decoding speed"),
    ("nvcodec eval in.mp4 out.nvc --json", "one JSON object"),
)
NOTES = """Pictures are compared by index. psnr_yuv is the mean over frames of
(6Y+U+V)/8 in 4:2:0; psnr_rgb and ms_ssim are in RGB, ms_ssim from 161 pixels
up. bpp counts the file without passed-through tracks."""
_PLANES = ("psnr_y", "psnr_u", "psnr_v", "psnr_rgb")


def parser() -> Parser:
    made = Parser(
        "eval",
        "REFERENCE CODED",
        "Measure an nvc file against the video it was made from.",
        EXAMPLES,
        f"{NOTES}\n{exits.short()}",
    )
    files = made.add_argument_group("files")
    files.add_argument("reference", metavar="REFERENCE", help="the video that was encoded")
    files.add_argument("coded", metavar="CODED", help="the nvc file")
    settings = made.add_argument_group("settings")
    settings.add_argument("--video", metavar="N", type=parse_int, help="which video of a library, counted from 0")
    settings.add_argument("--threads", metavar="N", type=parse_int, help="CPU threads (default: all cores)")
    settings.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")
    made.add_output_options("one JSON object on stdout")
    return made


def run(given: Namespace, messages: Messages) -> int:
    streams.check_file(given.reference, "eval")
    streams.check_file(given.coded, "eval")
    # one object is promised on stdout, so there are no progress objects beside it
    silent = Messages(quiet=messages.quiet or messages.json, verbose=messages.verbose)
    with progress.shown(silent, "eval") as on_progress:
        result = nvcodec.evaluate(
            given.reference,
            given.coded,
            video=given.video,
            threads=given.threads,
            device=given.device,
            on_progress=on_progress,
        )
    messages.object("result", result)
    if not messages.json:
        for line in _lines(result):
            write_line(messages.stdout, line)
    compared = f"{plural(result['frames'], 'frame')} compared"
    return judge(given.coded, result.get("damaged", []), result.get("truncated", False), compared, silent)


def _lines(result: dict[str, Any]) -> list[str]:
    planes = ", ".join(f"{name[5:].upper()} {result[name]:.2f}" for name in _PLANES if result.get(name) is not None)
    ms_ssim = result.get("ms_ssim")
    speed = result.get("decode_fps")
    lines = [
        f"size      {format_size(result['bytes'])} ({format_size(result['video_bytes'])} of it video)",
        f"rate      {result['bpp']:.5f} bits per pixel",
        f"psnr_yuv  {result['psnr_yuv']:.3f} dB" + (f" ({planes})" if planes else ""),
        "ms_ssim   " + ("none below 161 pixels" if ms_ssim is None else f"{ms_ssim:.5f}"),
        f"frames    {result['frames']}",
    ]
    return [*lines, f"decoding  {format_rate(speed)}"] if speed else lines
