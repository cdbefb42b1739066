"""VMAF by the libvmaf filter of an FFmpeg program, where there is one.

Z. Li et al., Toward a practical perceptual video quality metric, 2016. The model is the one that libvmaf was built with
as its default (vmaf_v0.6.1), meant for 1080p at a distance of three picture heights.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from nvcodec.errors import InputError

_LOG = "vmaf.json"
# frames meet by index: both streams get the frame number as their time
_GRAPH = (
    "[0:v]settb=1/25,setpts=N[decoded];[1:v]settb=1/25,setpts=N[reference];"
    "[decoded][reference]libvmaf=log_fmt=json:log_path={log}:n_threads={threads}"
)


def vmaf(
    reference: str | Path, decoded: str | Path, *, ffmpeg: str | Path | None = None, threads: int = 1
) -> float | None:
    """Mean VMAF (0 to 100) of two y4m files with equally many pictures of one size.

    ``ffmpeg`` is the program to ask, by default the one on the path. None where there is no program or it was built
    without libvmaf.

    Raises:
        InputError: a file is missing or cannot be compared.
    """
    program = shutil.which(str(ffmpeg or "ffmpeg"))
    if program is None:
        return None
    files = [Path(decoded).resolve(), Path(reference).resolve()]
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    with tempfile.TemporaryDirectory(prefix="vmaf-") as folder:  # a fixed name there needs no quoting in the graph
        return _measure(program, files, Path(folder), threads)


def _measure(program: str, files: list[Path], folder: Path, threads: int) -> float | None:
    command = [program, "-hide_banner", "-nostdin", "-loglevel", "error"]
    for path in files:
        command += ["-f", "yuv4mpegpipe", "-i", f"file:{path}"]
    command += ["-lavfi", _GRAPH.format(log=_LOG, threads=threads), "-f", "null", "-"]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        if "No such filter: 'libvmaf'" in said:
            return None
        raise InputError(f"VMAF of {files[0]}: {said.splitlines()[-1] if said else 'ffmpeg failed'}")
    try:
        return float(json.loads((folder / _LOG).read_bytes())["pooled_metrics"]["vmaf"]["mean"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"VMAF of {files[0]}: libvmaf left no result") from error
