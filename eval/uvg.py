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

from eval.pipes import until_closed
from eval.uvg_check import read_md5
from eval.uvg_data import Survey, expected, require, survey
from eval.uvg_options import Options, check_anchor, parse
from eval.uvg_report import Outcome, as_json_lines, as_latex, as_markdown, write
from nvcodec.errors import NvcodecError, OutputError
from nvcodec.study.estimate import Remaining
from nvcodec.study.points import plan
from nvcodec.study.runner import Event, finished, open_results, run_study


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is missing, then prints and writes the tables. Gives the exit code."""
    try:
        return until_closed(lambda: _run(parse(arguments, __doc__ or "")))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same call goes on", file=sys.stderr)
        return 130


def _run(options: Options) -> int:
    looked = look(options)
    points = plan(list(looked.found.values()), options.study, lambda problem: _say(f"warning: left out: {problem}"))
    check_anchor(options.anchor, list(dict.fromkeys(point.label for point in points)))
    results = options.out / f"{options.name}.jsonl"
    left = Remaining(points, options.study, finished(points, open_results(results), options.study))
    _say(f"{len(points)} points, {len(left.points)} to run, into {results}; about {_clock(left.seconds())}")
    if options.dry_run:
        print("\n".join(listing(left)))
        return 0
    _make_folder(options.out)
    rows = run_study(points, options.study, results, lambda event: tell(event, left))
    outcome = Outcome(rows, options, looked.problems, looked.notes)
    print(_shown(outcome), end="", flush=True)
    written = write(outcome)
    _say(f"written: {', '.join(map(str, [results, *written]))}")
    failed = sum(bool(row.error) for row in outcome.rows)
    if failed:
        raise NvcodecError(f"{failed} of {len(points)} points failed; the same call tries them again")
    return 0


def _shown(outcome: Outcome) -> str:
    options = outcome.options
    if options.json:
        return as_json_lines(outcome)
    return as_latex(outcome) if options.latex else as_markdown(outcome)


def look(options: Options) -> Survey:
    """The sequences that will run; what lacks or differs is said on stderr.

    Raises:
        InputError: none is there, or one lacks and ``--strict`` is given.
    """
    wanted = {name: what for name, what in expected(options.any_shape).items() if name in options.sequences}
    looked = survey(options.folder, wanted, read_md5(options.md5) if options.md5 is not None else None)
    require(looked, options.folder, options.strict)
    for line in [*looked.problems, *looked.notes]:
        _say(f"warning: {line}")
    return looked


def listing(remaining: Remaining) -> list[str]:
    """A line for each point that would run."""
    each = remaining.each().items()
    return [f"{point.clip.name}  {point.label}  {point.rate}  {_clock(seconds)}" for point, seconds in each]


def tell(event: Event, remaining: Remaining) -> None:
    """Tells of a point that has ended."""
    row = event.row
    remaining.take(row, event.seconds)
    name = f"{event.done}/{event.total}  {row.clip}  {row.label}  {row.rate}"
    if row.error:
        _say(f"warning: {name}: {row.error}")
        return
    quality = "" if row.psnr_rgb is None else f", {row.psnr_rgb:.2f} dB RGB"
    _say(f"{name}: {row.bpp:.4f} bpp{quality}, {_clock(event.seconds)}; left: about {_clock(remaining.seconds())}")


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
