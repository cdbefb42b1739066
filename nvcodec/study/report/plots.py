"""The plots of a report, as matplotlib figures and as SVG. The same rows give the same bytes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nvcodec.errors import UsageError
from nvcodec.study.curves import METRICS, Curve, finite
from nvcodec.study.report.style import INK, Style
from nvcodec.study.report.text import number, percent, shortened, significant
from nvcodec.study.rows import Row
from nvcodec.study.times import TimePoint

COLUMNS = 600  # of a plot over frames; longer clips are averaged into so many
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9.5,
    "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 9.5,
    "axes.facecolor": "none", "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.alpha": 0.16, "grid.linewidth": 0.7, "grid.color": INK, "text.color": INK, "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "lines.linewidth": 1.6,
    "lines.markersize": 5.5, "legend.frameon": False, "text.parse_math": False, "axes.unicode_minus": True,
}  # fmt: skip


class Plotter:
    """Draws with one style a label. ``titles`` collects what a page shows over a point, by its id in the SVG."""

    def __init__(self, styles: Mapping[str, Style]) -> None:
        self.styles = styles
        self.titles: dict[str, str] = {}

    def rate_distortion(self, axes: Any, curves: Sequence[Curve], metric: str, log: bool, title: str) -> None:
        """One clip: quality over rate; beaten points faint and off the line."""
        for curve in curves:
            style = self.styles[curve.label]
            axes.plot(curve.rates, curve.qualities, style.line, color=style.color)
            for row in (*curve.rows, *curve.dropped):
                value = float(getattr(row, metric))
                said = f"{row.label} {row.rate}: {significant(row.bpp)} bpp, {_with_unit(value, metric)}"
                self._point(axes, row.bpp, value, style, said, faint=row in curve.dropped)
        if log:
            log_axis(axes.xaxis, [row.bpp for curve in curves for row in (*curve.rows, *curve.dropped)])
        axes.set_title(shortened(title))
        axes.set_xlabel("bits per pixel, log" if log else "bits per pixel")
        axes.set_ylabel(METRICS[metric].axis)

    def times(self, axes: Any, points: Sequence[TimePoint], anchor: str) -> None:
        """Mean BD-rate of every label over its encode time, the efforts of one codec joined."""
        for codec in dict.fromkeys(point.codec for point in points):
            line = sorted((p for p in points if p.codec == codec), key=lambda p: p.seconds)
            color = self.styles[line[0].label].color
            axes.plot([p.seconds for p in line], [p.ratio for p in line], "-", color=color, linewidth=1.1, alpha=0.6)
            for p in line:
                said = f"{p.label}: BD-rate {percent(100 * p.ratio - 100)}, {significant(p.seconds)} s a frame"
                self._point(axes, p.seconds, p.ratio, self.styles[p.label], said)
        log_axis(axes.xaxis, [p.seconds for p in points])
        log_axis(axes.yaxis, [p.ratio for p in points] + [1.0], _percent_tick)
        axes.axhline(1.0, color=INK, linewidth=0.8, alpha=0.5)
        axes.set_xlabel("encode seconds a frame, log")
        axes.set_ylabel(f"BD-rate against {shortened(anchor, 24)}")

    def frames(self, quality: Any, bits: Any, rows: Sequence[Row], metric: str, title: str) -> None:
        """One clip, one point a label: quality and bits of every frame."""
        for row in rows:
            style = self.styles[row.label]
            x, y = binned(row.per_frame.get(metric, []))
            quality.plot(x, y, style.line, color=style.color, linewidth=1.2)
            x, y = binned(row.per_frame.get("bits", []))
            bits.plot(x, [max(v, 1) for v in y], style.line, color=style.color, linewidth=1.2, drawstyle="steps-mid")
        sizes = [max(v, 1) for row in rows for v in binned(row.per_frame.get("bits", []))[1]]
        log_axis(bits.yaxis, sizes, _bits_tick)
        quality.set_title(shortened(title))
        quality.set_ylabel(METRICS[metric].axis)
        bits.set_ylabel("bits, log")
        bits.set_xlabel("frame")

    def swatch(self, axes: Any, label: str) -> None:
        """A bit of the curve, for a legend."""
        style = self.styles[label]
        axes.plot([0, 2], [0, 0], style.line, color=style.color, clip_on=False)
        axes.plot([1], [0], style.marker, color=style.color, clip_on=False)
        axes.set_axis_off()

    def _point(self, axes: Any, x: float, y: float, style: Style, said: str, faint: bool = False) -> None:
        gid = f"point-{len(self.titles)}"
        self.titles[gid] = said
        face = "none" if faint else style.color
        axes.plot([x], [y], style.marker, color=style.color, markerfacecolor=face, alpha=0.55 if faint else 1, gid=gid)


@contextmanager
def drawing(salt: str) -> Iterator[None]:
    """Matplotlib with this report's settings, whatever the user's own are; what it draws has ids from ``salt``.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise UsageError("plots need matplotlib: pip install 'nvcodec[study]'") from None
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of signs that the font lacks: a browser has them
        matplotlib.rcdefaults()
        settings: Any = {**SETTINGS, "svg.hashsalt": salt}
        matplotlib.rcParams.update(settings)
        yield


