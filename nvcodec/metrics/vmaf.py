"""VMAF by the libvmaf filter of an FFmpeg program, where there is one.

Z. Li et al., Toward a practical perceptual video quality metric, 2016. The model is the one that libvmaf was built with
as its default (vmaf_v0.6.1), meant for 1080p at a distance of three picture heights.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from nvcodec.errors import InputError

_LOG = "vmaf.json"
# Frames meet by index: both streams get the frame number as their time. Both get one label of range too: where labels
# differ, newer FFmpegs convert one stream's samples, and it is the samples as they are that are compared.
_SAME = "settb=1/25,setpts=N,setparams=range=limited"
_GRAPH = (
    f"[0:v]{_SAME}[decoded];[1:v]{_SAME}[reference];"
    "[decoded][reference]libvmaf=log_fmt=json:log_path={log}:n_threads={threads}"
)
_NO_FILTER = "No such filter: 'libvmaf'"


def vmaf(
    reference: str | Path | Iterable[bytes],
    decoded: str | Path,
    *,
    ffmpeg: str | Path | None = None,
    threads: int = 1,
) -> float | None:
    """Mean of `vmaf_per_frame`, with the same arguments and errors."""
    frames = vmaf_per_frame(reference, decoded, ffmpeg=ffmpeg, threads=threads)
    return None if frames is None else sum(frames) / len(frames)


def vmaf_per_frame(
    reference: str | Path | Iterable[bytes],
    decoded: str | Path,
    *,
    ffmpeg: str | Path | None = None,
    threads: int = 1,
) -> list[float] | None:
    """VMAF (0 to 100) of each frame of two y4m streams with equally many pictures of one size and bit depth.

    ``decoded`` is a file, ``reference`` a file or a stream in pieces. Frames are compared by index, samples as they
    are, whatever rate and range the headers say. ``ffmpeg`` is the program to ask, by default the one on the path.
    None where there is no program or it was built without libvmaf.

    Raises:
        InputError: a file is missing or cannot be compared.
    """
    program = shutil.which(str(ffmpeg or "ffmpeg"))
    if program is None:
        return None
    files = [Path(decoded).resolve()] + ([Path(reference).resolve()] if isinstance(reference, (str, Path)) else [])
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    pieces = () if isinstance(reference, (str, Path)) else reference
    with tempfile.TemporaryDirectory(prefix="vmaf-") as folder:  # a fixed name there needs no quoting in the graph
        return _measure(program, files, pieces, Path(folder), threads)


def _measure(
    program: str, files: list[Path], pieces: Iterable[bytes], folder: Path, threads: int
) -> list[float] | None:
    command = [program, "-hide_banner", "-loglevel", "error"]
    for source in (f"file:{path}" for path in files):
        command += ["-f", "yuv4mpegpipe", "-i", source]
    command += ["-f", "yuv4mpegpipe", "-i", "pipe:0"] if len(files) == 1 else ["-nostdin"]
    command += ["-lavfi", _GRAPH.format(log=_LOG, threads=threads), "-f", "null", "-"]
    code, said = _run(command, pieces, folder)
    if code:
        if _NO_FILTER in said:
            return None
        raise InputError(f"VMAF of {files[0]}: {said.splitlines()[-1] if said else 'ffmpeg failed'}")
    try:
        log = json.loads((folder / _LOG).read_bytes())
        frames = sorted(log["frames"], key=lambda frame: frame["frameNum"])
        values = [float(frame["metrics"]["vmaf"]) for frame in frames]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"VMAF of {files[0]}: libvmaf left no result") from error
    if not values:
        raise InputError(f"VMAF of {files[0]}: no frames")
    return values


def _run(command: list[str], pieces: Iterable[bytes], folder: Path) -> tuple[int, str]:
    """Exit code and last words of a program that reads ``pieces`` from its standard input."""
    with (folder / "stderr").open("w+b") as stderr:
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr
        ) as process:
            assert process.stdin is not None
            try:
                _feed(process.stdin, pieces)
            except BaseException:
                process.kill()
                raise
            code = process.wait()
        stderr.seek(0)
        return code, stderr.read().decode("utf-8", "replace").strip()


def _feed(pipe: IO[bytes], pieces: Iterable[bytes]) -> None:
    try:
        with pipe:
            for piece in pieces:
                pipe.write(piece)
    except BrokenPipeError:
        pass  # the program has ended and says why
