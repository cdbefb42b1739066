"""The log of a training: a JSON object a line, flushed at once, so that it can be plotted while it grows."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
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


def validation_line(row: dict[str, Any]) -> str:
    """What clips reach at a quality: bpp and PSNR of each picture of a clip."""
    rates = " ".join(f"{value:.4f}" for value in row["bpp"])
    levels = " ".join(f"{value:.2f}" for value in row["psnr"])
    of = f" ({row['of']})" if "of" in row else ""
    return f"q {row['quality']}: bpp {rates} | dB {levels}{of}"


def csv_lines(runs: Iterable[Path], kind: str) -> Iterator[str]:
    """Rows of logs as CSV with a head: of ``kind`` "train", or one a quality and picture of a clip of "validation".

    Raises:
        InputError: a run has no log, or a damaged one.
    """
    names = ("loss", "bpp", "mse", "norm", "lr") if kind == "train" else ("quality", "position", "bpp", "psnr")
    yield _csv(("run", "step", "seconds", *names))
    for run in runs:
        path = run / LOG_NAME
        if not path.exists():
            raise InputError(f"{run}: no log of a training")
        try:
            for row in read_log(path):
                if row.get("kind") == kind:
                    yield from (
                        _csv((run.name, row["step"], row["seconds"], *values)) for values in _values(row, names)
                    )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a log of a training: {error}") from None


def _values(row: dict[str, Any], names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    if "rows" not in row:
        yield tuple(row[name] for name in names)
        return
    for each in row["rows"]:
        for position, (bpp, psnr) in enumerate(zip(each["bpp"], each["psnr"], strict=False)):
            yield each["quality"], position, bpp, psnr


def _csv(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


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
