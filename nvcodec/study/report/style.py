"""Colour, marker and line of every curve: by family and order, the same in all plots of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nvcodec.study.curves import labels
from nvcodec.study.rows import Row

INK = "#0b0c0d"  # stands for the colour of text, and is replaced by it where a plot is part of a page
# Okabe and Ito, "Color universal design", 2008; told apart with all common kinds of colour blindness. Without yellow,
# which is too pale on white, and with orange last, the nearest to vermilion.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKERS = {"fitted": "ohp", "trained": "sP", "classical": "^v<>", "published": "Ddx"}
LINES = {"fitted": "-", "trained": "-", "classical": "--", "published": ":"}


@dataclass(frozen=True)
class Style:
    """How a curve is drawn."""

    color: str
    marker: str
    line: str


def styles(rows: Sequence[Row], anchor: str) -> dict[str, Style]:
    """A style for each label; the anchor has the colour of text."""
    families = {row.label: row.family for row in rows}
    found: dict[str, Style] = {}
    count = 0
    for label in labels(rows):
        family = families[label]
        markers = MARKERS.get(family, MARKERS["classical"])
        if label == anchor:
            found[label] = Style(INK, markers[0], "-")
            continue
        marker = markers[count // len(PALETTE) % len(markers)]
        found[label] = Style(PALETTE[count % len(PALETTE)], marker, LINES.get(family, "--"))
        count += 1
    return found
