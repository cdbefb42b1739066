"""Codecs of ours as a study runs them: the real commands, each in a fresh process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nvcodec._version import __version__
from nvcodec.container import Reader
from nvcodec.container.group import UnitSpan
from nvcodec.study.coded import Coded, GroupBits, Source, shown
from nvcodec.study.durations import duration_text
from nvcodec.study.processes import nvcodec_command, run_measured
from nvcodec.study.settings import StudySettings
from nvcodec.study.specs import NeuralSpec


def encode(
    spec: NeuralSpec, quality: float, source: Source, folder: Path, threads: int, settings: StudySettings
) -> Coded:
    """Encodes ``source.clip`` at a quality and decodes it to y4m, both in ``folder``.

    Raises:
        NvcodecError: a command failed; its own last words are the text.
    """
    file, decoded = folder / "coded.nvc", folder / "decoded.y4m"
    shared = ("--threads", str(threads), "--device", settings.device, "-y")
    goal = ("--quality", f"{quality:g}", "--codec", spec.codec, *_effort(spec, settings), "--no-audio")
    program, variables = nvcodec_command(), _environment(spec)
    encode_command = (*program, "encode", str(source.clip), str(file), *goal, *shared)
    decode_command = (*program, "decode", str(file), str(decoded), *shared)
    encoded = run_measured((*encode_command, "--json"), capture=True, environment=variables)
    decode = run_measured((*decode_command, "--quiet"), capture=True, environment=variables)
    video_bytes, groups, frame_bits = _bits(file)
    return Coded(
        file=file,
        video_bytes=video_bytes,
        decoded=decoded,
        encode=encoded,
        decode=decode,
        command=shown(encode_command[len(program) - 1 :], "nvcodec"),
        decode_command=shown(decode_command[len(program) - 1 :], "nvcodec"),
        encoder=f"nvcodec {__version__}" + (f", weights {spec.weights}" if spec.weights else ""),
        notes="; ".join(map(str, encoded.last_object().get("warnings", []))),
        frame_bits=frame_bits,
        groups=groups,
    )


def _effort(spec: NeuralSpec, settings: StudySettings) -> tuple[str, ...]:
    """Model, or time and seed: nothing of a trained codec depends on these."""
    if spec.model is not None:
        return ("--model", spec.model, *(("--preset", spec.preset) if spec.preset is not None else ()))
    seed = ("--seed", str(settings.seed))
    if spec.preset is not None:
        return ("--preset", spec.preset, *seed)
    return ("--time-budget", duration_text(spec.time_budget or 0), *seed)


def _environment(spec: NeuralSpec) -> dict[str, str]:
    """Where a decoder looks for weights that were named as a file."""
    if spec.file is None:
        return {}
    from nvcodec.codecs.weights import VARIABLE  # takes torch

    return {VARIABLE: os.pathsep.join(filter(None, (str(spec.file), os.environ.get(VARIABLE))))}


def _bits(file: Path) -> tuple[int, list[GroupBits], list[int]]:
    """Video bytes of the file, bits of each group and of each frame; what is of no group counts to the first one."""
    with file.open("rb") as stream:
        reader = Reader(stream)
        video_bytes = reader.file_size - reader.passthrough_bytes
        entries = list(reader.groups)
        heads = [reader.read_head(index) for index in range(len(entries))]
    sizes = [entry.length for entry in entries]
    sizes[0] += video_bytes - sum(sizes)
    groups = [
        GroupBits(entry.first_frame, entry.frame_count, 8 * size) for entry, size in zip(entries, sizes, strict=True)
    ]
    shares = [_shares(group, head.units) for group, head in zip(groups, heads, strict=True)]
    return video_bytes, groups, [bits for share in shares for bits in share]


def _shares(group: GroupBits, units: Iterable[UnitSpan]) -> list[int]:
    """Bits of each frame of a group: of a unit that shows it alone all, else equal shares; so of what is in no unit.

    A fitted codec's network is one unit that shows every frame of its group, a trained codec has a unit a frame.
    """
    bits = [0] * group.frames
    parts = [(unit.first, unit.count, 8 * unit.length) for unit in units if unit.count]
    rest = group.bits - sum(part[2] for part in parts)
    for first, count, size in [*parts, (0, group.frames, rest)]:
        share, left = divmod(size, count)
        for frame in range(count):  # the first frames get one more where it does not come out even
            bits[first + frame] += share + (frame < left)
    return bits
