"""The tables of :mod:`eval.tasks`, with published figures below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
NEEDED = ("task", "boxes", "codec", "clip", "size", "bytes", "effort", "psnr_seen", "psnr_unseen", "psnr_baseline")
HEADS = {
    "interpolation": ("frames coded", "frames between", "their neighbours' mean"),
    "inpainting": ("outside the boxes", "inside", "diffused from outside"),
}

# "r" as everywhere in this project: recalled from a paper's table, and to be checked there before it is quoted
PUBLISHED = {
    "interpolation": "Published (r; HNeRV, Chen et al., CVPR 2023): every other frame of UVG at 960x1920 held out, RGB "
    "PSNR of these, mean of seven clips: NeRV 26.54, HNeRV 29.85 dB. Other clips, sizes and networks: a direction.",
    "inpainting": "Published figures (the same paper, on DAVIS) are not at hand.",
}


def markdown(rows: Sequence[Row]) -> str:
    """A table a task, in the order of the rows. Rows that lack what is shown are left out; empty for none."""
    whole = [row for row in rows if all(name in row for name in NEEDED)]
    tasks = dict.fromkeys(row["task"] for row in whole if row["task"] in HEADS)
    return "\n\n".join(_table(task, [row for row in whole if row["task"] == task]) for task in tasks)


def _table(task: str, rows: Sequence[Row]) -> str:
    boxes = ["boxes"] if task == "inpainting" else []
    head = ["clip", *boxes, "codec", "effort", "bytes", *HEADS[task]]
    left = 3 + len(boxes)
    lines = [
        f"{task.capitalize()}, PSNR YUV 6:1:1 in dB:",
        "",
        _line(head),
        _line(["---"] * left + ["---:"] * (len(head) - left)),
        *(_line(_cells(row, bool(boxes))) for row in rows),
    ]
    return "\n".join([*lines, "", PUBLISHED[task]])


def _cells(row: Row, boxes: bool) -> list[str]:
    values = [f"{row[name]:.2f}" for name in ("psnr_seen", "psnr_unseen", "psnr_baseline")]
    said = [row["boxes"]] if boxes else []
    return [f"{row['clip']} {row['size']}", *said, f"`{row['codec']}`", row["effort"], str(row["bytes"]), *values]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
