"""Codecs of ours as a study runs them: the real commands, each in a fresh process."""

from __future__ import annotations

from pathlib import Path

from nvcodec._version import __version__
from nvcodec.container import Reader
from nvcodec.study.coded import Coded, GroupBits, Source, shown
from nvcodec.study.durations import duration_text
from nvcodec.study.points import NeuralSpec
from nvcodec.study.processes import nvcodec_command, run_measured
from nvcodec.study.settings import StudySettings


def encode(
    spec: NeuralSpec, quality: float, source: Source, folder: Path, threads: int, settings: StudySettings
) -> Coded:
    """Encodes ``source.clip`` at a quality and decodes it to y4m, both in ``folder``.

    Raises:
        NvcodecError: a command failed; its own last words are the text.
    """
    file, decoded = folder / "coded.nvc", folder / "decoded.y4m"
    shared = ("--threads", str(threads), "--device", settings.device, "-y")
    effort = (
        ("--preset", spec.preset)
        if spec.preset is not None
        else ("--time-budget", duration_text(spec.time_budget or 0))
    )
    goal = ("--quality", f"{quality:g}", "--codec", spec.codec, *effort, "--seed", str(settings.seed), "--no-audio")
    program = nvcodec_command()
    encode_command = (*program, "encode", str(source.clip), str(file), *goal, *shared)
    decode_command = (*program, "decode", str(file), str(decoded), *shared)
    encoded = run_measured((*encode_command, "--json"), capture=True)
    decode = run_measured((*decode_command, "--quiet"), capture=True)
    video_bytes, groups = _bits(file)
    return Coded(
        file=file,
        video_bytes=video_bytes,
        decoded=decoded,
        encode=encoded,
        decode=decode,
        command=shown(encode_command[len(program) - 1 :], "nvcodec"),
        decode_command=shown(decode_command[len(program) - 1 :], "nvcodec"),
        encoder=f"nvcodec {__version__}",
        notes="; ".join(map(str, encoded.last_object().get("warnings", []))),
        frame_bits=[bits for group in groups for bits in _shares(group)],
        groups=groups,
    )


def _shares(group: GroupBits) -> list[int]:
    """Equal shares of a group's bits, the first frames one more where it does not come out even."""
    share, rest = divmod(group.bits, group.frames)
    return [share + (frame < rest) for frame in range(group.frames)]


def _bits(file: Path) -> tuple[int, list[GroupBits]]:
    """Video bytes of the file, and each group's bits; what belongs to no group is counted with the first one.

    A fitted codec's network shows all frames of its group, so that a frame's bits are its share of the group's.
    """
    with file.open("rb") as stream:
        reader = Reader(stream)
        video_bytes = reader.file_size - reader.passthrough_bytes
        entries = list(reader.groups)
    sizes = [entry.length for entry in entries]
    sizes[0] += video_bytes - sum(sizes)
    return video_bytes, [
        GroupBits(entry.first_frame, entry.frame_count, 8 * size) for entry, size in zip(entries, sizes, strict=True)
    ]
