"""The seven sequences of the UVG benchmark, found in a user's folder and checked.

Mercat, Viitanen and Vanne, "UVG dataset: 50/120fps 4K sequences for video codec analysis and development" (MMSys 2020).
Published comparisons use the seven of the first release, 1920x1080, 120 frames a second, 8-bit 4:2:0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eval.uvg_check import Expected, Found, examine
from nvcodec.errors import InputError

FRAMES: dict[str, int] = {
    "Beauty": 600,
    "Bosphorus": 600,
    "HoneyBee": 600,
    "Jockey": 600,
    "ReadySteadyGo": 600,
    "ShakeNDry": 300,
    "YachtRide": 600,
}
SEQUENCES = tuple(FRAMES)
SHAPE = (1920, 1080)
SUFFIXES = (".yuv", ".y4m", ".mp4", ".mkv")
WHERE = "ultravideo.fi, the dataset page of the Ultra Video Group (CC BY-NC), 1080p 8-bit YUV archives (.7z)"
_MARKS = {  # letters of a file name, without case and punctuation, that mean a sequence
    "Beauty": ("beauty",),
    "Bosphorus": ("bosphorus", "bosporus"),
    "HoneyBee": ("honeybee",),
    "Jockey": ("jockey",),
    "ReadySteadyGo": ("readysteadygo", "readysetgo", "readysteady"),
    "ShakeNDry": ("shakendry", "shakeanddry", "shakedry"),
    "YachtRide": ("yachtride",),
}


@dataclass
class Survey:
    """What a folder holds: files that fit, and a line for each sequence that has none."""

    found: dict[str, Path] = field(default_factory=dict)  # in the benchmark's order
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # of files that are taken, but make numbers differ


def sequence_of(name: str) -> str | None:
    """The sequence that a file name speaks of, whatever its spelling; None if it is none of them, or two."""
    letters = re.sub(r"[^a-z]", "", name.lower())
    said = [sequence for sequence, marks in _MARKS.items() if any(mark in letters for mark in marks)]
    return said[0] if len(said) == 1 else None


def expected(any_shape: bool = False) -> dict[str, Expected]:
    """What each sequence must be; with ``any_shape`` nothing but a video."""
    if any_shape:
        return dict.fromkeys(SEQUENCES, Expected(None, None))
    return {name: Expected(SHAPE, frames) for name, frames in FRAMES.items()}


def survey(folder: Path, wanted: Mapping[str, Expected] | None = None, md5: Mapping[str, str] | None = None) -> Survey:
    """Looks for each wanted sequence in a folder and in the folders right below it (archives unpack so).

    ``md5`` maps file names to what their bytes must hash to.

    Raises:
        InputError: there is no such folder.
    """
    wanted = expected() if wanted is None else wanted
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; UVG is had from {WHERE}")
    named: dict[str, list[Path]] = {}
    for path in _videos(folder):
        if (sequence := sequence_of(path.name)) is not None:
            named.setdefault(sequence, []).append(path)
    result = Survey()
    for sequence, expectation in wanted.items():
        _choose(sequence, named.get(sequence, []), expectation, md5, result)
    return result


def find_sequences(
    folder: Path,
    wanted: Mapping[str, Expected] | None = None,
    md5: Mapping[str, str] | None = None,
    strict: bool = False,
) -> dict[str, Path]:
    """The file of each sequence, in the benchmark's order.

    Raises:
        InputError: no such folder; a sequence is missing, ambiguous or not what it must be, if ``strict``;
            none is there.
    """
    result = survey(folder, wanted, md5)
    require(result, folder, strict)
    return result.found


def require(result: Survey, folder: Path, strict: bool = False) -> None:
    """Raises InputError, in one line, if there is no sequence to run, or one lacks and all are wanted (``strict``)."""
    total = len(result.found) + len(result.problems)
    if not result.found and all(line.endswith(_MISSING) for line in result.problems):
        raise InputError(f"{folder}: none of UVG's {total} sequences is here; they are had from {WHERE}")
    if result.problems and (strict or not result.found):
        raise InputError(f"{folder}: {'; '.join(result.problems)}")


_MISSING = "missing"


def _videos(folder: Path) -> Iterator[Path]:
    inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    for path in inside:
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            yield path
        elif path.is_dir():
            files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
            yield from (p for p in files if p.suffix.lower() in SUFFIXES)


def _choose(
    sequence: str, paths: Iterable[Path], wanted: Expected, md5: Mapping[str, str] | None, result: Survey
) -> None:
    """Files of other sizes or depths may lie beside the right one; two that fit are ambiguous."""
    examined: list[Found] = [examine(path, wanted) for path in paths]
    fitting = [file for file in examined if not file.problem]
    if len(fitting) > 1:
        names = ", ".join(file.path.name for file in fitting)
        result.problems.append(f"{sequence}: {len(fitting)} files fit ({names}); leave one")
    elif fitting:
        _take(sequence, fitting[0], md5, result)
    elif examined:
        result.problems.append("; ".join(f"{file.path.name} {file.problem}" for file in examined))
    else:
        result.problems.append(f"{sequence}: {_MISSING}")


def _take(sequence: str, file: Found, md5: Mapping[str, str] | None, result: Survey) -> None:
    problem = "" if md5 is None else file.md5_problem(md5)
    if problem:
        result.problems.append(f"{file.path.name} {problem}")
        return
    result.found[sequence] = file.path
    if file.note:
        result.notes.append(f"{file.path.name} {file.note}")
