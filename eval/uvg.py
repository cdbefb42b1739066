"""The UVG benchmark: our codecs and classical anchors on its seven sequences, in a table that a paper can paste.

    python -m eval.uvg FOLDER --codecs hnerv:fast --anchors x265,svtav1
    python -m eval.uvg FOLDER --frames 96 --setting 960x1920 --time-budget 10m
    python -m eval.uvg FOLDER --sequences Beauty,Jockey --dry-run

FOLDER holds the sequences under their published names, as raw .yuv of the dataset's page (ultravideo.fi) or lossless in
another container. Every point is a real file, decoded in a fresh process; its row is in OUT/uvg-*.jsonl as soon as it
is there, and the same call again goes on from it. Beside it lie the tables (.md, .tex) and a report (.html).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from eval.uvg_check import read_facts, read_md5
from eval.uvg_data import Survey, expected, require, survey
from eval.uvg_options import Options, check_anchor, parse
from eval.uvg_report import Outcome, as_latex, as_markdown, write
from nvcodec.errors import NvcodecError, OutputError
from nvcodec.study.estimate import Clip, Estimates, total_seconds
from nvcodec.study.points import Point, plan
from nvcodec.study.rows import Row
from nvcodec.study.runner import Event, finished, open_results, run_study


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is missing, then prints and writes the tables. Gives the exit code."""
    try:
        return _run(parse(arguments, __doc__ or ""))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same call goes on", file=sys.stderr)
        return 130


def _run(options: Options) -> int:
    looked = look(options)
    points = plan(list(looked.found.values()), options.study)
    check_anchor(options.anchor, list(dict.fromkeys(point.label for point in points)))
    results = options.out / f"{options.name}.jsonl"
    progress = Progress(points, options, finished(points, open_results(results)))
    _say(f"{len(points)} points, {len(progress.left)} to run, into {results}; about {_clock(progress.seconds())}")
    if options.dry_run:
        print("\n".join(progress.listing()))
        return 0
    _make_folder(options.out)
    outcome = Outcome(run_study(points, options.study, results, progress.take), options, looked.problems, looked.notes)
    print(as_latex(outcome) if options.latex else as_markdown(outcome), end="", flush=True)
    written = write(outcome)
    _say(f"written: {', '.join(map(str, [results, *written]))}")
    failed = sum(bool(row.error) for row in outcome.rows)
    if failed:
        raise NvcodecError(f"{failed} of {len(points)} points failed; the same call tries them again")
    return 0


def look(options: Options) -> Survey:
    """The sequences that will run; what lacks or differs is said on stderr.

    Raises:
        InputError: a sequence lacks and ``--allow-partial`` is not given, or none is there.
    """
    wanted = {name: what for name, what in expected(options.any_shape).items() if name in options.sequences}
    looked = survey(options.folder, wanted, read_md5(options.md5) if options.md5 is not None else None)
    require(looked, options.folder, options.allow_partial)
    for line in [*looked.problems, *looked.notes]:
        _say(f"warning: {line}")
    return looked


class Progress:
    """What is left of a study, and about how long it takes: guesses, scaled by how the points so far bore them out."""

    def __init__(self, points: Sequence[Point], options: Options, rows: Sequence[Row]) -> None:
        self.options, self.rows = options, list(rows)
        done = {row.key for row in rows}
        self.left = {point.key: point for point in points if point.key not in done}
        self.clips = {point.clip: _clip(point.clip, options) for point in self.left.values()}
        self.guessed = self.spent = 0.0  # seconds of the points that this call has run

    def seconds(self) -> float:
        """Wall clock of all that is left."""
        estimates = Estimates(self.rows)
        each = [estimates.seconds(point, self.clips[point.clip]) for point in self.left.values()]
        scale = self.spent / self.guessed if self.guessed else 1.0
        return scale * total_seconds(each, self.options.study.jobs)

    def listing(self) -> list[str]:
        """A line for each point that would run."""
        estimates = Estimates(self.rows)
        lines = []
        for point in self.left.values():
            about = _clock(estimates.seconds(point, self.clips[point.clip]))
            lines.append(f"{point.clip.name}  {point.label}  {point.rate}  {about}")
        return lines

    def take(self, event: Event) -> None:
        """Tells of a point that has ended."""
        row, point = event.row, self.left.pop(event.row.key, None)
        name = f"{event.done}/{event.total}  {row.clip}  {row.label}  {row.rate}"
        if row.error:
            _say(f"warning: {name}: {row.error}")
            return
        self.rows.append(row)
        if point is not None:
            self.guessed += Estimates(self.rows).seconds(point, self.clips[point.clip])
            self.spent += event.seconds
        quality = "" if row.psnr_rgb is None else f", {row.psnr_rgb:.2f} dB RGB"
        _say(f"{name}: {row.bpp:.4f} bpp{quality}, {_clock(event.seconds)}; left: about {_clock(self.seconds())}")


def _clip(path: Path, options: Options) -> Clip:
    facts, study = read_facts(path), options.study
    width, height = study.crop or (facts.width, facts.height)
    return Clip(width * height, min(facts.frames, study.frames or facts.frames))


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
