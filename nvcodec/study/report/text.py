"""Rows made safe to show, and numbers as text. Whatever a file of results holds, nothing here raises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from nvcodec.study.curves import finite
from nvcodec.study.rows import Row

NONE = "-"
LONGEST = 4000  # signs of a text that a report shows


def clean_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows with printable text, finite numbers, and per-frame lists of numbers; what is none of these becomes None."""
    return [_clean(row) for row in rows]


def _clean(row: Row) -> Row:
    changed: dict[str, Any] = {}
    for field in fields(Row):
        value, kind = getattr(row, field.name), str(field.type)
        if kind.startswith("str"):
            changed[field.name] = printable(value)
        elif kind.startswith("int"):
            changed[field.name] = value if finite(value) is not None else None
        elif kind.startswith("float"):
            changed[field.name] = finite(value)
    changed["bpp"] = changed["bpp"] or 0.0
    changed["schema"] = changed["schema"] or 0
    changed["per_frame"] = {printable(k): _series(v) for k, v in row.per_frame.items() if isinstance(v, list)}
    return replace(row, **changed)


def _series(values: list[Any]) -> list[float | None]:
    return [finite(value) for value in values]


def printable(text: str) -> str:
    """One line without control characters, lone surrogates and signs that turn the direction of writing."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in text.replace("\n", " ").replace("\t", " "))
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def shortened(text: str, most: int = 40) -> str:
    """The text, or its begin and end about a mark."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def number(value: float | None, digits: int = 2) -> str:
    """With so many digits behind the point."""
    return NONE if value is None else f"{value:.{digits}f}"


def significant(value: float | None, digits: int = 3) -> str:
    """With so many digits that matter, and no exponent for what a reader meets: 0.00412, 3.15, 127."""
    if value is None:
        return NONE
    if value == 0 or not 1e-6 <= abs(value) < 1e9:
        return f"{value:.{digits}g}"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if whole:
        return f"{value:.{max(0, digits - whole)}f}"
    zeros = len(f"{abs(value):.9f}".split(".")[1]) - len(f"{abs(value):.9f}".split(".")[1].lstrip("0"))
    return f"{value:.{digits + zeros}f}"


def percent(value: float | None) -> str:
    """Signed, as a BD-rate is written: "+220 %", "-12.3 %"."""
    if value is None:
        return NONE
    return f"{value:+.0f} %" if abs(value) >= 99.95 else f"{value:+.1f} %".replace("-0.0 %", "+0.0 %")


def signed(value: float | None, digits: int = 2) -> str:
    """With its sign."""
    return NONE if value is None else f"{value:+.{digits}f}"


def whole(value: float | None) -> str:
    """Thousands apart: "1 234 567"."""
    return NONE if value is None else f"{value:,.0f}".replace(",", " ")


def megabytes(count: float | None) -> str:
    """Bytes as MB."""
    return NONE if count is None else significant(count / 1e6)


def counted(count: int, word: str) -> str:
    """ "1 clip", "3 clips"."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def listed(items: Iterable[str], most: int = 6, by: str = ", ") -> str:
    """The items by commas, the rest counted."""
    items = list(items)
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return by.join(items[:most]) + more
