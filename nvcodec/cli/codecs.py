"""``nvcodec codecs``: what ``--codec`` can name."""

from __future__ import annotations

import ast
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

from nvcodec.cli.messages import Messages, write_line
from nvcodec.cli.parser import Parser
from nvcodec.codecs.registry import AUTO, CODECS

EXAMPLES = (("nvcodec codecs", "a list"), ("nvcodec codecs --json", "one object a codec"))


def parser() -> Parser:
    made = Parser("codecs", "", "List the codecs: names, numbers in the stream, what they are.", EXAMPLES)
    made.add_output_options("one JSON object a line on stdout, one a codec")
    return made


def run(given: Namespace, messages: Messages) -> int:
    width = max(map(len, CODECS))
    for name, (number, target) in CODECS.items():
        what = described(target.partition(":")[0])
        messages.object("codec", {"name": name, "id": number, "default": name == AUTO, "description": what})
        if not messages.json:
            mark = " (default)" if name == AUTO else ""
            write_line(messages.stdout, f"{name:{width}}  {number:>5}  {what}{mark}")
    return 0


def described(module: str) -> str:
    """The first line of a module's docstring, read without importing it, which would take torch."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    line = text.partition("\n")[0]
    return (line.partition(": ")[2] or line).rstrip(".") if line.startswith("`") else line.rstrip(".")
