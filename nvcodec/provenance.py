"""Where a number comes from: commit, version and machine."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from nvcodec._version import __version__
from nvcodec.hardware import cpu_count, cpu_model

ROOT = Path(__file__).resolve().parent.parent  # of a checkout; an installed package has no commit


@cache
def commit() -> str:
    """The short commit of this checkout, with ``+`` where tracked files were changed; the version outside of one."""
    try:
        if not (ROOT / ".git").exists():  # or the commit of whatever repository the environment lies in
            return __version__
        name = _git("rev-parse", "--short=10", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return __version__


def _git(*arguments: str) -> str:
    command = ("git", "-C", str(ROOT), *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@cache
def machine() -> str:
    """CPU model, the cores that this process may use, and the GPU where torch sees one."""
    cores = cpu_count()
    return f"{cpu_model()}, {cores} core{'s' if cores != 1 else ''}{_gpu()}"


def _gpu() -> str:
    import torch

    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
