"""The report as one HTML page: no file beside it, nothing from the network, and one script that moves the slider."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from nvcodec.errors import UsageError
from nvcodec.study.curves import METRICS
from nvcodec.study.report import figures, tables
from nvcodec.study.report.content import Content, frame_rows, published
from nvcodec.study.report.slider import slides
from nvcodec.study.report.style import PALE, PALETTE, styles
from nvcodec.study.report.text import NONE, number, shortened, significant

TEMPLATES = Path(__file__).resolve().parent / "templates"


def page(content: Content) -> str:
    """The whole page.

    Raises:
        UsageError: jinja2 or matplotlib is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise UsageError("HTML reports need jinja2: pip install 'nvcodec[study]'") from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shortened"] = shortened
    environment.filters["minus"] = _minus
    shown = slides(content)
    names = ("report.css", "slider.css") if shown.clips else ("report.css",)
    style = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)
    script = (TEMPLATES / "slider.js").read_text(encoding="utf-8") if shown.clips else ""
    return environment.get_template("report.html.j2").render(
        style=style,
        script=script,
        policy=policy(script),
        slides=shown,
        palettes=(PALETTE, PALE),
        **_values(content),
    )


def policy(script: str) -> str:
    """What the page may do: nothing, but for its own styles, data: pictures, and this very script."""
    allowed = "default-src 'none'; style-src 'unsafe-inline'"
    if not script:
        return allowed
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{allowed}; img-src data:; script-src 'sha256-{digest}'"


def _minus(text: str) -> str:
    """The sign that it is before numbers, a percent sign that stays with its number, a dash for what there is not."""
    if text == NONE:
        return "–"
    return re.sub(r"(?<![^ (])-(?=\d)", "−", text).replace(" %", "\u00a0%")


def _values(content: Content) -> dict[str, Any]:
    look = styles(content.rows, content.anchor)
    return {
        "content": content,
        "legend": [(label, figures.swatch_svg(look, label)) for label in content.labels],
        "sections": [_section(section, content, look) for section in content.sections],
        "times_plot": figures.times_svg(content.times, look, content.anchor) if len(content.times) > 1 else "",
        "time_header": tables.TIMES,
        "time_rows": tables.time_rows(content),
        "time_missing": tables.time_missing(content),
        "time_clips": [(c, tables.time_rows(content, c)) for c in content.clips] if len(content.clips) > 1 else [],
        "frames": [_frames(clip, content, look) for clip in content.clips],
        "point_header": tables.POINTS,
        "points": [(clip, _points(clip, content)) for clip in content.clips],
        "commands": tables.commands(content.rows),
        "origins": tables.origins(content.rows),
        "published": published(content.rows),
        "published_title": tables.PUBLISHED_TITLE,
        "published_labels": {row.label for row in published(content.rows)},
    }


def _points(clip: str, content: Content) -> list[list[str]]:
    return [tables.point_cells(row) for row in content.rows if row.clip == clip]


def _section(section: Any, content: Content, look: Any) -> dict[str, Any]:
    def plots(log: bool) -> list[str]:
        clips = [(clip, section.of(clip)) for clip in content.clips]
        return [figures.rd_svg(curves, look, section.metric, log, clip) for clip, curves in clips if curves]

    return {
        "metric": section.metric,
        "title": METRICS[section.metric].title,
        "header": tables.bd_header(section.table),
        "rows": tables.bd_rows(section.table),
        "missing": tables.bd_missing(section.table),
        "published_header": tables.published_bd_header(section.published),
        "published_rows": tables.published_bd_rows(section.published),
        "log": plots(True),
        "linear": plots(False),
    }


def _frames(clip: str, content: Content, look: Any) -> dict[str, Any]:
    metric, rows = frame_rows(content.main, clip, content.anchor)
    known = METRICS[content.metric]
    return {
        "plot": figures.frames_svg(rows, look, metric, clip) if rows else "",
        "chosen": [
            f"{row.label} {row.rate}: {significant(row.bpp)} bpp, "
            f"{number(getattr(row, content.metric), known.digits)} {known.unit}".rstrip()
            for row in rows
        ],
    }
