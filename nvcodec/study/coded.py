"""What passes between the parts of a study: a source made ready, and a file that an encoder made of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from nvcodec.format import VideoFormat
from nvcodec.study.processes import Finished


@dataclass(frozen=True)
class Source:
    """One clip, as every encoder of a study gets it.

    ``clip`` is what nvcodec encodes and what RGB measures compare with: the user's own file, or a lossless cut of it in
    its own pixel format. ``pictures`` holds the very 4:2:0 pictures that nvcodec codes, losslessly: the same file where
    that is 4:2:0 already, else a conversion by nvcodec's reader. Classical encoders get ``pictures``.
    """

    name: str  # of the clip in tables, without folder
    clip: Path
    pictures: Path
    format: VideoFormat
    frames: int
    frame_rate: Fraction  # frames a second, from the file; 25 where it says none

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of planar 4:2:0 at this bit depth."""
        return "yuv420p" if self.format.bit_depth == 8 else "yuv420p10le"


@dataclass(frozen=True)
class GroupBits:
    """Frames that one chunk of the stream, or one closed group of pictures, holds."""

    first_frame: int
    frames: int
    bits: int


@dataclass(frozen=True)
class Coded:
    """A real file and its decode. ``decoded`` is y4m with every frame, in display order."""

    file: Path
    video_bytes: int  # without passed-through tracks
    decoded: Path
    encode: Finished
    decode: Finished
    command: str
    decode_command: str
    encoder: str  # name and version of what made it
    notes: str = ""  # what it warned of
    frame_bits: list[int] = field(default_factory=list)  # in display order; empty where it cannot be said
    groups: list[GroupBits] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """The whole file."""
        return self.file.stat().st_size


def shown(command: Sequence[str], program: str) -> str:
    """A command to print: ``program`` for its first word, and this machine's folders taken out."""
    words = [Path(word).name if word.startswith("/") else word for word in command[1:]]
    return shlex.join([program, *words])
