"""Results as JSON lines: each row is written once, whole, and found again by a later run that resumes."""

from __future__ import annotations

import errno
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
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return  # a line that a killed run, or a full disk, cut short
        if isinstance(row, dict) and isinstance(row.get("key"), str):
            self.rows[row["key"]] = row

    def get(self, key: str) -> dict[str, Any] | None:
        """The finished row of that key, or None."""
        return self.rows.get(key)

    def add(self, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Writes a row to disk before it returns it; a later row of a key wins. A failed write leaves nothing."""
        full = {"key": key, **row}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(full).encode() + b"\n"
        with self.path.open("a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                os.truncate(file.fileno(), end)
                raise
        self.rows[key] = full
        return full
