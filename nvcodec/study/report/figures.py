"""Whole figures: the parts of a page as inline SVG, and the overview as one picture."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nvcodec.study.curves import Curve
from nvcodec.study.report.plots import Plotter, drawing, new_figure
from nvcodec.study.report.style import INK, PALETTE, Style
from nvcodec.study.report.text import shortened
from nvcodec.study.rows import Row
from nvcodec.study.times import TimePoint

SIZE = (4.6, 3.3)  # inches of one plot
_POINT = re.compile(r'<g id="(point-\d+)">')
_NAMED = re.compile(r'<g id="[a-zA-Z_]+[\d_]+">')  # names that matplotlib repeats in every figure


def rd_svg(curves: Sequence[Curve], styles: Mapping[str, Style], metric: str, log: bool, clip: str) -> str:
    """Quality over rate of one clip."""
    plotter = Plotter(styles)
    with drawing(f"{clip} {metric} {log}"):
        figure = new_figure(*SIZE)
        plotter.rate_distortion(figure.subplots(), curves, metric, log, clip)
        return inline(figure, plotter.titles, f"{metric} over bits per pixel on {clip}")


def times_svg(points: Sequence[TimePoint], styles: Mapping[str, Style], anchor: str) -> str:
    """BD-rate over encode time."""
    plotter = Plotter(styles)
    with drawing("times"):
        figure = new_figure(7.2, 4)
        figure.subplots_adjust(left=0.115, top=0.97)
        plotter.times(figure.subplots(), points, anchor)
        return inline(figure, plotter.titles, f"BD-rate against {anchor} over encode time")


def frames_svg(rows: Sequence[Row], styles: Mapping[str, Style], metric: str, clip: str) -> str:
    """Quality and bits of every frame of one clip."""
    plotter = Plotter(styles)
    with drawing(f"{clip} frames"):
        figure = new_figure(SIZE[0], 4.4)
        quality, bits = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        plotter.frames(quality, bits, rows, metric, clip)
        return inline(figure, plotter.titles, f"{metric} and bits of every frame of {clip}")


def swatch_svg(styles: Mapping[str, Style], label: str) -> str:
    """What a legend shows beside a label."""
    plotter = Plotter(styles)
    with drawing(f"{label} swatch"):
        figure = new_figure(0.5, 0.16)
        plotter.swatch(figure.add_axes((0.05, 0.1, 0.9, 0.8)), label)
        return inline(figure, {}, "")


def overview(
    curves: Mapping[str, Sequence[Curve]],
    points: Sequence[TimePoint],
    styles: Mapping[str, Style],
    metric: str,
    anchor: str,
    kind: str,
) -> bytes:
    """One picture: rate and distortion of every clip, BD-rate over encode time, one legend; ``kind`` is svg or png."""
    plotter = Plotter(styles)
    with drawing("overview"):
        panels = len(curves) + bool(points)
        columns = min(3, max(1, panels))
        lines = -(-panels // columns)
        legend = -(-len(styles) // columns) * 0.22 + 0.1
        figure = new_figure(SIZE[0] * columns, SIZE[1] * lines + legend, "constrained")
        figure.set_facecolor("white")
        axes = list(figure.subplots(lines, columns, squeeze=False).flat)
        for axis, (clip, found) in zip(axes, curves.items(), strict=False):
            plotter.rate_distortion(axis, found, metric, True, clip)
        if points:
            plotter.times(axes[len(curves)], points, anchor)
        for axis in axes[panels:]:
            axis.set_axis_off()
        _legend(figure, styles, columns)
        return _saved(figure, kind)


def _legend(figure: Any, styles: Mapping[str, Style], columns: int) -> None:
    from matplotlib.lines import Line2D

    looks: list[dict[str, Any]] = [{"color": s.color, "marker": s.marker, "linestyle": s.line} for s in styles.values()]
    handles = [Line2D([], [], **look) for look in looks]
    names = [shortened(f" {label}" if label.startswith("_") else label) for label in styles]  # "_..." is hidden
    figure.legend(handles, names, loc="outside lower center", ncols=columns)


def _saved(figure: Any, kind: str) -> bytes:
    data = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    figure.savefig(data, format=kind, dpi=160, metadata=metadata)
    return data.getvalue()


def inline(figure: Any, titles: Mapping[str, str], said: str) -> str:
    """The figure as an <svg> element in the colours of the page about it; ``said`` is read out for it."""
    text = _saved(figure, "svg").decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _POINT.sub(lambda m: f"<g><title>{escape(titles[m[1]])}</title>", text[text.index("<svg") :])
    text = _NAMED.sub("<g>", text).replace(INK, "currentColor")
    for index, color in enumerate(PALETTE):
        text = text.replace(color, f"var(--curve-{index})")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    spoken = f'role="img" aria-label="{escape(said)}"' if said else 'aria-hidden="true"'
    return re.sub(r"\n\s*", "\n", text.replace("<svg", f"<svg {spoken}", 1))
