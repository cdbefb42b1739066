"""Finds an ffmpeg program, says what it can do, and runs it as a measured process."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from nvcodec.errors import NvcodecError, UsageError
from nvcodec.study.processes import Finished, run_measured

VARIABLE = "NVCODEC_FFMPEG"
HINT = "pip install 'nvcodec[study]'"
_QUERY_SECONDS = 60
_NOISE = re.compile(r"warn|info\]", re.IGNORECASE)
_CONTEXT = re.compile(r"^(\[[^\]]*\] ?)+")  # "[libx264 @ 0x55d4da304f80] "


@dataclass(frozen=True)
class Ffmpeg:
    """One ffmpeg program."""

    path: str
    version: str  # as its first line says it: "7.1.1", "n8.0"

    @cached_property
    def encoders(self) -> frozenset[str]:
        """Names of its encoders, as ``libx264``."""
        return self._names("-encoders")

    @cached_property
    def filters(self) -> frozenset[str]:
        """Names of its filters, as ``libvmaf``."""
        return self._names("-filters")

    def pixel_formats(self, encoder: str) -> frozenset[str]:
        """The pixel formats that an encoder takes; empty where it does not say, or is not there."""
        text = _asked(self.path, "-hide_banner", "-h", f"encoder={encoder}")
        found = re.search(r"Supported pixel formats: (.*)", text)
        return frozenset(found[1].split()) if found else frozenset()

    def _names(self, option: str) -> frozenset[str]:
        lines = _asked(self.path, "-hide_banner", option).splitlines()
        return frozenset(line[1] for line in map(str.split, lines) if len(line) > 2 and line[1] != "=")


def find_ffmpeg() -> Ffmpeg:
    """The program that NVCODEC_FFMPEG names, else that of the wheel imageio-ffmpeg, else ``ffmpeg`` on the path.

    Raises:
        UsageError: there is none, or it does not run.
    """
    return _found(os.environ.get(VARIABLE) or None, os.environ.get("PATH"))


@cache
def _found(named: str | None, path: str | None) -> Ffmpeg:
    program = shutil.which(named, path=path) if named else _of_wheel() or shutil.which("ffmpeg", path=path)
    if program is None and named:
        raise UsageError(f"{VARIABLE}: {named} is no program")
    if program is None:
        raise UsageError(f"there is no ffmpeg, which classical anchors need: {HINT}, or name one in {VARIABLE}")
    first = _asked(program, "-version").partition("\n")[0]
    found = re.match(r"ffmpeg version (\S+)", first)
    if not found:
        raise UsageError(f"{program} is no ffmpeg that runs" + (f" ({VARIABLE})" if named else ""))
    return Ffmpeg(program, found[1])


def _of_wheel() -> str | None:
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # no such wheel, or one without a program for this platform
        return None


@cache
def _asked(program: str, *options: str) -> str:
    """What it prints on stdout; nothing where it fails."""
    try:
        done = subprocess.run(
            (program, *options), stdin=subprocess.DEVNULL, capture_output=True, timeout=_QUERY_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


def ffmpeg_python() -> Any:
    """The module ``ffmpeg`` of the package ffmpeg-python, which composes commands.

    Raises:
        UsageError: it is not installed, or another package of that name is.
    """
    try:
        module = importlib.import_module("ffmpeg")
    except ImportError:
        module = None
    if not hasattr(module, "compile"):
        raise UsageError(f"the package ffmpeg-python, which studies need, is not installed: {HINT}")
    return module


def run_ffmpeg(command: Sequence[str]) -> Finished:
    """`run_measured` of an ffmpeg command, whose complaints become the error.

    Raises:
        NvcodecError: it failed; the message is ffmpeg's own first one, which names the cause.
    """
    finished = run_measured(command, check=False, capture=True)
    if finished.code != 0:
        raise NvcodecError(f"ffmpeg: {complaint(finished.stderr) or 'it failed'} ({finished.ended})")
    return finished


def complaint(said: str) -> str:
    """The line of ffmpeg's stderr that names the cause: the first that is no warning, without its context.

    What follows the first error in a log of ffmpeg is what fails because of it.
    """
    lines = [_CONTEXT.sub("", line).strip() for line in said.splitlines() if not _NOISE.search(line)]
    return next((line for line in lines if line), "")
