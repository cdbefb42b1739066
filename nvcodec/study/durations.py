"""Time budgets in the names of configurations: "90s", "2m", "1h30m", back and forth."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,3})?)s)?", re.ASCII)


def read_duration(text: str) -> float | None:
    """Seconds of "90s", "2m", "1h30m"; None if it is no such text."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    return float(match[1] or 0) * 3600 + float(match[2] or 0) * 60 + float(match[3] or 0)


def duration_text(seconds: float) -> str:
    """The shortest such text: 120 is "2m", 90 is "90s", 5400 is "90m"."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
