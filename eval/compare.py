"""The source's pictures against a raw decode of another encoder: the same measures as ``nvcodec eval``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nvcodec.errors import NvcodecError
from nvcodec.format import VideoFormat
from nvcodec.metrics import FrameMetrics, SequenceMetrics, SequenceResult
from nvcodec.video import Picture, Reader, probe, yuv420_to_rgb


@dataclass(frozen=True)
class SourceFacts:
    """What an anchor encoder must be told about a source."""

    path: Path
    format: VideoFormat
    frames: int

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of 4:2:0 at the source's bit depth."""
        return "yuv420p" if self.format.bit_depth == 8 else "yuv420p10le"


def source_facts(path: Path, frames: int | None = None) -> SourceFacts:
    """A file's format and number of frames, or the first ``frames`` of them."""
    info = probe(path)
    counted = info.frame_count
    if counted is None:
        with Reader(path, audio=False) as reader:
            counted = sum(1 for _ in reader)
    return SourceFacts(path, info.format, min(counted, frames or counted))


def raw_pictures(path: Path, fmt: VideoFormat) -> Iterator[Picture]:
    """The planar 4:2:0 pictures of a raw file, one after the other.

    Raises:
        NvcodecError: the file ends within a picture.
    """
    luma, chroma = (fmt.height, fmt.width), (fmt.chroma_height, fmt.chroma_width)
    samples = luma[0] * luma[1] + 2 * chroma[0] * chroma[1]
    dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
    with path.open("rb") as file:
        while len(data := np.fromfile(file, dtype, samples)):
            if len(data) != samples:
                raise NvcodecError(f"{path.name} ends within a picture")
            y, u, v = np.split(data, [luma[0] * luma[1], luma[0] * luma[1] + chroma[0] * chroma[1]])
            yield Picture(y.reshape(luma), u.reshape(chroma), v.reshape(chroma))


def compare(facts: SourceFacts, decoded: Path) -> SequenceResult:
    """All measures of a raw decode, picture by picture in order; RGB against the source's own where it has one.

    Raises:
        NvcodecError: the decode has another number of pictures.
    """
    sequence = SequenceMetrics()
    pictures = raw_pictures(decoded, facts.format)
    with Reader(facts.path, audio=False, limit=facts.frames, rgb=True) as reader:
        for reference in reader:
            other = next(pictures, None)
            if other is None:
                raise NvcodecError(f"only {sequence.frames} of {facts.frames} pictures were decoded")
            own = yuv420_to_rgb(reference, facts.format) if reference.rgb is None else reference.rgb
            rgb = (own, yuv420_to_rgb(other, facts.format))
            sequence.add(FrameMetrics.of(reference.planes, other.planes, facts.format.bit_depth, rgb))
    if next(pictures, None) is not None:
        raise NvcodecError(f"more than {facts.frames} pictures were decoded")
    return sequence.result()
