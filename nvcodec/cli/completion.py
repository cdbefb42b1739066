"""``nvcodec completion``: a script that completes commands, options and their values in a shell."""

from __future__ import annotations

from argparse import Namespace

from nvcodec.cli.messages import Messages, write_line
from nvcodec.cli.options import Choice
from nvcodec.cli.parser import Parser

SHELLS = ("bash", "zsh")
EXAMPLES = (
    ('eval "$(nvcodec completion bash)"', "in ~/.bashrc"),
    ('eval "$(nvcodec completion zsh)"', "in ~/.zshrc, behind compinit"),
)
_BASH = """_nvcodec() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{commands} --help --version" -- "$word"))
    return
  fi
  case "$command $before" in
{values}
  esac
  case "$word" in
    -*) case "$command" in
{options}
      esac ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}}
complete -o filenames -F _nvcodec nvcodec"""


def parser() -> Parser:
    made = Parser("completion", "SHELL", "Print a script that completes nvcodec's command lines.", EXAMPLES)
    files = made.add_argument_group("arguments")
    files.add_argument("shell", metavar="SHELL", type=Choice(SHELLS), help=" or ".join(SHELLS))
    made.add_output_options("no effect here")
    return made


def run(given: Namespace, messages: Messages) -> int:
    if given.shell == "zsh":  # zsh runs bash's completions
        write_line(messages.stdout, "autoload -U +X bashcompinit && bashcompinit")
    write_line(messages.stdout, script())
    return 0


def script() -> str:
    """The bash script, from the same parsers that read the command line."""
    from nvcodec.cli.app import COMMANDS, command_module

    values, options = [], []
    for name in COMMANDS:
        made: Parser = command_module(name).parser()
        flags = [flag for action in made._actions for flag in action.option_strings if flag.startswith("--")]
        options.append(_case(name, flags))
        for action in made._actions:
            if isinstance(action.type, Choice):
                values += [
                    f'    "{name} {flag}") {_reply(action.type.names)}; return ;;'
                    for flag in action.option_strings or [name]
                ]
    return _BASH.format(commands=" ".join(COMMANDS), values="\n".join(values), options="\n".join(options))


def _reply(words: list[str] | tuple[str, ...]) -> str:
    return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word"))'


def _case(name: str, words: list[str]) -> str:
    return f"        {name}) {_reply(words)} ;;"
