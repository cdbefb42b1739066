"""``nvcodec info``: what an nvc file says of itself."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table

import nvcodec
from nvcodec.cli import exits, streams
from nvcodec.cli.messages import Messages, one_line
from nvcodec.cli.parser import Parser
from nvcodec.cli.units import format_duration, format_size, plural

EXAMPLES = (
    ("nvcodec info in.nvc", "a table"),
    ("nvcodec info in.nvc --json", "one JSON object"),
    ("nvcodec info in.nvc.part", "how far a running or stopped encode has come"),
)
FEW = 20  # groups that are shown without -v
PRIMARIES = {1: "BT.709", 5: "BT.470 BG", 6: "BT.601", 9: "BT.2020", 12: "P3-D65"}  # ITU-T H.273
TRANSFERS = {1: "BT.709", 6: "BT.601", 13: "sRGB", 14: "BT.2020", 15: "BT.2020", 16: "PQ", 18: "HLG"}
MATRICES = {1: "BT.709", 5: "BT.470 BG", 6: "BT.601", 9: "BT.2020"}


def parser() -> Parser:
    made = Parser("info", "INPUT", "Show what an nvc file holds, without decoding it.", EXAMPLES, exits.short())
    made.add_argument_group("files").add_argument("input", metavar="INPUT", help="an nvc file")
    made.add_output_options("one JSON object on stdout")
    return made


def run(given: Namespace, messages: Messages) -> int:
    streams.check_file(given.input, "info")
    facts = nvcodec.info(given.input)
    messages.object("info", facts)
    if not messages.json:
        if "videos" in facts:
            messages.table(_grid(_library_rows(facts)))
        for video in facts.get("videos", [facts]):
            messages.table(_grid(_rows(video)))
            if video["groups"]:
                messages.table(_groups_table(video["groups"], messages.verbose))
    return 0


def _library_rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "file", str(facts["path"])
    yield "library", f"{plural(len(facts['videos']), 'video')}, codec {facts['codec']}"
    yield "size", format_size(facts["file_size"])
    for damage in facts["damage"]:
        yield "damage", f"at byte {damage['offset']}: {damage['message']}"
    yield "", ""


def _grid(rows: Iterator[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, one_line(text))
    return table


def _rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    form = facts["format"]
    yield ("number", str(facts["number"])) if "number" in facts else ("file", str(facts["path"]))
    yield "codec", f"{facts['codec']}, level {form['level']}"
    yield "video", video_line(facts)
    yield "colour", colour_line(form)
    yield "size", size_line(facts)
    for number, track in enumerate(facts["tracks"]):
        language = f" ({track['language']})" if track["language"] else ""
        yield ("tracks" if number == 0 else ""), f"{track['kind']}: {track['codec']}{language}"
    for number, (key, value) in enumerate(_unfolded(facts["metadata"])):
        yield ("metadata" if number == 0 else ""), f"{key}: {value}"
    if facts["truncated"]:
        yield "state", "ends early: an encode was stopped or is running, or the file was cut"
    for problem in dict.fromkeys(group["error"] for group in facts["groups"] if "error" in group):
        yield "note", problem
    for damage in facts["damage"]:
        yield "damage", f"at byte {damage['offset']}: {damage['message']}"


def _unfolded(metadata: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Values that are JSON objects, as the encoder's settings, one line of "name value" pairs."""
    for key, value in metadata.items():
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        pairs = ", ".join(f"{name} {item}" for name, item in inner.items()) if isinstance(inner, dict) else value
        yield key, pairs


def video_line(facts: dict[str, Any]) -> str:
    """Size, depth, rate, length, and what is out of the ordinary."""
    form = facts["format"]
    words = [f"{form['width']}x{form['height']}", f"{form['bit_depth']} bit"]
    top, _, bottom = form["frame_rate"].partition("/")
    if int(top):
        words.append(f"{int(top) / int(bottom):g} fps")
    words.append(plural(facts["frames"], "frame"))
    if facts["duration"] is not None:
        words.append(format_duration(facts["duration"]))
    if form["sample_aspect"] != "1/1":
        words.append(f"sample aspect {form['sample_aspect'].replace('/', ':')}")
    if form["rotation"]:
        words.append(f"turned by {form['rotation']} degrees")
    return ", ".join(words)


def colour_line(form: dict[str, Any]) -> str:
    """Primaries, transfer, matrix in words or numbers of ITU-T H.273, range, HDR."""
    colour = form["colour"]
    codes = [colour["primaries"], colour["transfer"], colour["matrix"]]
    names = [
        "unspecified" if code == 2 else known.get(code, str(code))
        for code, known in zip(codes, (PRIMARIES, TRANSFERS, MATRICES), strict=True)
    ]
    said = names[0] if len(set(names)) == 1 else "/".join(names)
    span = "full range" if colour["full_range"] else "limited range"
    return ", ".join(["unspecified" if codes == [2, 2, 2] else said, span, *["HDR metadata"] * bool(form["mastering"])])


def size_line(facts: dict[str, Any]) -> str:
    rate = "" if facts["bpp"] is None else f", {facts['bpp']:.4f} bits per pixel"
    passed = facts["file_size"] - facts["video_bytes"]
    parts = f" ({format_size(facts['video_bytes'])} video, {format_size(passed)} tracks)" if passed else ""
    seconds = facts["duration"]
    bits = f", {8 * facts['video_bytes'] / seconds / 1000:.1f} kb/s" if seconds else ""
    return f"{format_size(facts['file_size'])}{parts}{rate}{bits}"


def _groups_table(groups: list[dict[str, Any]], everything: bool) -> Table:
    few = groups if everything or len(groups) <= FEW else groups[:FEW]
    hidden = len(groups) - len(few)
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption_justify="left",
        caption=f"{plural(hidden, 'more group')} (-v shows all)" if hidden else None,
    )
    for title in ("group", "frames", "size", "leans on", "parameters", "MAC/pixel"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for group in few:
        table.add_row(*_cells(group))
    return table


def _cells(group: dict[str, Any]) -> list[str]:
    leans_on, parameters, macs = group["depends_on"], group.get("parameters"), group.get("macs_per_pixel")
    first, count = group["first_frame"], group["frame_count"]
    return [
        str(group["number"]),
        f"{first}:{first + count}",
        format_size(group["bytes"]),
        "-" if leans_on is None else "video before" if leans_on < 0 else str(leans_on),
        "?" if parameters is None else f"{parameters:,}",
        "?" if macs is None else f"{macs:,.0f}",
        "damaged" if group.get("damaged") else "",
    ]
