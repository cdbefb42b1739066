"""Runs a command in a fresh process and measures its wall clock, memory and output."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
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
    stderr: str = ""  # where it was captured

    @property
    def ended(self) -> str:
        """How it ended, in words."""
        return f"exit code {self.code}" if self.code >= 0 else f"signal {-self.code}"

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


def run_measured(
    command: Sequence[str],
    check: bool = True,
    limit: float | None = None,
    capture: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a command and waits for it, at most ``limit`` seconds.

    stderr is passed through, or with ``capture`` kept back; its last line then is part of the error. ``environment``
    holds variables beside this process's own.

    Raises:
        NvcodecError: it could not be started, took too long, or ended with another code than 0 unless ``check`` is off.
    """
    command = tuple(command)
    with tempfile.TemporaryDirectory() as folder:
        report, output, errors = (Path(folder, name) for name in ("report", "stdout", "stderr"))
        with output.open("w") as stdout, errors.open("w") as stderr:
            spawn = (sys.executable, "-ISs", str(_SPAWN), str(os.getpid()), str(report), *command)
            _run_group(spawn, stdout, stderr if capture else None, limit, {**os.environ, **(environment or {})})
        if not report.exists():
            raise NvcodecError(f"could not run: {' '.join(command)}")
        try:
            measured = json.loads(report.read_text())
        except ValueError:
            raise NvcodecError(f"no room in {folder} for the report of: {' '.join(command)}") from None
        said, complained = (file.read_text(errors="replace") for file in (output, errors))
        finished = Finished(command=command, stdout=said, stderr=complained, **measured)
    if check and finished.code != 0:
        last = complained.strip().splitlines()[-1:]
        why = f"{last[0]} ({finished.ended})" if last else finished.ended
        raise NvcodecError(f"{why} from: {' '.join(command)}")
    return finished


_running: set[int] = set()  # process groups, so that an interrupted study can end what its threads wait for
_lock = threading.Lock()


def kill_running() -> None:
    """Ends every command that any thread waits for in `run_measured`."""
    with _lock:
        for group in _running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def _run_group(
    command: Sequence[str], stdout: Any, stderr: Any, limit: float | None, environment: Mapping[str, str]
) -> None:
    """Runs to the end; an interrupt or the limit ends the command and all that it started."""
    with _lock:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, process_group=0, env=environment
        )
        _running.add(process.pid)
    try:
        process.wait(limit)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise NvcodecError(f"took longer than {limit:.0f} s: {' '.join(command[5:])}") from None
        raise
    finally:
        with _lock:
            _running.discard(process.pid)


def nvcodec_command() -> tuple[str, ...]:
    """How to call ``nvcodec`` in this interpreter's environment, installed or not."""
    script = Path(sys.executable).with_name("nvcodec")
    return (str(script),) if script.exists() else (sys.executable, "-c", _CALL)


def run_nvcodec(*arguments: str, check: bool = True) -> Finished:
    """`run_measured` of ``nvcodec`` with these arguments."""
    return run_measured((*nvcodec_command(), *arguments), check)
