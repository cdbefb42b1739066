"""What a reader must know before a number is quoted: where rows came from, what was left out, what is fragile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from nvcodec.study.curves import METRICS, Curve, newest
from nvcodec.study.deltas import FRAGILE, BdTable
from nvcodec.study.joining import PUBLISHED, cut_text
from nvcodec.study.report.text import counted, listed, percent, significant
from nvcodec.study.rows import Row

Cuts = Mapping[str, Sequence[tuple[int, int, int]]]


def notes(rows: Sequence[Row], curves: Sequence[Curve], table: BdTable, cuts: Cuts) -> list[str]:
    """One sentence or two for each thing; rows are clean, failed ones among them. ``cuts`` are `curves.cuts`."""
    good = [row for row in rows if not row.error]
    return [
        *_fragile(table),
        *_disputed(table),
        *_times(good),
        *_origins(good, table),
        *_cuts(cuts),
        *_points(rows, good),
        *_warned(good),
        *_dropped(curves),
    ]


def _fragile(table: BdTable) -> Iterator[str]:
    weak: dict[str, list[float]] = {}
    for cell in table.cells:
        if cell.rate.fragile and cell.rate.overlap is not None:
            weak.setdefault(cell.label, []).append(cell.rate.overlap)
    if weak:
        title = METRICS[table.metric].title
        said = listed(
            f"{label} ({counted(len(found), 'clip')}, from {min(found):.2f})" for label, found in weak.items()
        )
        yield f"Fragile at equal {title}, because curves share less than {FRAGILE:g} of their range: {said}."


def _disputed(table: BdTable) -> Iterator[str]:
    found = [
        f"{cell.label} on {cell.clip} ({percent(cell.rate.akima)} and {percent(cell.rate.pchip)})"
        for cell in table.cells
        if cell.rate.disputed
    ]
    if found:
        title = METRICS[table.metric].title
        yield f"More points are needed at equal {title} where Akima and PCHIP disagree: {listed(found)}."


def _times(rows: Sequence[Row]) -> Iterator[str]:
    crowded = [row.jobs for row in rows if row.jobs is not None and row.jobs > 1]
    if crowded:
        yield (
            f"Times are not for citing: {len(crowded)} of {counted(len(rows), 'point')} ran while "
            f"up to {max(crowded)} points ran at once."
        )
    threads = sorted({row.threads for row in rows if row.threads is not None})
    if len(threads) > 1:
        yield f"Times are not of one kind: points ran on {listed(map(str, threads))} threads."


def _origins(rows: Sequence[Row], table: BdTable) -> Iterator[str]:
    measured = [row for row in rows if row.family != PUBLISHED]
    machines = Counter(row.machine for row in measured if row.machine)
    if len(machines) > 1:
        said = listed(f"{name} ({counted(count, 'point')})" for name, count in machines.items())
        yield f"Points come from {len(machines)} machines, so times are not to be compared across them: {said}."
    commits = Counter(row.commit for row in measured if row.commit)
    if len(commits) > 1:
        said = listed(f"{name} ({counted(count, 'point')})" for name, count in commits.items())
        yield f"Points come from {len(commits)} commits: {said}."
    if any(name.endswith("+") for name in commits):
        yield "A commit with + had changes that were not committed."
    if len(measured) < len(rows):
        count = len({row.label for row in rows if row.family == PUBLISHED})
        yield f"{counted(count, 'curve')} of published figures: not measured here, from the sources listed below."
    if any(row.label == table.anchor and row.family == PUBLISHED for row in rows):
        yield f"The anchor {table.anchor} is a published figure, of other conditions than the rest; so are all deltas."


def _cuts(shapes: Cuts) -> Iterator[str]:
    for clip, found in shapes.items():
        yield f"{clip} was measured as {len(found)} different clips: {listed((cut_text(*s) for s in found), by='; ')}."


def _points(rows: Sequence[Row], good: Sequence[Row]) -> Iterator[str]:
    if len(rows) > len(good):
        yield f"{counted(len(rows) - len(good), 'point')} failed; the last section says why."
    if again := len(good) - len(newest(good)):
        yield f"{counted(again, 'point')} came up more than once in the results; the last row counts."


def _warned(rows: Sequence[Row]) -> Iterator[str]:
    said: dict[str, list[str]] = {}
    for row in rows:
        if row.notes:
            said.setdefault(row.notes, []).append(f"{row.label} {row.rate} on {row.clip}")
    for text, points in said.items():
        yield f"The encoder warned, {text}: {listed(points)}."


def _dropped(curves: Sequence[Curve]) -> Iterator[str]:
    beaten = [f"{row.label} {row.rate} on {row.clip}, {significant(row.bpp)} bpp" for c in curves for row in c.dropped]
    if beaten:
        yield (
            "Left out of curves, because another point of the curve has no higher rate and no lower quality: "
            f"{listed(beaten)}."
        )
