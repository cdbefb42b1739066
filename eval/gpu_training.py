"""Parts of `eval.on_gpu` that train, make weights of what was trained, and code a clip with them."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from nvcodec.errors import InputError, OutputError

PIECE = 400.0  # seconds of training in one part
CONDITIONAL = "conditional-"  # before sizes of models of predicted frames
CURVE = (8, 20, 32, 44, 56)  # qualities of a rate-distortion curve
STRUCTURES = ("low-delay", "random-access")
# Of models of predicted frames: short chains first, long ones at small crops behind.
_SHORT = ("--frames", "4", "--batch", "8", "--crop", "192", "--lr", "0.003", "--decay", "0.3")
_LONG = ("--frames", "7", "--batch", "8", "--crop", "160", "--lr", "0.003", "--warm-up", "0.005")


@dataclass(frozen=True)
class Part:
    """One piece of work: a command that prints what it found as a JSON object on its last line."""

    name: str
    command: tuple[str, ...]
    limit: float  # seconds


@dataclass(frozen=True)
class _Stage:
    name: str
    run: Path
    options: tuple[str, ...]


def training_parts(corpus: Path, out: Path, size: str, seconds: float, start: str | None = None) -> list[Part]:
    """Training of the trained codecs, ``seconds`` a stage, in pieces that each go on from the last one's checkpoint,
    and weights of it in OUT/weights.

    ``corpus`` is a packed folder; ``start`` a file of weights to begin with instead of the stages before. A run that
    is carried to another machine under OUT goes on there.
    """
    found = []
    stages = _predicted_stages(out, size, start) if size.startswith(CONDITIONAL) else _stages(out, size, start)
    script = (sys.executable, "-m", "nvcodec.training")
    for stage in stages:
        shared = ("--model", size, *stage.options, "--seconds", f"{seconds:g}", "--stop-after", f"{PIECE:g}")
        pieces = math.ceil(seconds / PIECE)
        for piece in range(pieces):
            name = f"train {size} {stage.name} {seconds:g} s {piece + 1}/{pieces}"
            command = (*script, "train", str(corpus), str(stage.run), *shared)
            found.append(Part(name, command, PIECE + 100))
    told = ("--corpus", str(corpus), "--clips", "16")
    export = (*script, "export", str(stages[-1].run), str(out / "weights"), *told)
    return [*found, Part(f"export {size} {seconds:g} s", export, 480)]


def _stages(out: Path, size: str, start: str | None) -> list[_Stage]:
    intra, inter = (out / f"train_{size}_{stage}" for stage in ("intra", "inter"))
    if start is not None:
        return [_Stage("inter", inter, ("--stage", "inter", "--start-from", start))]
    behind = ("--stage", "inter", "--start-from", str(intra))
    return [_Stage("intra", intra, ("--stage", "intra")), _Stage("inter", inter, behind)]


def _predicted_stages(out: Path, size: str, start: str | None) -> list[_Stage]:
    short, long = (out / f"train_{size}_{stage}" for stage in ("short", "long"))
    stages = [] if start is not None else [_Stage("short", short, ("--stage", "inter", *_SHORT))]
    behind = ("--start-from", start if start is not None else str(short))
    return [*stages, _Stage("long", long, ("--stage", "inter", *_LONG, *behind))]


def curve_parts(clip: Path, out: Path, model: Path | None = None) -> list[Part]:
    """A rate-distortion curve of the conditional codec in both structures: each point coded, then decoded.

    ``model`` is a file of weights, or a folder whose newest one is meant; the one that ships if left out.
    """
    worker, found = (sys.executable, "-m", "eval.gpu_parts"), []
    of = () if model is None else ("--model", str(model))
    label = "" if model is None else f" {model.stem}"
    for structure in STRUCTURES:
        for quality in CURVE:
            name = f"conditional{label} {structure} q{quality}"
            files = (str(clip), str(out / f"{clip.stem}.{name.replace(' ', '_')}.npz"), "--codec", "conditional", *of)
            effort = ("--quality", str(quality), "--preset", "faster", "--structure", structure)
            found.append(Part(f"fit {name}", (*worker, "fit", *files, *effort), 300))
            found.append(Part(f"decode {name}", (*worker, "decode", *files), 240))
    return found


def pack_part(source: Path, corpus: Path) -> Part:
    """A corpus of a file of joined clips, by OpenCV."""
    command = (sys.executable, "-m", "nvcodec.training", "pack", str(source), str(corpus))
    return Part(f"pack {source.name}", command, 480)


def subset_rows(clips: Path, rows: Path, target: Path) -> None:
    """Write the rows of those clips of a joined file that a smaller one has, as packing looks for them beside it.

    ``clips`` is a JSON list of numbers of clips, ``rows`` the JSON list of all of them. Without the names of sources
    clips of one source would be trained on and held out. Raises InputError or OutputError.
    """
    try:
        every = json.loads(rows.read_text(encoding="utf-8"))
        chosen = [every[number] for number in json.loads(clips.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise InputError(f"{clips}, {rows}: no list of clips and rows for them: {error}") from None
    try:
        target.write_text(json.dumps(chosen) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror or error}") from None
