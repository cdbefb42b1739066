"""Paths and pipes of the public calls: what may be read and written, and how a result gets its name at the end."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nvcodec.errors import FormatError, InputError, OutputError, ResumeError, UsageError

if sys.platform != "win32":
    import fcntl

PIPE = "-"


def is_pipe(name: str | Path) -> bool:
    return str(name) == PIPE


def is_stream(name: str | Path) -> bool:
    """True for what can be read or written once, in order: "-", a named pipe, a device."""
    return is_pipe(name) or (os.path.exists(name) and not os.path.isfile(name))


def part_path(target: str | Path) -> Path:
    """Where work goes until it is whole."""
    return Path(f"{target}.part")


def private_part_path(target: str | Path) -> Path:
    """Where a decode's work goes: no other process's, and no encode's part."""
    return Path(f"{target}.{os.getpid()}.part")


def check_source(source: str | Path, pipe: bool = True) -> None:
    """Raise :class:`InputError` unless ``source`` can be read; :class:`UsageError` for a pipe where none will do."""
    if is_pipe(source) and pipe:
        return
    if is_stream(source) and not pipe and not Path(source).is_dir():
        raise UsageError(f"{source}: this needs a file, not a pipe")
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
    part = part_path(path)
    if not is_pipe(source) and part.exists() and Path(source).exists() and part.samefile(source):
        raise UsageError(f"the input is where work on the output would go: {part}")
    if path.is_dir():
        raise OutputError(f"{path} is a folder, not a file")
    if path.exists() and not overwrite and stat.S_ISREG(path.stat().st_mode):
        raise UsageError(f"{path} exists; -y overwrites it")
    if is_stream(path):
        return
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


def open_source(path: str | Path) -> BinaryIO:
    """A file for reading; raises :class:`InputError`."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


@contextmanager
def open_output(path: Path, mode: str) -> Iterator[BinaryIO]:
    """A file for writing whose errors are :class:`OutputError`."""
    try:
        file = open(path, mode)  # noqa: SIM115
    except OSError as error:
        raise os_error(path, error) from error
    try:
        yield file  # type: ignore[misc]
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    try:
        file.close()
    except OSError as error:
        raise os_error(path, error) from error


@contextmanager
def open_part(part: Path, keep: bool) -> Iterator[BinaryIO]:
    """The part of an encode for reading and writing, locked against other encodes; emptied unless ``keep``.

    Raises :class:`ResumeError` at once, and changes nothing, if another encode is writing it. Whoever finishes names
    the file while the lock is held, so that no one else's open file becomes the result.
    """
    file = _open_locked(part)
    try:
        if not keep:
            file.truncate(0)
        yield file
    finally:
        with suppress(OSError):  # all that counts was written through before
            file.close()


def _open_locked(part: Path) -> BinaryIO:
    while True:
        try:
            file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b")
        except OSError as error:
            raise os_error(part, error) from error
        try:
            _lock(file, part)
            if os.path.exists(part) and os.path.samestat(os.fstat(file.fileno()), os.stat(part)):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # it was given its name, or removed, between opening and locking


def _lock(file: BinaryIO, part: Path) -> None:
    if sys.platform == "win32":  # no such locks
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ResumeError(f"another encode is writing {part}") from error
    except OSError:  # a file system without locks
        return


def check_free(part: Path) -> None:
    """Raise :class:`ResumeError` if another encode is writing the file ``part``."""
    with open_source(part) as file:
        _lock(file, part)


def copy_into(source: Path, file: BinaryIO) -> None:
    """All bytes of ``source`` into an open file; raises :class:`InputError` or :class:`OutputError`."""
    with open_source(source) as old:
        try:
            shutil.copyfileobj(old, file)
            file.flush()
        except OSError as error:
            raise os_error(source, error) from error


def sync(file: BinaryIO) -> None:
    """Have the disk hold what was written, where there is a disk behind the file."""
    with suppress(OSError, ValueError, AttributeError):  # pipes, and streams without a descriptor
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def named(source: str | Path) -> Iterator[None]:
    """Put the file's name before what :class:`FormatError` and its kin say."""
    try:
        yield
    except FormatError as error:
        raise type(error)(f"{source}: {error}") from error


def finish(part: Path, target: Path) -> None:
    """Give a whole result its name; where that is a link, the file that it points to."""
    try:
        os.replace(part, os.path.realpath(target))
    except OSError as error:
        raise os_error(target, error) from error


def remove_empty(part: Path) -> None:
    """Leave no part behind that holds nothing."""
    with suppress(OSError):
        if part.stat().st_size == 0:
            part.unlink()


def stdin_bytes() -> BinaryIO:
    """Standard input; raises :class:`InputError` if that is a terminal, where one would wait for ever."""
    if sys.stdin.isatty():
        raise InputError("standard input is a terminal; pipe a stream into it")
    return sys.stdin.buffer


def stdout_bytes() -> BinaryIO:
    """Standard output; raises :class:`OutputError` if that is a terminal."""
    if sys.stdout.isatty():
        raise OutputError("standard output is a terminal; pipe it somewhere or name a file")
    return sys.stdout.buffer


def source_fingerprint(source: str | Path) -> dict[str, str]:
    """Size and BLAKE2b digest of a source file; nothing for a pipe."""
    if is_stream(source):
        return {}
    digest = hashlib.blake2b(digest_size=16)
    with open_source(source) as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
        size = file.tell()
    return {"source bytes": str(size), "source digest": digest.hexdigest()}
