"""``nvcodec``: finds the command, runs it, and turns what goes wrong into a line and an exit code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from nvcodec._version import __version__
from nvcodec.cli import exits, failures
from nvcodec.cli.messages import Messages
from nvcodec.cli.parser import did_you_mean, format_examples
from nvcodec.cli.stop import terminated_in_order
from nvcodec.errors import UsageError

# command -> (module of this package, what it does); a command is one file with `parser()` and `run(given, messages)`
COMMANDS: dict[str, tuple[str, str]] = {
    "encode": ("encode", "a video file into an nvc file"),
    "decode": ("decode", "an nvc file back into a video, or some of its frames"),
    "info": ("info", "what an nvc file holds"),
    "verify": ("verify", "check every checksum and hash of an nvc file"),
    "eval": ("evaluate", "measure an nvc file against its source: size, PSNR, MS-SSIM, speed"),
    "rd": ("rd", "measure rate-distortion curves of codecs and classical anchors"),
    "report": ("report", "curves, BD-rates and tables of what rd measured"),
    "train": ("train", "train the networks of the trained codecs"),
    "codecs": ("codecs", "list the codecs"),
    "completion": ("completion", "print a completion script for bash or zsh"),
}
EXAMPLES = (
    ("nvcodec encode in.mp4 out.nvc", "code a video"),
    ("nvcodec encode in.mp4 out.nvc --size 2MB", "into at most 2 MB"),
    ("nvcodec encode in.mp4 out.nvc --codec hnerv --time-budget 5m", "fitted, within 5 minutes"),
    ("nvcodec decode out.nvc out.mp4", "and back"),
    ("nvcodec decode out.nvc - | ffplay -", "play it"),
    ("nvcodec info out.nvc", "look inside"),
)
_LEADING = ("-q", "--quiet", "-v", "--verbose", "--json")  # options of every command, understood before its name too


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (default: this process's); returns the exit code and raises nothing."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    messages = _messages(arguments)
    try:
        with terminated_in_order():
            code = _run(arguments, messages)
            messages.stdout.flush()
            return code
    except BaseException as error:
        return failures.report(error, messages)


def _messages(arguments: Sequence[str]) -> Messages:
    """Made before anything is parsed, because what goes wrong in parsing is said in the same manner."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return Messages(
        json="--json" in options,
        quiet="-q" in options or "--quiet" in options,
        verbose="-v" in options or "--verbose" in options,
    )


def _run(arguments: list[str], messages: Messages) -> int:
    leading = 0
    while leading < len(arguments) and arguments[leading] in _LEADING:
        leading += 1
    shared, rest = arguments[:leading], arguments[leading:]
    if rest[:1] in (["--version"], ["-V"]):
        return import_module("nvcodec.cli.version").run(messages)
    if rest[:1] == ["help"] and len(rest) > 1:
        rest = [rest[1], "--help"]
    if not rest or rest[0] in ("-h", "--help", "help"):
        (messages.stdout if rest else messages.stderr).write(top_help())
        return 0 if rest else UsageError.exit_code
    command = command_module(rest[0])
    try:
        given = command.parser().parse([*shared, *rest[1:]])
    except SystemExit:  # argparse's, behind --help
        return 0
    with warnings.catch_warnings():
        if not messages.verbose:
            warnings.simplefilter("ignore")  # of libraries, to their callers; ours go through the results
        return int(command.run(given, messages))


def command_module(name: str) -> ModuleType:
    """The module of a command; raises :class:`UsageError` with the nearest name."""
    if name not in COMMANDS:
        _unknown(name)
    return import_module(f"nvcodec.cli.{COMMANDS[name][0]}")


def _unknown(name: str) -> NoReturn:
    if name.startswith("-"):
        raise UsageError(f"there is no option {name} before a command{did_you_mean(name, ['--version', '--help'])}")
    hint = did_you_mean(name, list(COMMANDS)) or f"; there are: {', '.join(COMMANDS)}"
    raise UsageError(f"there is no command {name!r}{hint}")


def top_help() -> str:
    """The text of ``nvcodec --help``."""
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items())
    return "\n\n".join([
        f"nvcodec {__version__}: a neural video codec with a real bitstream",
        format_examples(EXAMPLES),
        "usage: nvcodec COMMAND [OPTIONS] ARGUMENTS",
        f"commands:\n{listed}",
        "  nvcodec COMMAND --help  the options of a command\n"
        "  nvcodec --version       versions, device, precision and native features (-V)",
        exits.table(),
        "environment:\n"
        "  NO_COLOR=1                    no colours\n"
        f"  {failures.DEBUG}=1               tracebacks of errors\n"
        "  NVCODEC_NO_MALLOC_TUNING=1    leave the memory allocator as it is\n"
        "  NVCODEC_WEIGHTS=A:B           more folders and files of weights",
    ]) + "\n"  # fmt: skip
