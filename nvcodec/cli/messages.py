"""Where text goes: results on stdout, everything else on stderr, and JSON lines on stdout where asked for."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from os import PathLike, fspath
from typing import IO, Any, TextIO

from rich.console import Console
from rich.table import Table


def plain(value: Any) -> Any:
    """``value`` as JSON has it: dataclasses as objects, paths as text, what is not finite as null."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, PathLike):
        return fspath(value)
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


class Messages:
    """All that a command says. With ``json``, stdout carries one object a line, each with a ``type``."""

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.json, self.quiet, self.verbose = json, quiet, verbose
        self.stdout, self.stderr = sys.stdout, sys.stderr

    def object(self, type: str, fields: Any) -> None:
        """One JSON line on stdout, at once; nothing without ``json``."""
        if self.json:
            line = json.dumps({"type": type, **plain(fields)}, ensure_ascii=False, allow_nan=False)
            write_line(self.stdout, line)

    def note(self, text: str) -> None:
        """For people; silent with ``quiet`` and beside JSON."""
        if not self.quiet and not self.json:
            write_line(self.stderr, text)

    def detail(self, text: str) -> None:
        """A note that only ``verbose`` shows."""
        if self.verbose:
            self.note(text)

    def warning(self, text: str) -> None:
        """One line on stderr, and an object."""
        self.object("warning", {"message": text})
        if not self.quiet:
            write_line(self.stderr, f"nvcodec: warning: {one_line(text)}")

    def error(self, text: str, kind: str, exit_code: int) -> None:
        """One line on stderr, and an object."""
        self.object("error", {"error": kind, "message": text, "exit_code": exit_code})
        write_line(self.stderr, f"nvcodec: error: {one_line(text)}")

    def table(self, table: Table) -> None:
        """A table on stdout, without the blanks that rich fills lines with."""
        console = self.console(self.stdout)
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            write_line(self.stdout, line.rstrip())

    def console(self, file: IO[str]) -> Console:
        """A rich console; colours only where they belong."""
        return Console(file=file, highlight=False, markup=False, emoji=False)


def write_line(stream: TextIO, text: str) -> None:
    """A line, written through; what the stream's encoding lacks is shown as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def one_line(text: str) -> str:
    """Foreign text in one line, and without the control characters by which a file could steer a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))
