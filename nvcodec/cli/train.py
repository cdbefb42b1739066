"""``nvcodec train``: train the networks of the trained codecs on a packed corpus."""

from __future__ import annotations

import signal
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nvcodec.cli import exits, train_progress
from nvcodec.cli.messages import Messages
from nvcodec.cli.options import add_settings, given_settings
from nvcodec.cli.parser import Parser
from nvcodec.cli.stop import Terminated
from nvcodec.cli.units import format_duration
from nvcodec.errors import NvcodecError
from nvcodec.training.settings import CallSettings, TrainSettings

if TYPE_CHECKING:
    from nvcodec.training.run import Ended

EXAMPLES = (
    ("nvcodec train corpus/ run1 --seconds 8h", "single pictures, stage intra"),
    ("nvcodec train corpus/ run2 --stage inter --start-from run1 --seconds 8h", "then clips"),
    ("nvcodec train corpus/ run1 --seconds 8h --stop-after 1h", "a part of it, resumed by the same call"),
    ("nvcodec train corpus/ run3 --model conditional-s --stage inter --seconds 8h", "predicted frames"),
    ("python -m nvcodec.training pack videos/ corpus/", "before: cut videos and pictures into a corpus"),
    ("python -m nvcodec.training export run2 weights/", "after: weights that codecs take"),
)
GROUPS = {
    "the plan: one of these": ("steps", "seconds"),
    "what is trained": ("stage", "model", "frames", "frozen"),
    "how it is trained": ("*",),
}
NOTES = """RUN holds log.jsonl and the last two checkpoints. The same call again goes on
where the last one stands; a larger plan makes a training longer. Ctrl-C ends
the step and saves, a second one ends at once.
Times: 90s, 5m, 8h, 1:30."""


def parser() -> Parser:
    summary = "Train the networks of the trained codecs on a packed corpus."
    made = Parser("train", "CORPUS RUN", summary, EXAMPLES, f"{NOTES}\n{exits.short()}")
    files = made.add_argument_group("files")
    files.add_argument("corpus", metavar="CORPUS", nargs="+", help="packed folders")
    files.add_argument("out", metavar="RUN", help="folder of checkpoints and the log, a new one or one to go on with")
    add_settings(made, TrainSettings, GROUPS)
    add_settings(made, CallSettings, {"this call": ("*",)})
    made.add_output_options("one JSON object a line on stdout: start, progress, validation, result, error")
    return made


def run(given: Namespace, messages: Messages) -> int:
    settings, call = given_settings(TrainSettings, given), given_settings(CallSettings, given)
    from nvcodec.training.run import run_training

    folder = Path(given.out)
    try:
        with train_progress.shown(messages) as report:
            ended = run_training([Path(place) for place in given.corpus], folder, settings, call, report)
    except BaseException as error:
        if not isinstance(error, NvcodecError) and (note := _kept(folder)):
            error.add_note(note)
        raise
    return _end(ended, folder, messages)


def _end(ended: Ended, folder: Path, messages: Messages) -> int:
    """0, or what a signal makes of the exit code; in both cases everything is saved."""
    if ended.reason.startswith("SIG"):
        number = signal.Signals[ended.reason]
        error = KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
        error.add_note(_kept(folder))
        raise error
    messages.object("result", {"run": str(folder), **vars(ended)})
    messages.note(f"{folder}: {ended.reason} at step {ended.step} after {format_duration(ended.seconds)}")
    if ended.reason == "finished":
        messages.note(f"python -m nvcodec.training export {folder} FOLDER makes weights of it")
    else:
        messages.note("the same call goes on")
    return 0


def _kept(folder: Path) -> str:
    """What a stopped training leaves behind, for people; nothing if there is no checkpoint."""
    from nvcodec.training.checkpoint import checkpoints

    found = checkpoints(folder)
    return f"step {int(found[-1].name[5:])} is saved in {folder}; the same call goes on" if found else ""
