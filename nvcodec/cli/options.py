"""Command-line options made from the fields of a settings dataclass (see :mod:`nvcodec.api.settings`)."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser, ArgumentTypeError, Namespace, _ArgumentGroup
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from difflib import get_close_matches
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from nvcodec.cli import units

Settings = TypeVar("Settings")
READERS: dict[str, tuple[Callable[[str], Any], str]] = {  # metadata["parse"] -> how to read the text, metavar
    "size": (units.parse_size, "SIZE"),
    "duration": (units.parse_duration, "TIME"),
    "range": (units.parse_range, "START:STOP"),
    "names": (units.parse_names, "A,B"),
    "numbers": (units.parse_numbers, "X,Y"),
    "shape": (units.parse_shape, "WxH"),
}
TYPES: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (units.parse_int, "N"),
    float: (units.parse_float, "X"),
    str: (str, "NAME"),
}


class Choice:
    """Reads one of a few names; a wrong one is answered with the nearest."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def __call__(self, text: str) -> str:
        if text not in self.names:
            near = get_close_matches(text, self.names, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(self.names)}"
            raise ArgumentTypeError(f"there is no {text!r}{hint}")
        return text


def add_settings(
    parser: ArgumentParser,
    settings: type,
    groups: Mapping[str, Sequence[str]],
    choices: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """One option a field, under the titles of ``groups`` (title -> field names); "*" stands for all the others.

    Options that are not given leave no trace, so that defaults are said in one place, the dataclass.
    """
    known = {f.name: f for f in fields(settings) if "help" in f.metadata}
    hints = get_type_hints(settings)
    named = {name for names in groups.values() for name in names}
    for title, names in groups.items():
        listed = [name for name in known if name not in named] if "*" in names else [n for n in names if n in known]
        group = parser.add_argument_group(title)
        for name in listed:
            _add(group, known[name], hints[name], (choices or {}).get(name))


def _add(group: _ArgumentGroup, field: Field[Any], hint: Any, choices: Sequence[str] | None) -> Action:
    flag, text = f"--{field.name.replace('_', '-')}", str(field.metadata["help"]).replace("%", "%%")
    if hint is bool:
        if field.default is True:
            return group.add_argument(
                f"--no-{flag[2:]}", dest=field.name, action="store_false", default=SUPPRESS, help=f"do not {text}"
            )
        return group.add_argument(flag, action="store_true", default=SUPPRESS, help=text)
    choices = field.metadata.get("choices") or choices
    if field.metadata.get("hidden"):
        text = SUPPRESS
    read, metavar = READERS[field.metadata["parse"]] if "parse" in field.metadata else TYPES[_plain_type(hint)]
    return group.add_argument(
        flag, type=Choice(choices) if choices else read, metavar=metavar, default=SUPPRESS, help=text
    )


def _plain_type(hint: Any) -> Any:
    """``int`` of ``int | None``."""
    found = [part for part in get_args(hint) if part is not NoneType]
    return found[0] if found else hint


def given_settings(settings: type[Settings], given: Namespace) -> Settings:
    """The settings that were given; raises :class:`nvcodec.errors.UsageError` for those that exclude one another."""
    names = [field.name for field in fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: getattr(given, name) for name in names if hasattr(given, name)})


def as_arguments(settings: Any) -> dict[str, Any]:
    """Its fields as keyword arguments of the API."""
    return {field.name: getattr(settings, field.name) for field in fields(settings)}
