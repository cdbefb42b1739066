"""What to run on a machine with a GPU: bounded parts, each once, results kept as they come.

    python -m eval.on_gpu prepare bigbuckbunny.mp4 bunny.npz --frames 132    (where PyAV is installed)
    python -m eval.on_gpu run --clip bunny.npz --out out/gpu --seconds 540   (again and again, until nothing is left)
    python -m nvcodec.training pack subset.mkv corpus                        (OpenCV; then train on it:)
    python -m eval.on_gpu run --train corpus --out out/gpu --train-seconds 1200
    python -m eval.on_gpu run --train corpus --model conditional-s --start-from FILE.safetensors --clip bunny.npz

The last trains predicted frames on from weights that ship, makes weights of it and codes the clip with them. Where a
corpus is a part of a larger one, `rows CLIPS.json ALL.json SUBSET.json` writes whose its clips are before it is packed;
`--pack SUBSET.mkv` packs it into the folder of --train as a part of the run.

`run` starts each part in a fresh process with a limit of its own, appends one JSON object to OUT/results.jsonl, skips
what is there already, and starts no part that would not end within --seconds. The parts need numpy and torch and the
built package, not PyAV: pictures come from the file that `prepare` wrote.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.gpu_training import CONDITIONAL, Part, curve_parts, pack_part, subset_rows, training_parts
from nvcodec.codecs.weights import default_ids
from nvcodec.errors import NvcodecError, UsageError
from nvcodec.provenance import commit, machine
from nvcodec.study.processes import run_measured
from nvcodec.study.results import Results

QUALITIES = (16, 28, 40)  # of the fits: three sizes of network and of file
BUNNY_MILLIONS = (0.35, 0.75, 1.5, 3.0)  # parameters of the NeRV papers' regressions
BUNNY_PICTURES = ("1280x640", "1280x720")  # of the regressions, and of the coded points
BUNNY_RATES = (0.025, 0.05, 0.1)  # bits per pixel


def parts(clip: Path, out: Path, seconds: float) -> list[Part]:
    """All parts in order, the ones that others need first; ``seconds`` is the budget of each fit."""
    worker = (sys.executable, "-m", "eval.gpu_parts")
    named = [
        Part("device", (*worker, "device"), 120),
        Part("coder", (*worker, "coder"), 300),
        Part("tests", (sys.executable, "-m", "pytest", "-q", "-m", "cuda", "tests"), 480),
    ]
    for quality in QUALITIES:
        name = f"hnerv q{quality} {seconds:.0f} s"
        files = (str(clip), str(out / f"{clip.stem}.{name.replace(' ', '_')}.npz"))
        effort = ("--quality", str(quality), "--seconds", str(seconds))
        named.append(Part(f"fit {name}", (*worker, "fit", *files, "--codec", "hnerv", *effort), 1.3 * seconds + 120))
        named.append(Part(f"decode {name}", (*worker, "decode", *files, "--codec", "hnerv"), 240))
    for codec in ("stem", "intra"):
        files = (str(clip), str(out / f"{clip.stem}.{codec}.npz"))
        named.append(Part(f"fit {codec}", (*worker, "fit", *files, "--codec", codec), 240))
        named.append(Part(f"decode {codec}", (*worker, "decode", *files, "--codec", codec), 240))
    return named + bunny_parts(clip, out, seconds)


def bunny_parts(clip: Path, out: Path, seconds: float) -> list[Part]:
    """The rows of `eval.bunny`, each cut off after ``seconds``: a row says how many epochs it came to.

    ``python -m eval.bunny --table --out OUT/bunny`` then prints the table of what is there, on any machine.
    """
    found = []
    script = (sys.executable, "-m", "eval.bunny", "--clip", str(clip), "--out", str(out / "bunny"), "--json")
    for codec in ("nerv", "hnerv"):
        shared = (*script, "--codecs", codec, "--only")
        for millions in BUNNY_MILLIONS:
            what = ("regression", "--pictures", BUNNY_PICTURES[0], "--parameters", f"{millions:g}")
            command = (*shared, *what, "--seconds", f"{seconds:g}")
            found.append(Part(f"bunny {codec} {millions:g}M {seconds:.0f} s", command, 1.3 * seconds + 120))
        for rate in BUNNY_RATES:
            what = ("compressed", "--pictures", BUNNY_PICTURES[1], "--bpp", f"{rate:g}")
            command = (*shared, *what, "--time-budget", f"{seconds:g}s")
            found.append(Part(f"bunny {codec} {rate:g} bpp {seconds:.0f} s", command, 1.3 * seconds + 120))
    return found


def run_parts(todo: list[Part], results: Results, seconds: float) -> Iterator[dict[str, Any]]:
    """Runs what has no finished row yet, as long as the time lasts; a failed part is tried again by the next call."""
    end = time.monotonic() + seconds
    for part in todo:
        done = results.get(part.name)
        if done is not None and done["ok"]:
            continue
        if time.monotonic() + part.limit > end:
            print(f"left for a later call: {part.name} (up to {part.limit:.0f} s)", file=sys.stderr)
            continue
        yield results.add(part.name, run_part(part))


def run_part(part: Part) -> dict[str, Any]:
    """The row of one part; a failure is a row as well, and says why."""
    row: dict[str, Any] = {"commit": commit(), "machine": machine()}
    try:
        finished = run_measured(part.command, check=False, limit=part.limit)
    except NvcodecError as error:
        return {**row, "ok": False, "error": str(error)}
    row |= {"ok": finished.code == 0, "code": finished.code, "seconds": finished.seconds}
    row |= {"peak_bytes": finished.peak_bytes, "output": finished.stdout[-2000:]}
    try:
        return {**row, "found": finished.last_object()}
    except NvcodecError:
        return row  # pytest, for one, prints no object


def prepare(source: str, target: Path, frames: int | None) -> None:
    """Writes a clip's 4:2:0 pictures as arrays y (N, H, W), u and v (N, H/2, W/2), readable without PyAV."""
    import numpy as np

    from eval.samples import find_clip
    from nvcodec.video import Reader

    with Reader(find_clip(source), audio=False, limit=frames) as reader:
        pictures = [picture.planes for picture in reader]
    y, u, v = (np.stack([planes[i] for planes in pictures]) for i in range(3))
    np.savez_compressed(target, y=y, u=u, v=v)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.on_gpu", description=__doc__, formatter_class=raw)
    commands = parser.add_subparsers(dest="what", required=True)
    prepared = commands.add_parser("prepare", help="decode a clip to arrays")
    prepared.add_argument("source")
    prepared.add_argument("target", type=Path)
    prepared.add_argument("--frames", type=int)
    rows = commands.add_parser("rows", help="write where clips of a part of a corpus come from")
    rows.add_argument("clips", type=Path, help="JSON list of numbers of clips")
    rows.add_argument("all", type=Path, help="JSON list of a row for each clip of the whole")
    rows.add_argument("target", type=Path)
    run = commands.add_parser("run", help="run the parts that are left")
    run.add_argument("--clip", type=Path, help="what `prepare` wrote; without it there is training alone")
    run.add_argument("--train", type=Path, metavar="CORPUS", help="a packed corpus to train on, after all else")
    run.add_argument("--train-seconds", type=float, default=1200, help="of each stage of training")
    run.add_argument("--pack", type=Path, metavar="FILE", help="clips to make the corpus of first")
    run.add_argument("--model", default="s", help="what is trained: s, m, conditional-s or conditional-m")
    run.add_argument("--start-from", metavar="FILE", help="weights *.safetensors that the training begins with")
    run.add_argument("--weights", type=Path, help="of the conditional codec on the clip (default: those that ship)")
    run.add_argument("--out", type=Path, default=Path("out/gpu"))
    run.add_argument("--fit-seconds", type=float, default=240, help="time budget of each fit")
    run.add_argument("--parts", help="only parts whose name holds this")
    run.add_argument("--seconds", type=float, default=540, help="of this call in all")
    run.add_argument("--list", action="store_true", help="show the parts and what is done")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Prepares, lists or runs."""
    given = parse(arguments)
    try:
        if given.what == "prepare":
            prepare(given.source, given.target, given.frames)
            return 0
        if given.what == "rows":
            subset_rows(given.clips, given.all, given.target)
            return 0
        return run_command(given)
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def planned(given: argparse.Namespace) -> list[Part]:
    """All parts that a call names: coding first, then training, then coding with what was trained."""
    todo = [] if given.clip is None else parts(given.clip, given.out, given.fit_seconds)
    if given.clip is not None and (given.weights is not None or default_ids(CONDITIONAL)):
        todo += curve_parts(given.clip, given.out, given.weights)
    if given.train is not None:
        todo += [] if given.pack is None else [pack_part(given.pack, given.train)]
        todo += training_parts(given.train, given.out, given.model, given.train_seconds, given.start_from)
        if given.clip is not None and given.model.startswith(CONDITIONAL):
            todo += curve_parts(given.clip, given.out, given.out / "weights")
    return todo


def run_command(given: argparse.Namespace) -> int:
    """Runs or lists the chosen parts; 1 if one of those run now failed."""
    if given.clip is None and given.train is None:
        raise UsageError("name a clip, or a corpus to train on")
    todo = planned(given)
    chosen = [part for part in todo if (given.parts or "") in part.name]
    if not chosen:
        raise UsageError(f"no part is named {given.parts!r}")
    results = Results(given.out / "results.jsonl")
    if given.list:
        for part in chosen:
            row = results.get(part.name)
            print(f"{'open' if row is None else 'done' if row['ok'] else 'failed':7}{part.limit:5.0f} s  {part.name}")
        return 0
    failed = 0
    for row in run_parts(chosen, results, given.seconds):
        failed += not row["ok"]
        verdict = "done" if row["ok"] else "FAILED"
        print(f"{verdict}  {row['key']}  {row.get('found') or row.get('error') or ''}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
