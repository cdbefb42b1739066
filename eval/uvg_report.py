"""What the UVG benchmark prints and writes: tables, published figures, conventions, and where the numbers come from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.published import AVERAGE, published_rows
from eval.uvg_data import SEQUENCES
from eval.uvg_deltas import absent, delta_tables
from eval.uvg_options import Options
from eval.uvg_table import (
    Table,
    average_table,
    averages,
    by_sequence,
    complete,
    latex,
    markdown,
    published_table,
    sequence_table,
)
from nvcodec.study.curves import OURS, default_anchor
from nvcodec.study.deltas import FEWEST_POINTS
from nvcodec.study.joining import PUBLISHED
from nvcodec.study.rows import Row


@dataclass(frozen=True)
class Outcome:
    """What a run has given: the study's rows under file names, and what is not as it should be."""

    rows: Sequence[Row]
    options: Options
    problems: Sequence[str] = ()  # sequences that lack
    notes: Sequence[str] = ()  # of sources

    @property
    def named(self) -> list[Row]:
        """Finished points under the benchmark's names."""
        return by_sequence(row for row in self.rows if not row.error)

    @property
    def anchor(self) -> str | None:
        """Label that deltas are against; None where nothing succeeded."""
        return self.options.anchor or (default_anchor(self.named) if self.named else None)

    @property
    def title(self) -> str:
        """Pictures, frames and sequences."""
        frames = "all frames" if self.options.study.frames is None else f"first {self.options.study.frames} frames"
        shape = self.options.shape
        size = "pictures as they are (not the benchmark)" if shape is None else f"{shape[0]}x{shape[1]}"
        return f"UVG, {size}, {frames}, {len({row.clip for row in self.named})} of {len(SEQUENCES)} sequences"


def published(options: Options, clips: Collection[str] = (AVERAGE,)) -> list[Row]:
    """Published figures of these sequences, or of the average, over pictures of this size; the chosen methods only.

    Single points, which no curve can be laid beside, are left out unless all are asked for.
    """
    if options.published == ("none",) or options.shape is None:
        return []
    rows = [row for row in published_rows("uvg") if row.clip in clips and (row.width, row.height) == options.shape]
    if options.published == ("all",):
        return rows
    curve = Counter((row.clip, row.label) for row in rows)
    return [row for row in rows if row.codec in options.published and curve[row.clip, row.label] >= FEWEST_POINTS]


def tables(outcome: Outcome) -> list[Table]:
    """Averages, sequences, deltas, published figures; empty ones left out."""
    rows = outcome.named
    found = [average_table(averages(rows)), sequence_table(rows)]
    if outcome.anchor is not None:
        found += delta_tables(rows, outcome.anchor)
    return [table for table in [*found, published_table(published(outcome.options))] if table.body]


def as_markdown(outcome: Outcome) -> str:
    """The whole document."""
    parts = [f"# {outcome.title}"]
    if missing := _missing(outcome):
        parts += _list("Missing", missing)
    for table in tables(outcome):
        parts += [_heading(table), markdown(table)]
    for title, lines in _notes(outcome):
        parts += _list(title, lines)
    return "\n\n".join(parts) + "\n"


