"""Command-line arguments out of settings, and what ``pack`` prints: shared by all that pack or train."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from nvcodec.training.packing import Packing, Read, find_sources, pack


def add_fields(parser: argparse.ArgumentParser, kind: Any) -> None:
    """An option for each field of a dataclass whose fields all have defaults of simple types."""
    for field in fields(kind):
        name = "--" + field.name.replace("_", "-")
        text = str(field.metadata["help"]).replace("%", "%%")
        parser.add_argument(name, type=type(field.default), default=field.default, help=text)


def from_fields(kind: Any, given: argparse.Namespace) -> Any:
    """The dataclass with the values that were given. Raises UsageError where it refuses them."""
    return kind(**{field.name: getattr(given, field.name) for field in fields(kind)})


def add_packing(parser: argparse.ArgumentParser) -> None:
    """Arguments of :func:`run_packing`."""
    parser.add_argument("sources", nargs="+", type=Path, help="folders and files of videos and pictures")
    parser.add_argument("out", type=Path, help="folder to make")
    add_fields(parser, Packing)


def run_packing(given: argparse.Namespace, read: Read) -> int:
    """Pack and say what was packed. Raises InputError, OutputError or UsageError."""
    packed = pack(find_sources(given.sources), given.out, read, from_fields(Packing, given))
    for line in packed.skipped:
        print(f"left out: {line}", file=sys.stderr)
    for frames, sources in sorted(packed.items.items()):
        print(f"{len(sources)} clips of {frames} frames from {len(set(sources))} sources")
    return 0
