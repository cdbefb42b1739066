"""Colour, marker and line of every curve, the same in all plots: colour says the codec, marker its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nvcodec.study.curves import labels
from nvcodec.study.rows import Row

INK = "#0b0c0d"  # stands for the colour of text, and is replaced by it where a plot is part of a page
# Okabe and Ito, "Color universal design", 2008; told apart with all common kinds of colour blindness. Without yellow,
# which is too pale on white; wine and olive are Tol's ("Colour schemes", 2021).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#882255", "#999933")
PALE = ("#4aa8e0", "#f07a3a", "#2fc294", "#dc9cc0", "#86cdf2", "#f2bd4b", "#cf6aa0", "#c3c363")  # on a dark page
MARKERS = {"fitted": "osDph", "trained": "*PX8", "classical": "^v<>", "published": "d+x1"}
LINES = {"fitted": "-", "trained": "-", "classical": "--", "published": ":"}


@dataclass(frozen=True)
class Style:
    """How a curve is drawn."""

    color: str
    marker: str
    line: str


def styles(rows: Sequence[Row], anchor: str) -> dict[str, Style]:
    """A style for each label; the anchor has the colour of text."""
    first = {row.label: row for row in reversed(rows)}
    colors: dict[str, str] = {}
    counts: dict[str, int] = {}
    found: dict[str, Style] = {}
    for label in labels(rows):
        family, codec = first[label].family, first[label].codec
        markers = MARKERS.get(family, MARKERS["classical"])
        marker = markers[counts.get(codec, 0) % len(markers)]
        counts[codec] = counts.get(codec, 0) + 1
        if label == anchor:
            found[label] = Style(INK, marker, "-")
            continue
        color = colors.setdefault(codec, PALETTE[len(colors) % len(PALETTE)])
        found[label] = Style(color, marker, LINES.get(family, "--"))
    return found
