"""What an encode tells at its end, and how near it came to its goal."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nvcodec.api.budget import Budget
from nvcodec.api.settings import EncodeSettings
from nvcodec.api.tally import Tally
from nvcodec.container import Writer

SIZE_FLOOR = 0.93  # of a size goal: less is too little
LATE = 1.15  # times a time budget that need no mention
PSNR_SLACK = 0.3  # dB above a floor that need no mention


@dataclass(frozen=True)
class EncodeResult:
    """What was made. ``psnr_yuv`` is the encoder's own measurement; None where a resumed part was not measured.

    ``goal`` says in words what was asked for and what came of it, as in "size 29000 of 30000 bytes"; empty without
    a goal of size, rate or PSNR.
    """

    path: str
    bytes: int
    video_bytes: int  # without passed-through tracks
    frames: int
    groups: int
    bpp: float
    psnr_yuv: float | None
    seconds: float
    goal_met: bool
    estimated_bytes: float  # payloads by the rate model, for comparison with ``payload_bytes``
    payload_bytes: int
    warnings: list[str] = field(default_factory=list)
    goal: str = ""
    modelled_bytes: float = 0.0  # payloads as fitting saw them at its end; apart where a goal then changed the steps


def make_result(
    path: str | Path,
    settings: EncodeSettings,
    writer: Writer,
    tally: Tally,
    budget: Budget,
    warnings: list[str],
    seconds: float,
) -> EncodeResult:
    """The result of an encode that has ended."""
    video_bytes = writer.bytes_written - writer.passthrough_bytes
    form = writer.header.format
    met, goal, more = tally.goals_met, "", []
    if budget.goal is not None:
        size = writer.bytes_written if budget.whole else video_bytes
        met = (size >= SIZE_FLOOR * budget.goal or tally.filled) and size <= budget.goal
        goal = f"{'size' if budget.whole else 'video of'} {size} of {budget.goal} bytes"
        if size > budget.goal:
            more = [f"the result is {size - budget.goal} bytes over its goal"]
        elif tally.filled and size < SIZE_FLOOR * budget.goal:
            more = ["the goal has room left, but no setting of this codec comes nearer to it from below"]
    elif settings.psnr is not None:
        goal, more = _psnr_goal(settings.psnr, tally)
    if tally.hasty and settings.time_budget is not None:
        count = f"{len(tally.hasty)} of {tally.groups} groups" if tally.groups > 1 else "the video"
        more.append(f"time was short, {count} had few steps of fitting: give it more time for better pictures")
    if settings.time_budget is not None and seconds > LATE * settings.time_budget + 1:
        more.append(f"it took {seconds:.0f} s instead of {settings.time_budget:g} s, the least that this needs")
    return EncodeResult(
        str(path), writer.bytes_written, video_bytes, writer.frame_count, writer.group_count,
        8 * video_bytes / (form.width * form.height * writer.frame_count),
        tally.psnr if tally.frames == writer.frame_count else None,
        seconds, met, tally.estimated_bytes, tally.payload_bytes, [*warnings, *more], goal, tally.modelled_bytes,
    )  # fmt: skip


def _psnr_goal(floor: float, tally: Tally) -> tuple[str, list[str]]:
    """The goal in words and a warning if it was passed by far; both of the groups that this call coded."""
    if tally.psnr is None or tally.lowest is None:
        return f"psnr {floor:g} dB", []
    group, psnr = tally.lowest
    where = "" if tally.groups == 1 else f" in group {group}, the worst"
    over = tally.psnr - floor
    warnings = [f"the result is {over:.1f} dB above the floor of {floor:g} dB"] if over > PSNR_SLACK else []
    return f"psnr {psnr:.2f} of {floor:g} dB{where}", warnings
