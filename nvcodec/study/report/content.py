"""What a report says, before it has a form: the same content makes the page, the tables and the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nvcodec.errors import UsageError
from nvcodec.study.curves import (
    METRICS,
    Curve,
    check_label,
    check_metric,
    clips,
    curves,
    default_anchor,
    finite,
    geometric_mean,
    labels,
    natural,
    newest,
    usable,
)
from nvcodec.study.deltas import BdTable, bd_table
from nvcodec.study.joining import PUBLISHED, cuts, joined
from nvcodec.study.report.album import Shelf
from nvcodec.study.report.headlines import clips_of, headlines
from nvcodec.study.report.notes import notes
from nvcodec.study.report.text import clean_rows, counted, printable
from nvcodec.study.rows import Row
from nvcodec.study.times import TimeDelta, TimePoint, time_deltas, time_points

SHOWN = ("psnr_yuv", "psnr_rgb", "ms_ssim_db", "vmaf")  # metrics of a report, where there are values
FRAME_METRICS = ("psnr_yuv", "psnr_rgb", "psnr_y", "vmaf")  # the first that is there is drawn over frames


@dataclass(frozen=True)
class Section:
    """One metric: its curves, the deltas of what was measured, and those of published figures, which stand apart."""

    metric: str
    curves: tuple[Curve, ...]
    table: BdTable
    published: BdTable

    def of(self, clip: str) -> list[Curve]:
        """The curves of one clip."""
        return [curve for curve in self.curves if curve.clip == clip]


@dataclass(frozen=True)
class Content:
    """A whole report. Rows are clean (`nvcodec.study.report.text.clean_rows`)."""

    title: str
    anchor: str
    metric: str
    rows: tuple[Row, ...]  # the points, in the order of tables
    failed: tuple[Row, ...]
    labels: tuple[str, ...]
    clips: tuple[str, ...]
    headlines: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]  # the chosen metric first
    times: tuple[TimePoint, ...]  # means over clips (clip "")
    time_deltas: tuple[TimeDelta, ...]
    shelf: Shelf
    conditions: tuple[str, ...] = ()  # of the whole study, in the words of who ran it

    @property
    def main(self) -> Section:
        """The section of the chosen metric."""
        return self.sections[0]

    @property
    def summary(self) -> str:
        """How much there is, and when it was measured."""
        days = sorted({row.started[:10] for row in self.rows if row.started})
        when = "" if not days else f", {days[0]}" if len(days) == 1 else f", {days[0]} to {days[-1]}"
        parts = (counted(len(self.clips), "clip"), counted(len(self.labels), "curve"), counted(len(self.rows), "point"))
        return ", ".join(parts) + when


def content(
    rows: Iterable[Row],
    anchor: str | None = None,
    metric: str = "psnr_yuv",
    title: str | None = None,
    shelf: Shelf | None = None,
    conditions: Iterable[str] = (),
) -> Content:
    """All that a report of these rows says; failed rows may be among them. ``shelf`` is where their pictures are.

    Published figures have no headline, no average and no encode time; their deltas are a table of their own.

    Raises:
        UsageError: no points, no such anchor or metric, or no point that the metric is known of.
    """
    check_metric(metric)
    every = clean_rows(rows)
    good = joined(row for row in every if not row.error)
    if not good:
        raise UsageError("there are no points to report" + (": all of them failed" if every else ""))
    anchor = default_anchor(good) if anchor is None else printable(anchor)
    check_label(good, anchor)
    sections = [_section(good, anchor, name) for name in dict.fromkeys((metric, *SHOWN))]
    if not sections[0].curves:
        raise UsageError(_why_empty(good, metric))
    timed = [row for row in good if row.family != PUBLISHED or row.label == anchor]
    main, failed = sections[0], [row for row in every if row.error]
    return Content(
        title=printable(title) if title else "Rate-distortion study",
        anchor=anchor,
        metric=metric,
        rows=tuple(_ordered(newest(good))),
        failed=tuple(failed),
        labels=tuple(labels(good)),
        clips=tuple(clips(good)),
        headlines=tuple(headlines(good, main.curves, main.table)),
        notes=tuple(notes([*good, *failed], main.curves, main.table, cuts(every))),
        sections=tuple(section for section in sections if section.curves),
        times=tuple(mean_times(time_points(timed, anchor, metric))),
        time_deltas=tuple(time_deltas(timed, anchor, metric)),
        shelf=shelf or Shelf({}),
        conditions=tuple(printable(line) for line in conditions),
    )


def _section(rows: Sequence[Row], anchor: str, metric: str) -> Section:
    table = bd_table(rows, anchor, metric)
    figures = {row.label for row in rows if row.family == PUBLISHED} - {r.label for r in rows if r.family != PUBLISHED}
    measured = table.only([label for label in table.labels if label not in figures])
    return Section(metric, tuple(curves(rows, metric)), measured, table.only(figures))


def _why_empty(rows: Sequence[Row], metric: str) -> str:
    """Why there is no curve of a metric."""
    if any(finite(getattr(row, metric)) is not None for row in rows):
        return f"no point that has {metric} has a rate: its bpp must be a number above 0"
    known = [name for name in METRICS if any(usable(row, name) for row in rows)]
    if known:
        return f"no point has {metric}; there are: {', '.join(known)}"
    rated = any((finite(row.bpp) or 0) > 0 for row in rows)
    return f"no point has {metric}; {'nothing was measured' if rated else 'no point has a rate'}"


def _ordered(rows: Sequence[Row]) -> list[Row]:
    order = {label: index for index, label in enumerate(labels(rows))}
    return sorted(rows, key=lambda row: (natural(row.clip), row.clip, order[row.label], row.bpp, row.rate))


def mean_times(points: Sequence[TimePoint]) -> list[TimePoint]:
    """One point a label: the geometric mean of times, the arithmetic mean of BD-rates, as in the table."""
    found: dict[str, list[TimePoint]] = {}
    for point in points:
        found.setdefault(point.label, []).append(point)
    return [
        TimePoint("", label, of[0].codec, geometric_mean([p.seconds for p in of]), sum(p.ratio for p in of) / len(of))
        for label, of in found.items()
    ]


def frame_rows(section: Section, clip: str, anchor: str) -> tuple[str, list[Row]]:
    """A metric, and the point of each label on a clip that is nearest to the middle point of the anchor in quality.

    Of a codec's configurations the slowest, and the anchor. Only points whose frames are known; without an anchor on
    the clip the first curve stands for it.
    """
    of_clip = section.of(clip)
    lead = next((curve for curve in of_clip if curve.label == anchor), of_clip[0] if of_clip else None)
    if lead is None:
        return section.metric, []
    target = lead.qualities[len(lead.rows) // 2]
    slowest = {curve.codec: curve for curve in of_clip}  # labels are in the order of their encode times
    chosen = [
        min(known, key=lambda row: (abs(getattr(row, section.metric) - target), row.bpp))
        for curve in of_clip
        if curve in (lead, slowest[curve.codec]) and (known := [row for row in curve.rows if row.per_frame])
    ]
    for metric in dict.fromkeys((section.metric, *FRAME_METRICS)):
        if rows := [row for row in chosen if row.per_frame.get(metric)]:
            return metric, rows
    return section.metric, []


def published(rows: Iterable[Row]) -> list[Row]:
    """One row of each published curve, for its source."""
    return list({row.label: row for row in rows if row.family == PUBLISHED}.values())


def clips_text(delta: TimeDelta) -> str:
    """How many clips a mean is of."""
    return clips_of(delta.clips, delta.of)
