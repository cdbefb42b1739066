"""Runs a command in a fresh process and measures its wall clock, memory and output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvcodec.errors import NvcodecError

_SPAWN = Path(__file__).with_name("spawn.py")
_CALL = "import sys; from nvcodec.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Finished:
    """A process that has ended."""

    command: tuple[str, ...]
    code: int  # negative: the signal that ended it
    seconds: float  # wall clock, from before the process starts
    peak_bytes: int  # largest resident set of the process, or of the largest process it waited for
    stdout: str

    def last_object(self) -> dict[str, Any]:
        """The last line of stdout that is a JSON object.

        Raises:
            NvcodecError: there is none.
        """
        for line in reversed(self.stdout.splitlines()):
            if line.startswith("{"):
                try:
                    value = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if isinstance(value, dict):
                    return value
        raise NvcodecError(f"no JSON object on stdout of: {' '.join(self.command)}")


def run_measured(command: Sequence[str], check: bool = True, limit: float | None = None) -> Finished:
    """Runs a command, stderr passed through, and waits for it, at most ``limit`` seconds.

    Raises:
        NvcodecError: it could not be started, took too long, or ended with another code than 0 unless ``check`` is off.
    """
    command = tuple(command)
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder, "report"), Path(folder, "stdout")
        with output.open("w") as stdout:
            _run_group((sys.executable, "-ISs", str(_SPAWN), str(report), *command), stdout, limit)
        if not report.exists():
            raise NvcodecError(f"could not run: {' '.join(command)}")
        measured = json.loads(report.read_text())
        finished = Finished(command=command, stdout=output.read_text(), **measured)
    if check and finished.code != 0:
        raise NvcodecError(f"exit code {finished.code} from: {' '.join(command)}")
    return finished


def _run_group(command: Sequence[str], stdout: Any, limit: float | None) -> None:
    """Runs to the end; an interrupt or the limit ends the command and all that it started."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, process_group=0)
    try:
        process.wait(limit)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise NvcodecError(f"took longer than {limit:.0f} s: {' '.join(command[4:])}") from None
        raise


def nvcodec_command() -> tuple[str, ...]:
    """How to call ``nvcodec`` in this interpreter's environment, installed or not."""
    script = Path(sys.executable).with_name("nvcodec")
    return (str(script),) if script.exists() else (sys.executable, "-c", _CALL)


def run_nvcodec(*arguments: str, check: bool = True) -> Finished:
    """`run_measured` of ``nvcodec`` with these arguments."""
    return run_measured((*nvcodec_command(), *arguments), check)
