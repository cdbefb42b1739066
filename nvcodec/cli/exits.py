"""The exit codes, said once: help texts, the documents and the tests read them here."""

from __future__ import annotations

from nvcodec import errors

INTERRUPTED, TERMINATED, HUNG_UP, PIPE_CLOSED = 130, 143, 129, 141

MEANINGS: dict[int, str] = {
    0: "done",
    1: "something unexpected; -v shows the traceback",
    errors.UsageError.exit_code: "wrong call: unknown option, two goals at once, the output exists",
    errors.InputError.exit_code: "the source cannot be read: missing, no video in it, no frames, interlaced",
    errors.FormatError.exit_code: "not an nvc file, or it breaks the specification",
    errors.DamagedError.exit_code: "the nvc file is damaged; what could be read was kept",
    errors.TruncatedError.exit_code: "the nvc file ends early; its whole groups were kept",
    errors.UnsupportedError.exit_code: "the nvc file needs a newer version of nvcodec, or weights that are not here",
    errors.LimitError.exit_code: "decoding would cost more than the limits allow; nothing was allocated",
    errors.OutputError.exit_code: "the result cannot be written: no folder, no permission, a full disk",
    errors.ResumeError.exit_code: "OUT.part is of another source or settings, in use, or missing",
    errors.GoalError.exit_code: "--size, --bpp or --psnr could not be met; the nearest result was kept",
    errors.StudyError.exit_code: "points of a study failed; the others were kept, the same call tries again",
    errors.WorkerError.exit_code: "workers kept being killed, out of memory mostly; what was coded is kept in OUT.part",
    HUNG_UP: "the terminal was closed (SIGHUP); what was coded is kept in OUT.part",
    INTERRUPTED: "stopped by Ctrl-C; what was coded is kept in OUT.part, what was measured in OUT, a training in RUN",
    PIPE_CLOSED: "the reader of the output pipe has gone",
    TERMINATED: "stopped by SIGTERM; what was coded is kept in OUT.part",
}


def table() -> str:
    """The exit codes as lines of help."""
    return "exit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())


def short() -> str:
    """One line for the help of a single command."""
    return "Exit codes are listed by: nvcodec --help"
