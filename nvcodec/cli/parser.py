"""argparse with help that leads with examples, errors of our own kind, and the nearest option on a typo."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from nvcodec.errors import UsageError

_NEGATIVE_RANGE = re.compile(r"-\d+:(-?\d+)?")


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=24, width=min(100, help_width()))


def help_width() -> int:
    """Columns for help texts."""
    return max(40, shutil.get_terminal_size((80, 24)).columns - 2)


class Parser(argparse.ArgumentParser):
    """The parser of one command. ``examples`` are (command line, what it does) pairs; ``notes`` end the help."""

    def __init__(
        self, command: str, arguments: str, summary: str, examples: Sequence[tuple[str, str]], notes: str = ""
    ) -> None:
        super().__init__(
            prog=f"nvcodec {command}",
            usage=f"nvcodec {command} [OPTIONS] {arguments}".rstrip(),
            add_help=False,
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        self.summary, self.examples, self.notes = summary, examples, notes

    def add_output_options(self, json_help: str) -> None:
        """The options that every command has."""
        group = self.add_argument_group("messages")
        group.add_argument("--json", action="store_true", help=json_help)
        group.add_argument("-q", "--quiet", action="store_true", help="show errors only")
        group.add_argument("-v", "--verbose", action="store_true", help="show more, and tracebacks of errors")
        group.add_argument("-h", "--help", action="help", help="show this help")

    def add_overwrite(self, group: Any) -> None:
        group.add_argument("-y", "--yes", action="store_true", help="overwrite the output if it exists")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """As ``parse_args``; raises :class:`UsageError`."""
        arguments = self._join_negative(arguments)
        self._check_options(arguments)
        given, rest = self.parse_known_args(arguments)
        if rest:
            self.error(f"unexpected argument {rest[0]!r}")
        return given

    def _join_negative(self, arguments: Sequence[str]) -> list[str]:
        """``--frames -8:`` as ``--frames=-8:``: argparse takes what begins so for an option."""
        joined: list[str] = []
        for argument in arguments:
            action = self._option_string_actions.get(joined[-1]) if joined and "--" not in joined else None
            if action is not None and action.nargs is None and _NEGATIVE_RANGE.fullmatch(argument):
                joined[-1] += f"={argument}"
            else:
                joined.append(argument)
        return joined

    def _check_options(self, arguments: Sequence[str]) -> None:
        """Name an unknown option before a missing argument: a typo is the cause, the other its effect."""
        known = self._option_string_actions
        for argument in arguments:
            if argument == "--":
                return
            name = argument.partition("=")[0]
            if argument.startswith("--") and " " not in name and name not in known:
                self.error(f"there is no option {name}{did_you_mean(name, list(known))}")

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ").replace("the following arguments are required: ", "missing: ")
        raise UsageError(f"{message} (see {self.prog} --help)")

    def format_help(self) -> str:
        formatter = self._get_formatter()
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_arguments(group._group_actions)
            formatter.end_section()
        body = formatter.format_help()
        parts = [self.summary, format_examples(self.examples), f"usage: {self.usage}", body, self.notes]
        return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """ "; did you mean X?" with the nearest of ``known``, or nothing."""
    begun = [other for other in known if len(name) > 3 and other.startswith(name)]
    near = begun[:1] or get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def format_examples(examples: Sequence[tuple[str, str]]) -> str:
    """Commands with what they do in a column beside them; below those that are too long for it."""
    width = help_width()
    column = max((len(line) for line, _ in examples if len(line) <= width * 2 // 3), default=0)
    rows = []
    for line, what in examples:
        fits = len(line) <= column and column + 4 + len(what) <= width
        rows.append(f"  {line:{column}}  {what}" if fits else f"  {line}\n      {what}")
    return "examples:\n" + "\n".join(rows)
