"""Points that failed, which `nvcodec.study.rows.read_rows` leaves out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from nvcodec.errors import InputError
from nvcodec.study.rows import Row


def read_failures(paths: Iterable[str | Path]) -> list[Row]:
    """The failed rows of JSON-lines files that no later row of the same key mends; what is no row is passed over."""
    last: dict[str, Row] = {}
    for path in map(Path, paths):
        for number, line in enumerate(_lines(path), 1):
            try:
                values = json.loads(line)
                row = Row.from_dict(values) if isinstance(values, dict) else None
            except (ValueError, RecursionError, InputError):
                continue
            if row is not None:
                last[row.key or f"{path}:{number}"] = row
    return [row for row in last.values() if row.error]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
