"""YUV4MPEG2 (y4m): header grammar and a streaming reader and writer over plain file objects.

The grammar is that of the mjpegtools manual page yuv4mpeg(5), with FFmpeg's extensions XYSCSS and
XCOLORRANGE. A y4m stream has no field for primaries, transfer or matrix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from nvcodec.errors import InputError
from nvcodec.format import VideoFormat
from nvcodec.video.picture import Picture, Plane, sample_type

MAGIC = b"YUV4MPEG2"
MAX_HEADER = 1024  # bytes of a stream header or frame header line
MAX_SIDE = 65535
MAX_PIXELS = 1 << 28
_PIECE = 1 << 22  # a frame is read in pieces, so that a lying header allocates no more than what is there
_MAX_TERM = (1 << 31) - 1

# chroma tag -> (FFmpeg pixel format, chroma siting code of VideoFormat, bit depth)
_CHROMA: dict[str, tuple[str, int, int]] = {
    "420": ("yuv420p", 2, 8),
    "420jpeg": ("yuv420p", 2, 8),
    "420mpeg2": ("yuv420p", 1, 8),
    "420paldv": ("yuv420p", 3, 8),
    "420p10": ("yuv420p10le", 0, 10),
    "420p12": ("yuv420p12le", 0, 12),
    "422": ("yuv422p", 0, 8),
    "422p10": ("yuv422p10le", 0, 10),
    "444": ("yuv444p", 0, 8),
    "444p10": ("yuv444p10le", 0, 10),
    "mono": ("gray", 0, 8),
    "mono10": ("gray10le", 0, 10),
}
_SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "mon": (0, 0)}  # by the tag's first letters
_HDR_TRANSFER = {16, 18}  # PQ and HLG of H.273 table 3
_BT2020_PRIMARIES = 9
_TAG_OF_SITING = {2: "420jpeg", 3: "420paldv"}


@dataclass(frozen=True)
class Y4mHeader:
    """What a y4m stream header says; rates and aspects of 0 mean unknown."""

    width: int
    height: int
    chroma: str = "420jpeg"
    rate: Fraction = Fraction(0)
    aspect: Fraction = Fraction(0)
    full_range: bool | None = None

    @property
    def pixel_format(self) -> str:
        return _CHROMA[self.chroma][0]

    @property
    def siting(self) -> int:
        return _CHROMA[self.chroma][1]

    @property
    def sample_bytes(self) -> int:
        return 1 if _CHROMA[self.chroma][2] == 8 else 2

    def plane_shapes(self) -> list[tuple[int, int]]:
        """(rows, columns) of each plane in stream order."""
        across, down = _SUBSAMPLING[self.chroma[:3]]
        shapes = [(self.height, self.width)]
        if across:
            shapes += [(-(-self.height // down), -(-self.width // across))] * 2
        return shapes

    @property
    def frame_bytes(self) -> int:
        return self.sample_bytes * sum(rows * columns for rows, columns in self.plane_shapes())


def parse_header(line: bytes) -> Y4mHeader:
    """Parse a stream header without its line feed; raises InputError."""
    words = line.split()
    if not words or words[0] != MAGIC:
        raise InputError("not a y4m stream: it does not start with YUV4MPEG2")
    fields: dict[str, str] = {}
    ranges = []
    for word in words[1:]:
        text = word.decode("ascii", "replace")
        if text.startswith("XCOLORRANGE="):
            ranges.append(text[12:].upper())
        elif text[0] not in "X":
            fields[text[0]] = text[1:]
    width, height = _side(fields, "W"), _side(fields, "H")
    if width * height > MAX_PIXELS:
        raise InputError(f"y4m: a picture of {width}x{height} is over the limit of {MAX_PIXELS} pixels")
    if fields.get("I", "p") not in ("p", "?", ""):
        raise InputError("y4m: interlaced input; deinterlace it first, e.g. ffmpeg -i IN -vf bwdif OUT")
    chroma = fields.get("C", "420jpeg")
    if chroma not in _CHROMA:
        raise InputError(f"y4m: chroma layout {chroma[:20]!r} is not supported; convert it to 4:2:0 first")
    known_range = {"FULL": True, "LIMITED": False}.get(ranges[-1]) if ranges else None
    return Y4mHeader(width, height, chroma, _ratio(fields, "F"), _ratio(fields, "A"), known_range)


def _side(fields: dict[str, str], key: str) -> int:
    text = fields.get(key, "")
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 0 < int(text) <= MAX_SIDE:
        raise InputError(f"y4m: the header has no usable {'width' if key == 'W' else 'height'}")
    return int(text)


def _ratio(fields: dict[str, str], key: str) -> Fraction:
    text = fields.get(key, "0:0")
    match = re.fullmatch(r"([0-9]{1,10}):([0-9]{1,10})", text)
    if not match or max(int(match[1]), int(match[2])) > _MAX_TERM:
        raise InputError(f"y4m: {key}{text[:24]} is no ratio")
    return Fraction(int(match[1]), int(match[2])) if int(match[2]) else Fraction(0)


def format_header(fmt: VideoFormat) -> bytes:
    """The stream header, with line feed, for 8- or 10-bit 4:2:0 pictures of ``fmt``."""
    rate = fmt.frame_rate or 1 / fmt.timebase
    chroma = _TAG_OF_SITING.get(fmt.chroma_siting, "420mpeg2")
    chroma = "420p10 XYSCSS=420P10" if fmt.bit_depth == 10 else f"{chroma} XYSCSS={chroma.upper()}"
    aspect = fmt.sample_aspect
    parts = [
        f"YUV4MPEG2 W{fmt.width} H{fmt.height} F{rate.numerator}:{rate.denominator} Ip",
        f"A{aspect.numerator}:{aspect.denominator} C{chroma}",
        f"XCOLORRANGE={'FULL' if fmt.colour.full_range else 'LIMITED'}",
    ]
    return " ".join(parts).encode("ascii") + b"\n"


def lost_facts(fmt: VideoFormat) -> list[str]:
    """Warnings of what changes how pictures of ``fmt`` look and has no place in a y4m stream."""
    warnings = []
    if fmt.rotation:
        warnings.append(f"y4m cannot say that pictures are turned by {fmt.rotation} degrees: they are shown unturned")
    hdr = fmt.mastering or fmt.content_light or fmt.colour.transfer in _HDR_TRANSFER
    if hdr or fmt.colour.primaries == _BT2020_PRIMARIES:
        warnings.append("y4m cannot hold HDR or wide-gamut colour facts: dropped")
    return warnings


class Y4mReader:
    """Reads pictures one at a time from a binary file object that need not seek."""

    def __init__(self, file: BinaryIO, name: str = "y4m stream") -> None:
        self._file = file
        self._name = name
        self.truncated = False
        self.header = parse_header(self._line())

    def read_planes(self) -> list[Plane] | None:
        """Planes of the next picture, or None at the end; a cut last picture sets ``truncated``."""
        line = self._file.readline(MAX_HEADER)
        if not line:
            return None
        if not line.endswith(b"\n") and len(line) < MAX_HEADER:
            self.truncated = True
            return None
        if not (line == b"FRAME\n" or line.startswith(b"FRAME ")):
            raise InputError(f"{self._name}: damaged y4m stream, a frame header is missing")
        size = self.header.frame_bytes
        data = self._exactly(size)
        if len(data) < size:
            self.truncated = True
            return None
        return self._split(data)

    def _split(self, data: bytearray) -> list[Plane]:
        dtype = np.dtype("u1" if self.header.sample_bytes == 1 else "<u2")
        planes: list[Plane] = []
        at = 0
        for rows, columns in self.header.plane_shapes():
            plane = np.frombuffer(data, dtype, rows * columns, at).reshape(rows, columns)
            planes.append(plane)
            at += plane.nbytes
        return planes

    def _line(self) -> bytes:
        line = self._file.readline(MAX_HEADER)
        if not line:
            raise InputError(f"{self._name}: empty")
        if not line.endswith(b"\n"):
            raise InputError(f"{self._name}: not a y4m stream, or its header is cut or too long")
        return line[:-1]

    def _exactly(self, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:
            piece = self._file.read(min(_PIECE, size - len(data)))
            if not piece:
                break
            data += piece
        return data


class Y4mWriter:
    """Writes pictures to a binary file object that need not seek; OSError passes through."""

    def __init__(self, file: BinaryIO, fmt: VideoFormat) -> None:
        self._file = file
        self._dtype = np.dtype(sample_type(fmt.bit_depth)).newbyteorder("<")
        file.write(format_header(fmt))

    def write(self, picture: Picture) -> None:
        self._file.write(b"FRAME\n")
        for plane in picture.planes:
            self._file.write(np.ascontiguousarray(plane, self._dtype).data)