def new_figure(width: float, height: float, layout: Any = None) -> Any:
    """An empty figure, in inches, within `drawing`; without a layout it has margins for one plot's texts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="none")
    if layout is not None:
        figure.set_layout_engine(layout)
    elif width > 1:  # laying out by what the figure holds takes most of a report's time
        right, top = 1 - 0.1 / width, 1 - 0.28 / height
        figure.subplots_adjust(left=0.62 / width, right=right, bottom=0.5 / height, top=top, hspace=0.1)
    return figure


def log_axis(axis: Any, values: Sequence[float], text: Any = None) -> None:
    """A log scale with a few round ticks, in a range that has room about the values."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    known = [value for value in values if 1e-18 < value < 1e18]
    low, high = (min(known), max(known)) if known else (1.0, 10.0)
    room = max(math.log10(high / low) * 0.06, 0.03)
    low, high = 10 ** (math.log10(low) - room), 10 ** (math.log10(high) + room)
    (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)("log")
    (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(low, high)
    ticks = percent_ticks(low, high) if text is _percent_tick else log_ticks(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([(text or significant_short)(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers within a range, the most that are no more than ``most``, but at least two where there are two."""
    best: list[float] = []
    for mantissas in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), tuple(range(10, 100))):
        scale = 10 if len(mantissas) > 10 else 1
        exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
        found = [float(f"{m / scale}e{e}") for e in exponents for m in mantissas]
        inside = [tick for tick in found if low <= tick <= high]
        if len(inside) > most:
            step = -(-len(inside) // most)
            return best if len(best) >= 2 else inside[::step]
        best = inside
    return best


def percent_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Ratios of round percentages on both sides of 1, which is among them where the range has it."""
    if high / low > 4:
        ticks = log_ticks(low, high, most)
        apart = math.log10(high / low) / 12
        return sorted([*(t for t in ticks if abs(math.log10(t)) > apart), *[1.0] * (low < 1 < high)])
    for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        first, last = math.ceil((low - 1) / step), math.floor((high - 1) / step)
        if last - first < most:
            return [1 + step * count for count in range(first, last + 1)]
    return log_ticks(low, high, most)


def significant_short(value: float) -> str:
    """A tick's number without zeros behind."""
    return f"{value:g}" if value < 1e-4 or value >= 1e6 else f"{value:.6f}".rstrip("0").rstrip(".")


def _percent_tick(ratio: float) -> str:
    return "0 %" if ratio == 1 else f"{100 * ratio - 100:+.3g} %"


def _bits_tick(value: float) -> str:
    scale, unit = (1e6, "M") if value >= 1e6 else (1e3, "k") if value >= 1e3 else (1, "")
    return f"{value / scale:g}{unit}"


def binned(values: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """(frame, value) of what is known, at most `COLUMNS` of them: means over as many frames each as that takes."""
    width = max(1, -(-len(values) // COLUMNS))
    x, y = [], []
    for start in range(0, len(values), width):
        known = [v for v in map(finite, values[start : start + width]) if v is not None]
        if known:
            x.append(start + (min(width, len(values) - start) - 1) / 2)
            y.append(math.fsum(known) / len(known))
    return x, y


def _with_unit(value: float, metric: str) -> str:
    known = METRICS[metric]
    return f"{known.title} {number(value, known.digits)} {known.unit}".rstrip()
