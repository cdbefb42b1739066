"""Checks of one file of a benchmark: picture size, bit depth, frame count, MD5. No more is read than that needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nvcodec.errors import InputError
from nvcodec.study.rawfiles import is_raw, parse_name
from nvcodec.video.reader import Reader, probe

_MD5_LINE = re.compile(r"\\?([0-9a-fA-F]{32}) [ *](.{1,4096})")
_MAX_MD5_FILE = 1 << 20  # bytes of a list of hashes
_LOSSLESS = frozenset({"rawvideo", "ffv1", "ffvhuff", "huffyuv", "utvideo", "y4m"})


@dataclass(frozen=True)
class Expected:
    """What a file must hold; None: anything."""

    shape: tuple[int, int] | None  # width, height
    frames: int | None


@dataclass(frozen=True)
class Found:
    """A file, and why it is not what was wanted; ``note`` is what makes numbers differ though it is taken."""

    path: Path
    problem: str = ""
    note: str = ""

    def md5_problem(self, md5: Mapping[str, str]) -> str:
        """Why the file is not the one of a list of hashes, or an empty text. Reads the whole file."""
        wanted = md5.get(self.path.name)
        if wanted is None:
            return "is not in the list of MD5 sums"
        with self.path.open("rb") as file:
            actual = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return "" if actual == wanted else f"has MD5 {actual}, not {wanted}"


@dataclass(frozen=True)
class Facts:
    """What a file holds, as its header or, of a raw one, its name says."""

    width: int
    height: int
    depth: int
    frames: int
    pixel_format: str
    codec: str
    input_options: str = ""  # FFmpeg's, where the file does not say what it is


def examine(path: Path, wanted: Expected) -> Found:
    """Whether a file is what is wanted. Nothing is raised: a file that cannot be read has a problem."""
    try:
        facts = read_facts(path)
    except (InputError, OSError) as error:
        return Found(path, f"cannot be used: {_plain(error, path)}")
    if wanted.shape is not None and (reason := _unlike(facts, wanted.shape)):
        return Found(path, reason + _conversion(path, facts, wanted.shape))
    if wanted.frames is not None and facts.frames != wanted.frames:
        return Found(path, f"has {facts.frames} frames, not {wanted.frames}")
    lossy = facts.codec not in _LOSSLESS
    return Found(path, note=f"is {facts.codec}: unless coded losslessly, it is not the published source" * lossy)


def read_md5(path: Path) -> dict[str, str]:
    """File name (without folder) -> hash in lower case, from lines as ``md5sum`` writes them.

    Raises:
        InputError: it cannot be read, or a line is of another form.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_MD5_FILE + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or 'not a text file'}") from None
    if len(text) > _MAX_MD5_FILE:
        raise InputError(f"{path}: too long for a list of MD5 sums")
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if (match := _MD5_LINE.fullmatch(line)) is None:
            raise InputError(f"{path}:{number}: not a line of md5sum (32 hexadecimal digits, two spaces, a name)")
        found[match[2].rpartition("/")[2]] = match[1].lower()
    return found


def read_facts(path: Path) -> Facts:
    """Facts of one file; no more than one picture is decoded, but a y4m file whose frame headers differ is read whole.

    Raises:
        InputError: it cannot be read, or its name does not say enough.
    """
    return _raw_facts(path) if is_raw(path) else _probed_facts(path)


def _raw_facts(path: Path) -> Facts:
    """Geometry by the name, frames by the size."""
    layout = parse_name(path.name)
    frames, rest = divmod(path.stat().st_size, layout.frame_bytes)
    if rest or not frames:
        kind = f"{layout.width}x{layout.height} {layout.chroma} {layout.bit_depth}-bit"
        raise InputError(f"{path.stat().st_size} bytes are no whole number of {kind} frames")
    pixels = f"yuv{layout.chroma}p" + ("" if layout.bit_depth == 8 else f"{layout.bit_depth}le")
    options = f"-f rawvideo -pix_fmt {pixels} -s {layout.width}x{layout.height} -r {layout.rate} "
    return Facts(layout.width, layout.height, layout.bit_depth, frames, pixels, "rawvideo", options)


def _probed_facts(path: Path) -> Facts:
    info = probe(path)
    frames = info.frame_count
    if frames is None:  # frame headers of a y4m file that have fields, or packets that say too little
        with Reader(path) as reader:
            frames = sum(1 for _ in reader)
    form = info.format
    return Facts(form.width, form.height, form.bit_depth, frames, info.pixel_format, info.codec)


def _unlike(facts: Facts, shape: tuple[int, int]) -> str:
    said = f"is {facts.width}x{facts.height}, {facts.depth} bits"
    if (facts.width, facts.height) != shape or facts.depth != 8:
        return f"{said}, not {shape[0]}x{shape[1]}, 8 bits: its numbers are not the benchmark's"
    if facts.pixel_format not in ("yuv420p", "yuvj420p"):
        return f"is {facts.pixel_format}, not 4:2:0"
    return ""


def _conversion(path: Path, facts: Facts, shape: tuple[int, int]) -> str:
    """How the benchmark's pictures are had of this file, if they can be: scaled ones are others."""
    if (facts.width, facts.height) != shape or facts.depth != 8:
        return "; get the archive of that size and depth"
    stem = "{}_{}x{}".format(re.split(r"[_.]", path.stem)[0], *shape)
    return f"; convert it: ffmpeg {facts.input_options}-i {path.name} -pix_fmt yuv420p {stem}.y4m"


def _plain(error: Exception, path: Path) -> str:
    """The message without the path, which stands before it already."""
    text = getattr(error, "strerror", None) or str(error)
    return text.removeprefix(f"{path}: ")
