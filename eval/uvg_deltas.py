"""The UVG benchmark's BD-rates: each sequence, their mean, and that of the averaged curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eval.uvg_data import SEQUENCES
from eval.uvg_table import Table, averages, complete
from nvcodec.study.curves import METRICS, labels
from nvcodec.study.deltas import BdTable, Delta, bd_table
from nvcodec.study.rows import Row

SHOWN_METRICS = ("psnr_rgb", "psnr_yuv", "ms_ssim_db")


def delta_tables(rows: Sequence[Row], anchor: str) -> list[Table]:
    """BD-rate by Akima interpolation, one table a metric that both the anchor and another curve have."""
    if anchor not in labels(rows):
        return []  # every point of it failed
    found = [delta_table(rows, anchor, metric) for metric in SHOWN_METRICS if _measured(rows, metric)]
    return [table for table in found if any(cell != "-" for line in table.body for cell in line[1:])]


def _measured(rows: Iterable[Row], metric: str) -> bool:
    return any(getattr(row, metric) is not None for row in rows)


def delta_table(rows: Sequence[Row], anchor: str, metric: str) -> Table:
    """One line a curve. Means are over the sequences that have a delta, and say how many those are."""
    each = bd_table(rows, anchor, metric)
    whole = complete(averages(rows))
    mean_curves = bd_table(whole, anchor, metric) if anchor in labels(whole) else None
    names = [name for name in SEQUENCES if name in each.clips]
    body = [(label, *_cells(each, mean_curves, label, names)) for label in each.labels]
    header = ("codec", *names, "mean", "of averaged curves")
    caption = f"UVG: BD-rate in percent against {anchor}, {METRICS[metric].title}, Akima interpolation"
    return Table(header, tuple(body), 1, caption)


def _cells(each: BdTable, mean_curves: BdTable | None, label: str, names: Sequence[str]) -> list[str]:
    cells = [_percent(each.cell(name, label).rate) for name in names]
    average = each.average(label)
    count = "" if average.clips == average.of else f" ({average.clips} of {average.of})"
    mean = _percent(average.rate)
    known = mean_curves is not None and label in mean_curves.labels
    last = _percent(mean_curves.cell(mean_curves.clips[0], label).rate) if mean_curves is not None and known else "-"
    return [*cells, mean if mean == "-" else mean + count, last]


def _percent(delta: Delta) -> str:
    """A star where the curves share less than half of their range."""
    value = delta.akima
    return "-" if value is None else f"{value:+.1f}{'*' * delta.fragile}"


def absent(rows: Sequence[Row], anchor: str, metric: str = "psnr_rgb") -> list[str]:
    """Curves without a delta on some sequences, and why, a line each."""
    if anchor not in labels(rows):
        return [f"no point of the anchor {anchor} succeeded"]
    reasons: dict[tuple[str, str], list[str]] = {}
    for average in bd_table(rows, anchor, metric).averages:
        for clip, why in average.missing:
            reasons.setdefault((average.label, why), []).append(clip)
    return [f"{label} on {', '.join(clips)}: {why}" for (label, why), clips in reasons.items()]
