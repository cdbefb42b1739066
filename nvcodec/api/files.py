"""Paths and pipes of the public calls: what may be read and written, and how a result gets its name at the end."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nvcodec.errors import InputError, OutputError, UsageError

PIPE = "-"


def is_pipe(name: str | Path) -> bool:
    return str(name) == PIPE


def part_path(target: str | Path) -> Path:
    """Where work goes until it is whole."""
    return Path(f"{target}.part")


def check_source(source: str | Path) -> None:
    """Raise :class:`InputError` unless ``source`` can be read as a file."""
    if is_pipe(source):
        return
    path = Path(source)
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read: permission denied")


def check_target(source: str | Path, target: str | Path, overwrite: bool) -> None:
    """Raise :class:`UsageError` or :class:`OutputError` before any work is done in vain."""
    if is_pipe(target):
        return
    path = Path(target)
    if not is_pipe(source) and path.exists() and Path(source).exists() and path.samefile(source):
        raise UsageError(f"input and output are the same file: {path}")
    if path.is_dir():
        raise OutputError(f"{path} is a folder, not a file")
    if path.exists() and not overwrite and stat.S_ISREG(path.stat().st_mode):
        raise UsageError(f"{path} exists; -y overwrites it")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write {path}: permission denied")


def os_error(path: str | Path, error: OSError) -> OutputError:
    """One line for a failed write."""
    if error.errno == errno.ENOSPC:
        return OutputError(f"cannot write {path}: the disk is full")
    return OutputError(f"cannot write {path}: {error.strerror or error}")


@contextmanager
def open_output(path: Path, mode: str) -> Iterator[BinaryIO]:
    """A file for writing whose errors are :class:`OutputError`."""
    try:
        file = open(path, mode)  # noqa: SIM115
    except OSError as error:
        raise os_error(path, error) from error
    try:
        yield file  # type: ignore[misc]
    finally:
        file.close()


def finish(part: Path, target: Path) -> None:
    """Give a whole result its name."""
    try:
        os.replace(part, target)
    except OSError as error:
        raise os_error(target, error) from error


def stdin_bytes() -> BinaryIO:
    return sys.stdin.buffer


def stdout_bytes() -> BinaryIO:
    return sys.stdout.buffer


def source_fingerprint(source: str | Path) -> dict[str, str]:
    """Size and BLAKE2b digest of a source file; nothing for a pipe."""
    if is_pipe(source):
        return {}
    digest = hashlib.blake2b(digest_size=16)
    with open(source, "rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
        size = file.tell()
    return {"source bytes": str(size), "source digest": digest.hexdigest()}
