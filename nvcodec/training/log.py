"""The log of a training: a JSON object a line, flushed at once, so that it can be plotted while it grows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from nvcodec.errors import InputError, OutputError

LOG_NAME = "log.jsonl"
_MAX_LINE = 1 << 20


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; a last line that was cut off is left out, a missing file has no rows.

    Raises:
        InputError: the file cannot be read or a row is no object.
    """
    if not path.exists():
        return []
    rows = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n") or len(line) > _MAX_LINE:
                    break
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("a row is no object")
                rows.append(row)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a log of a training: {error}") from None
    return rows


class Log:
    """Appends rows; rows of later steps than ``after``, from before a crash, are dropped first."""

    def __init__(self, path: Path, after: int) -> None:
        kept = [row for row in read_log(path) if isinstance(row.get("step"), int) and row["step"] <= after]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
            part.replace(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror or error}") from None

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Add a row; floats are kept to 6 digits, and null where they are not finite. Raises OutputError."""
        short = {name: _short(value) for name, value in values.items()}
        try:
            self._file.write(json.dumps({"kind": kind, "step": step, **short}, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._file.name}: {error.strerror or error}") from None

    def close(self) -> None:
        self._file.close()


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, list):
        return [_short(item) for item in value]
    return value
