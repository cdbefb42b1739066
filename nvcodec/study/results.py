"""Results as JSON lines: each row is written once, whole, and found again by a later run that resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Results:
    """An append-only file of JSON objects, each under a ``key`` that says all that makes it what it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            return  # the last line of a run that was killed while it wrote
        if isinstance(row, dict) and "key" in row:
            self.rows[row["key"]] = row

    def get(self, key: str) -> dict[str, Any] | None:
        """The finished row of that key, or None."""
        return self.rows.get(key)

    def add(self, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Writes a row to disk before it returns it; a later row of the same key wins."""
        full = {"key": key, **row}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(full).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows[key] = full
        return full
