"""Runs a command for `nvcodec.study.processes` and reports its time and memory.

``python spawn.py STUDY REPORT COMMAND...``, STUDY being the process that must not be outlived.

A program of its own because Linux counts the memory of the process that forks into the peak of its child: measured from
a parent that has torch loaded, nothing would ever seem to need less than torch. This one needs 10 MB.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1


def end_with(study: int) -> None:
    """Where Linux allows it, the command ends when the study is killed: an orphan would share the next run's cores.

    No signal tells of a study that ended before the kernel was asked for one: then this process has another parent.
    """
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if hasattr(os, "getppid") and os.getppid() != study:
        sys.exit("the study has ended")


def main() -> None:
    """Runs the command of the arguments."""
    report, command = sys.argv[2], sys.argv[3:]
    end_with(int(sys.argv[1]))
    start = time.perf_counter()
    try:
        child = os.posix_spawnp(command[0], command, os.environ)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    measured = {"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}
    with open(report, "w") as file:
        json.dump(measured, file)


if __name__ == "__main__":
    main()
