"""Raw planar files (.yuv), whose geometry only their name tells, as y4m."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nvcodec.errors import InputError, OutputError

MAX_SIDE = 65535
_HELP = (
    "its name must hold size and frame rate, and what differs from 8-bit 4:2:0, "
    "as in clip_1920x1080_120fps_420_10bit.yuv"
)
_EDGE = r"(?<![0-9a-z])"  # names join facts by _, -, . or space
_END = r"(?![0-9a-z])"
_CHROMA_PLANES = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}  # luma samples a chroma sample, across and down


@dataclass(frozen=True)
class RawLayout:
    """What a raw file holds: whole planar pictures, Y then U then V, samples over 8 bits as 16-bit little endian."""

    width: int
    height: int
    rate: Fraction  # frames a second
    chroma: str = "420"
    bit_depth: int = 8
    frames: int | None = None  # where the name says it

    @property
    def samples(self) -> int:
        """Of one picture."""
        across, down = _CHROMA_PLANES[self.chroma]
        return self.width * self.height + 2 * (-(-self.width // across) * -(-self.height // down))

    @property
    def frame_bytes(self) -> int:
        return self.samples * (1 if self.bit_depth == 8 else 2)

    def y4m_header(self) -> bytes:
        """The stream header of the same pictures as y4m."""
        chroma = "420mpeg2" if self.chroma == "420" else self.chroma
        tag = chroma if self.bit_depth == 8 else f"{self.chroma}p{self.bit_depth}"
        rate = f"F{self.rate.numerator}:{self.rate.denominator}"
        return f"YUV4MPEG2 W{self.width} H{self.height} {rate} Ip A1:1 C{tag}\n".encode("ascii")


def is_raw(path: Path) -> bool:
    """Whether a name is that of a raw file."""
    return path.suffix.lower() == ".yuv"


def parse_name(name: str) -> RawLayout:
    """The layout that a raw file's name tells, as in ``Beauty_1920x1080_120fps_420_8bit_YUV.yuv``.

    Raises:
        InputError: size or frame rate is missing or impossible, or the pictures are of a kind that is not read.
    """
    text = name.lower().rsplit(".yuv", 1)[0]
    size = re.search(_EDGE + r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})(?![0-9])", text)
    if size is None:
        raise InputError(f"{name}: no size in the name of a raw file; {_HELP}")
    width, height = int(size[1]), int(size[2])
    if max(width, height) > MAX_SIDE:
        raise InputError(f"{name}: a side is at most {MAX_SIDE} pixels")
    rest = text[size.end() :]
    chroma, depth = _samples(rest, name)
    frames = re.search(_EDGE + r"([0-9]{1,9})(?:f|frames)" + _END, rest)
    return RawLayout(width, height, _rate(rest, name), chroma, depth, int(frames[1]) if frames else None)


def _rate(text: str, name: str) -> Fraction:
    """Frames a second: ``120fps``, ``29.97fps``, ``50hz``, or a bare number right behind the size, ``_416x240_50``."""
    match = re.search(_EDGE + r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(?:fps|hz)" + _END, text)
    match = match or re.match(r"[_\-. ]([0-9]{2,3})(?:[_\-. ]|$)", text)
    rate = Fraction(match[1]) if match else Fraction(0)
    if not rate:
        raise InputError(f"{name}: no frame rate in the name of a raw file; {_HELP}")
    if rate.denominator != 1 and abs(rate * 1001 / 1000 - round(rate)) < Fraction(1, 100):
        return Fraction(round(rate) * 1000, 1001)  # 23.976, 29.97 and 59.94 are short for these
    return rate


def _samples(text: str, name: str) -> tuple[str, int]:
    """Chroma ("420") and bit depth."""
    pixels = re.search(_EDGE + r"(?:i|yuv)?(4[0-9]{2})(?:p([0-9]{1,2})?(?:le)?)?" + _END, text)
    chroma = pixels[1] if pixels else "420"
    bits = re.search(_EDGE + r"([0-9]{1,2})-?bits?" + _END, text)
    depth = int(bits[1]) if bits else int(pixels[2]) if pixels and pixels[2] else 8
    if chroma not in _CHROMA_PLANES or depth not in (8, 10):
        raise InputError(f"{name}: {depth}-bit {chroma} raw files are not read; convert it to y4m first")
    return chroma, depth


def raw_to_y4m(source: Path, target: Path, frames: int | None = None) -> None:
    """Writes the first ``frames`` pictures (default: all) of a raw file as y4m.

    Raises:
        InputError: the name does not tell the layout, or the bytes are not of whole pictures of it.
        OutputError: the target cannot be written.
    """
    layout = parse_name(source.name)
    count = _count(source, layout)
    try:
        with source.open("rb") as raw, target.open("wb") as file:
            file.write(layout.y4m_header())
            for _ in range(min(count, frames or count)):
                file.write(b"FRAME\n")
                file.write(_picture(raw, layout, source.name))
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror or error}") from error


def _count(source: Path, layout: RawLayout) -> int:
    count, rest = divmod(source.stat().st_size, layout.frame_bytes)
    if rest or not count:
        kind = f"{layout.width}x{layout.height} {layout.chroma} {layout.bit_depth}-bit"
        raise InputError(f"{source.name}: {source.stat().st_size} bytes are not whole pictures of {kind}; {_HELP}")
    if layout.frames is not None and layout.frames != count:
        raise InputError(f"{source.name}: the name says {layout.frames} frames, the file has {count}")
    return count


def _picture(raw: BinaryIO, layout: RawLayout, name: str) -> bytes:
    data = raw.read(layout.frame_bytes)
    if layout.bit_depth > 8 and data and int(np.frombuffer(data, "<u2").max()) >> layout.bit_depth:
        raise InputError(f"{name}: samples of more than the {layout.bit_depth} bits that the name says")
    return data
