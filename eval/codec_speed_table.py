"""What the speed benchmark found, as numbers of each stage and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import eval.codec_speed_conditional as conditional
from eval.codec_speed_stages import (
    ANALYSIS,
    DECODE,
    ENCODE,
    FROM_BYTES,
    GROUP_DECODE,
    GROUP_ENCODE,
    SYNTHESIS,
    TO_BYTES,
    Clock,
)
from nvcodec.metrics.bits import bpp

_SUMS = (  # of stages, where these were timed
    (ENCODE, (ANALYSIS, TO_BYTES)),
    (DECODE, (FROM_BYTES, SYNTHESIS)),
    (ENCODE, conditional.ENCODED),
    (DECODE, conditional.DECODED),
)
_ORDER = (
    ANALYSIS, TO_BYTES, *conditional.ENCODED, ENCODE, GROUP_ENCODE, FROM_BYTES, SYNTHESIS, DECODE, GROUP_DECODE
)  # fmt: skip


def summary(clock: Clock, frames: int, coded_bytes: int, size: str) -> dict[str, Any]:
    """Frames, rate, and of each stage seconds of every run with the median's frames a second.

    ``size`` is WIDTHxHEIGHT of the pictures before padding.
    """
    seconds = dict(clock.seconds)
    for name, parts in _SUMS:
        if all(part in seconds for part in parts):
            seconds[name] = [sum(times) for times in zip(*(seconds[part] for part in parts), strict=True)]
    width, height = map(int, size.split("x"))
    stages = {name: _stage(seconds[name], frames) for name in _ORDER if name in seconds}
    return {"frames": frames, "bpp": bpp(coded_bytes, width, height, frames), "stages": stages}


def _stage(seconds: Sequence[float], frames: int) -> dict[str, Any]:
    return {"fps": frames / median(seconds), "seconds": [round(value, 6) for value in seconds]}


def as_markdown(found: Mapping[str, Any]) -> str:
    """The table of a line, with what it was measured of."""
    kmacs = found["kmacs_per_pixel"]
    lines = [
        f"{found['codec']} {found['model']}{'' if found['trained'] else ' (untrained)'}, {found['precision']}, "
        f"{kmacs['transforms']:g} kMAC/pixel of both transforms, {kmacs['prior']:g} of the prior",
        f"{found['clip']} at {found['size']}, {found['frames']} frames, quality {found['quality']}; {_where(found)}",
        "",
        "| codec | what | ms a frame | frames a second | slowest to fastest run |",
        "| --- | --- | ---: | ---: | ---: |",
        *_lines(found["codec"], found[found["codec"]]),
        *(_lines("ssf2020", found["ssf2020"]) if found["ssf2020"] else ()),
    ]
    if not found["ssf2020"]:
        lines += ["", f"ssf2020 is left out: {found['ssf2020_missing']}"]
    return "\n".join([*lines, ""])


def _where(found: Mapping[str, Any]) -> str:
    isa = found["cpu_capability"] + (f", oneDNN {found['onednn']}" if found["onednn"] else "")
    return (
        f"{found['device']}, {found['threads']} threads, {isa}; median of {found['runs']} runs; load before: "
        f"{found['load_before']:.1f}; {found['machine']}; commit {found['commit']}"
    )


def _lines(codec: str, of: Mapping[str, Any]) -> list[str]:
    frames = of["frames"]
    name = f"{codec}, {of['bpp']:.3f} bpp, {frames} frames"
    made = []
    for what, stage in of["stages"].items():
        slow, fast = (frames / f(stage["seconds"]) for f in (max, min))
        made.append(f"| {name} | {what} | {1000 / stage['fps']:.1f} | {stage['fps']:.2f} | {slow:.2f} to {fast:.2f} |")
    return made
