"""The table of the Kodak benchmark: curves of means over images, BD-rates, published figures beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.published import AVERAGE, published_rows
from nvcodec.metrics.bd import PiecewiseCubic
from nvcodec.metrics.bits import bpp
from nvcodec.study.curves import Curve, curves, labels
from nvcodec.study.deltas import BdTable, bd_table
from nvcodec.study.joining import PUBLISHED
from nvcodec.study.rows import Row

IMAGES = 24  # of the whole set: figures of fewer are not laid beside published ones
METRIC, METHOD = "psnr_rgb", "pchip"
RATES = (0.25, 0.5, 1.0)  # bits per pixel at which curves are read off
WHOLE_FILE = "whole file"
BASELINES = ("JPEG 4:2:0", "x264")  # beginnings of the labels that BD-rates are against

Found = Mapping[str, Any]


def as_markdown(rows: Sequence[Found], images: int) -> str:
    """The table of all points that were measured of every image, published curves last where all images were."""
    means = mean_rows(rows, images)
    figures = [*means, *(published_rows("kodak") if images == IMAGES else ())]
    tables = [bd_table(figures, anchor, METRIC, METHOD) for anchor in _anchors(means)]
    against = [f"BD-rate to {table.anchor}" for table in tables]
    head = ["codec", "points", "bpp", "PSNR RGB, dB", *(f"at {rate:g} bpp" for rate in RATES), *against]
    body = [_line(curve, tables) for curve in curves(figures, METRIC)]
    lines = [_cells(head), _cells(["---", *["---:"] * (len(head) - 1)]), *map(_cells, body)]
    title = f"# Kodak, {images} image{'' if images == 1 else 's'}\n\n{_explanation(images)}"
    return "\n".join([title, "", *lines, "", *_origins(rows), ""])


def mean_rows(rows: Iterable[Found], images: int) -> list[Row]:
    """A row for each curve and setting that every one of the images has, ``bpp`` that of the payloads.

    A codec whose files hold more than payload has a second curve, of its whole files.
    """
    points: dict[tuple[str, str, str], list[Found]] = {}
    for row in rows:
        points.setdefault((row["codec"], row["configuration"], row["rate"]), []).append(row)
    complete = [found for found in points.values() if len(found) == images]
    made = [_mean(found, "payload_bytes", "") for found in complete]
    framed = [found for found in complete if any(row["payload_bytes"] != row["bytes"] for row in found)]
    return [*made, *(_mean(found, "bytes", WHOLE_FILE) for found in framed)]


def _mean(found: Sequence[Found], counted: str, mark: str) -> Row:
    first = found[0]
    rates = [bpp(row[counted], row["width"], row["height"], 1) for row in found]
    return Row(
        AVERAGE,
        first["codec"],
        ", ".join(filter(None, (first["configuration"], mark))),
        first["rate"],
        math.fsum(rates) / len(rates),
        family=first["family"],
        psnr_rgb=math.fsum(row["psnr_rgb"] for row in found) / len(found),
    )


def _anchors(means: Sequence[Row]) -> list[str]:
    """The labels that BD-rates are against, as far as they were measured."""
    known = labels(means)
    found = [next((label for label in known if label.startswith(name)), None) for name in BASELINES]
    return [label for label in found if label is not None]


def _line(curve: Curve, tables: Iterable[BdTable]) -> list[str]:
    name = f"{curve.label} (published)" if curve.family == PUBLISHED else curve.label
    rates, qualities = curve.rates, curve.qualities
    spans = [f"{rates[0]:.3f}-{rates[-1]:.3f}", f"{qualities[0]:.2f}-{qualities[-1]:.2f}"]
    read_off = [_at(curve, rate) for rate in RATES]
    return [name, str(len(curve.rows)), *spans, *read_off, *(_delta(curve, table) for table in tables)]


def _at(curve: Curve, rate: float) -> str:
    """PSNR at a rate, between the curve's points; nothing beyond them."""
    if len(curve.rows) < 2 or not curve.rates[0] <= rate <= curve.rates[-1]:
        return "-"
    line = PiecewiseCubic([math.log10(value) for value in curve.rates], curve.qualities, METHOD)
    return f"{float(line(math.log10(rate))):.2f}"


def _delta(curve: Curve, table: BdTable) -> str:
    """Percent, with a star where the curves share less than half of their range."""
    if curve.label == table.anchor:
        return "0"
    delta = table.cell(curve.clip, curve.label).rate
    return "-" if delta.pchip is None else f"{delta.pchip:+.1f} %{'*' * delta.fragile}"


def _cells(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"


def _explanation(images: int) -> str:
    said = (
        "PSNR of RGB and bits per pixel, means over images of each image's own. Bits of our codecs are those of the\n"
        f'payload; "{WHOLE_FILE}" adds head, checks and index of the container. Other codecs: the whole file, of x264\n'
        "and the like an elementary stream without messages. BD-rate by PCHIP; a star: curves share less than half of\n"
        "their range of PSNR."
    )
    return said if images == IMAGES else f"{said} Published curves are of all {IMAGES} images and left out."


def _origins(rows: Iterable[Found]) -> list[str]:
    """What made each curve: samples that it coded, encoder, commit, machine."""
    found: dict[str, None] = {}
    for row in rows:
        made = f"{row['encoder']}; {row['pixels']}; commit {row['commit']}; {row['machine']}"
        found[f"- {row['codec']} {row['configuration']}: {made}"] = None
    return list(found)
