"""Facts of a video that both pixels and bytes need: size, colour, time, passed-through tracks.

Neutral ground between :mod:`nvcodec.video` and :mod:`nvcodec.container`; imports nothing of ours.
Colour numbers are the code points of ITU-T H.273 (CICP), where 2 means unspecified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # the container lives without numpy
    from numpy.typing import NDArray

Planes: TypeAlias = "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]"
"""A 4:2:0 picture: Y (H, W), U and V (ceil(H / 2), ceil(W / 2)); uint8 or uint16."""


@dataclass(frozen=True)
class Colour:
    """CICP code points (ITU-T H.273); 2 is "unspecified"."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool = False


@dataclass(frozen=True)
class MasteringDisplay:
    """SMPTE ST 2086 in the integer units of HEVC SEI: xy in 1/50000, luminance in 1/10000 cd/m2."""

    primaries: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # R, G, B
    white_point: tuple[int, int]
    max_luminance: int
    min_luminance: int


@dataclass(frozen=True)
class ContentLight:
    """CTA-861.3 content light level in cd/m2."""

    max_content: int
    max_average: int


@dataclass(frozen=True)
class VideoFormat:
    """What holds for every picture of a sequence. Pictures are planar YUV 4:2:0."""

    width: int
    height: int
    bit_depth: int = 8  # 8 or 10
    chroma_siting: int = 0  # 0 unknown, 1 left, 2 centre, 3 top-left, 4 top, 5 bottom-left, 6 bottom
    colour: Colour = field(default_factory=Colour)
    timebase: Fraction = Fraction(1, 25)  # seconds per tick of a timestamp
    frame_rate: Fraction = Fraction(0)  # nominal, 0 = unknown
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0  # clockwise degrees to turn for display: 0, 90, 180, 270
    mastering: MasteringDisplay | None = None
    content_light: ContentLight | None = None

    @property
    def chroma_width(self) -> int:
        return (self.width + 1) // 2

    @property
    def chroma_height(self) -> int:
        return (self.height + 1) // 2


@dataclass(frozen=True)
class Track:
    """A passed-through audio, subtitle or attachment track."""

    kind: str  # "audio", "subtitle", "attachment"
    codec: str  # FFmpeg's codec name, for people
    timebase: Fraction
    language: str = ""
    parameters: bytes = b""  # opaque to the container: what video.Writer needs to mux the track again


@dataclass(frozen=True)
class Packet:
    """One compressed packet of a passed-through track, in its track's timebase."""

    track: int
    data: bytes
    pts: int | None = None
    dts: int | None = None
    duration: int = 0
    keyframe: bool = True