def _list(title: str, lines: Iterable[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {' '.join(line.split())}" for line in lines)]


def _heading(table: Table) -> str:
    text = table.caption.removeprefix("UVG: ")
    return f"## {text[0].upper()}{text[1:]}"


def as_latex(outcome: Outcome) -> str:
    """The tables; all else as comments, so that a paper's source keeps it."""
    parts = [f"% {outcome.title}", *(latex(table) for table in tables(outcome))]
    for title, lines in [("Missing", _missing(outcome)), *_notes(outcome)]:
        if lines:
            parts.append("\n".join([f"% {title}", *(f"%   {' '.join(line.split())}" for line in lines)]))
    return "\n\n".join(parts) + "\n"


def as_json_lines(outcome: Outcome) -> str:
    """Every point's row as a line, failed ones too, without the values of its frames."""
    rows = (row.as_dict() for row in outcome.rows)
    return "".join(json.dumps({k: v for k, v in row.items() if k != "per_frame"}) + "\n" for row in rows)


def _missing(outcome: Outcome) -> list[str]:
    """Sequences, points and deltas that lack, and why."""
    failed = [f"{row.clip} {row.label} {row.rate}: {row.error}" for row in outcome.rows if row.error]
    lacking = [] if outcome.anchor is None else absent(outcome.named, outcome.anchor)
    return [*outcome.problems, *failed, *(f"no BD-rate of {line}" for line in lacking)]


def _notes(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """What stands below the tables; empty ones left out."""
    found = [
        ("Sources of the published figures", sources(published(outcome.options), outcome.options)),
        ("Conventions", [*conventions(outcome), *outcome.notes]),
        ("Provenance", provenance(outcome)),
    ]
    return [(title, lines) for title, lines in found if lines]


def sources(rows: Iterable[Row], options: Options) -> list[str]:
    """A line a source, and what keeps its figures from being laid beside ours."""
    found: dict[str, list[str]] = {}
    for row in rows:
        names = found.setdefault(row.source, [])
        if row.label not in names:
            names.append(row.label)
    lines = [f"{'; '.join(names)}: {source}" for source, names in found.items()]
    if lines and options.study.frames is not None:
        lines.insert(
            0, f"published figures are of all frames, ours of the first {options.study.frames}: not comparable"
        )
    return lines


def conventions(outcome: Outcome) -> list[str]:
    """What decides the numbers, each of which published tables choose differently."""
    study, rows = outcome.options.study, outcome.named
    whole = "all that the files have" if outcome.options.any_shape else "all (ShakeNDry has 300, the others 600)"
    frames = whole if study.frames is None else f"the first {study.frames}"
    crop = (
        "whole" if study.crop is None else f"the middle {study.crop[0]}x{study.crop[1]} (960x1920 of the NeRV papers)"
    )
    keyint = "each encoder's own default" if study.keyint is None else f"at most {study.keyint} frames"
    lines = [
        f"Frames: {frames}. Pictures: {crop}.",
        f"Intra period: anchors {keyint}; our codecs start anew with each group of frames{_groups(rows)}.",
        "Colour: the 4:2:0 samples are coded as they are. RGB for PSNR RGB and MS-SSIM is made of source and decoded "
        "picture alike, by the file's own matrix, BT.709 limited range where it names none and has over 576 lines. "
        "HiNeRV and C3 compare PNG files that FFmpeg made by its default matrix, BT.601: other RGB values, and other "
        "PSNRs.",
        "PSNR: mean over frames of each frame's PSNR, 8 bits; YUV is (6Y + U + V) / 8; RGB is of a frame's mean "
        "error over its three channels. MS-SSIM in RGB. Averages give each sequence the same weight, whatever its "
        "length.",
        "bpp: 8 x bytes of the file on disk / (width x height x frames); headers and index count.",
        "Encode minutes: wall clock from process start; decode fps: frames over the wall clock of a fresh process that "
        "writes raw pictures.",
        "BD-rate: a star where the curves share less than half of their range; the mean is over sequences, the last "
        "column of the averaged curves, as some papers do it.",
    ]
    if any((row.jobs or 1) > 1 for row in rows):
        lines.append("Several points ran at once: their times are not for citing.")
    if outcome.options.any_shape:
        lines.append("Sizes and lengths of the sources were not checked (--any-shape): this is not the UVG benchmark.")
    return lines


def _groups(rows: Iterable[Row]) -> str:
    """The longest group of each of our curves."""
    longest: dict[str, int] = {}
    for row in rows:
        if row.family in OURS:
            lengths = [group.get("frames", 0) for group in row.groups]
            longest[row.label] = max([longest.get(row.label, 0), *lengths])
    said = ", ".join(f"{label} every {frames} frames" for label, frames in longest.items() if frames)
    return f" ({said} at most)" if said else ""


def provenance(outcome: Outcome) -> list[str]:
    """Encoders, commits, machines and one command a curve."""
    rows = outcome.named
    first = {row.label: row for row in reversed(rows)}
    lines = [f"{label}: `{row.command}`" for label, row in reversed(first.items()) if row.command]
    for title, name in (("Encoders", "encoder"), ("Commit", "commit"), ("Machine", "machine"), ("Threads", "threads")):
        values = dict.fromkeys(str(getattr(row, name)) for row in rows if getattr(row, name))
        if values:
            lines.append(f"{title}: {'; '.join(values)}.")
    return lines


def write(outcome: Outcome) -> list[Path]:
    """Tables as .md and .tex, a report of the sequences and one of their average, in the folder of results.

    Gives what was written. The average has a report of its own: among the sequences it would count as an eighth.

    Raises:
        OutputError: a file cannot be written.
    """
    from nvcodec.study.report import write_report

    base = outcome.options.out / outcome.options.name
    results = [path for path in (Path(f"{base}.jsonl"),) if path.exists()]  # whose folder the pictures lie in
    written = []
    for suffix, text in ((".md", as_markdown(outcome)), (".tex", as_latex(outcome))):
        written.append(Path(f"{base}{suffix}"))
        written[-1].write_text(text, encoding="utf-8")
    for suffix, rows in ((".html", sequence_rows(outcome)), ("-average.html", mean_rows(outcome))):
        if rows:
            written.append(Path(f"{base}{suffix}"))
            title = outcome.title + (", average" if "average" in suffix else "")
            anchor, metric = outcome.anchor, outcome.options.metric
            said = conditions(outcome, rows)
            write_report(rows, written[-1], anchor=anchor, metric=metric, title=title, results=results, conditions=said)
    return written


def conditions(outcome: Outcome, rows: Sequence[Row]) -> list[str]:
    """What a page of these rows says of its conditions, and of those of the published figures in it."""
    options, figures = outcome.options, [row for row in rows if row.family == PUBLISHED]
    lines = []
    if figures:
        lines = ["Published figures are of other conditions than ours, those of their sources:"]
        lines += sources(figures, options)
    elif published(options):
        why = "all frames of all seven sequences, and the points here are not"
        lines = [f"Published figures are left out of plots and BD-rates: they are of {why}."]
    return [*lines, *conventions(outcome), *outcome.notes]


def beside(options: Options, clips: Collection[str] = (AVERAGE,)) -> list[Row]:
    """Published figures that may share axes with ours: of all frames only."""
    return [] if options.study.frames is not None or options.any_shape else published(options, clips)


def sequence_rows(outcome: Outcome) -> list[Row]:
    """Every sequence's points, failed ones too, and what was published of them, if all frames were coded."""
    named = by_sequence(outcome.rows)
    clips = {row.clip for row in named}
    return [*named, *beside(outcome.options, clips)] if outcome.named else []


def mean_rows(outcome: Outcome) -> list[Row]:
    """The averages; published ones on their axes where ours are of all frames of all sequences, too."""
    found = averages(outcome.named)
    means, most = complete(found), max((len(average.sequences) for average in found), default=0)
    return [*means, *(beside(outcome.options) if most == len(SEQUENCES) else [])] if means else []
