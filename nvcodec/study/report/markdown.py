"""The report as Markdown tables, to be pasted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nvcodec.study.curves import METRICS
from nvcodec.study.report.content import Content, Section, published
from nvcodec.study.report.tables import (
    POINTS,
    PUBLISHED_TITLE,
    TIMES,
    bd_header,
    bd_missing,
    bd_rows,
    commands,
    origins,
    point_cells,
    published_bd_header,
    published_bd_rows,
    time_missing,
    time_rows,
)


def markdown(content: Content) -> str:
    """All tables of a report, without its plots."""
    parts = [f"# {escaped(content.title)}", f"{content.summary}. BD-rates are against {escaped(content.anchor)}."]
    parts.append("\n".join(f"- **{escaped(label)}** {escaped(said)}" for label, said in content.headlines))
    parts.append("\n".join(f"- {escaped(note)}" for note in content.notes))
    for section in content.sections:
        parts += [*_deltas(section), *_published_deltas(section)]
    if content.time_deltas:
        rows = time_rows(content)
        parts += ["## Rate at equal encode time", table(TIMES, rows, text=2) if rows else ""]
        parts += ["\n".join(f"- {escaped(line)}" for line in time_missing(content))]
    parts += ["## Points", table(("clip", *POINTS), [[r.clip, *point_cells(r)] for r in content.rows], text=3)]
    parts += ["## Where the numbers come from"]
    parts += [table(("codec", "encoder", "commit", "machine", "threads"), origins(content.rows), text=5)]
    lines = [f"- {escaped(row.clip)}: {code(row.command)}" for _, found in commands(content.rows) for row in found]
    parts.append("\n".join(lines))
    if found := published(content.rows):
        sources = "\n".join(f"- {escaped(row.label)}: {escaped(row.source or 'no source given')}" for row in found)
        parts += ["## Published figures", sources]
    if content.conditions:
        parts += ["## Conditions of this study", "\n".join(f"- {escaped(line)}" for line in content.conditions)]
    if content.failed:
        failed = [[row.clip, row.label, row.rate or "-", row.error] for row in content.failed]
        parts += ["## Failed points", table(("clip", "codec", "rate", "why"), failed, text=4)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _deltas(section: Section) -> list[str]:
    rows = [[label, *(_cell(c.text, c.small) for c in cells)] for label, cells in bd_rows(section.table)]
    if not rows:
        return []
    missing = "\n".join(f"- {escaped(line)}" for line in bd_missing(section.table))
    title = f"## BD-rate at equal {METRICS[section.metric].title} (Akima, overlap in brackets)"
    return [title, table(bd_header(section.table), rows, text=1), missing]


def _published_deltas(section: Section) -> list[str]:
    rows = [[label, *(_cell(c.text, c.small) for c in cells)] for label, cells in published_bd_rows(section.published)]
    header = published_bd_header(section.published)
    return [f"### {PUBLISHED_TITLE}", table(header, rows, text=1)] if rows else []


def _cell(text: str, small: str) -> str:
    return f"{text} ({small})" if small else text


def table(header: Sequence[str], rows: Iterable[Sequence[str]], text: int) -> str:
    """A Markdown table whose first ``text`` columns are words; the others are numbers, to the right."""
    lines = [_line(map(escaped, header)), _line(["---"] * text + ["---:"] * (len(header) - text))]
    return "\n".join([*lines, *(_line(map(escaped, row)) for row in rows)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Foreign text that stays text."""
    for sign in "\\`*_[]|":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """As code, whatever backticks there are."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"
