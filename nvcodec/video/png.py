"""One picture as a PNG file: RGB of 8 bits, by the project's own conversion."""

from __future__ import annotations

from typing import BinaryIO

import av
from av.video.frame import VideoFrame

from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat
from nvcodec.video.convert import yuv420_to_rgb
from nvcodec.video.picture import Picture


class PngWriter:
    """Writes its only picture; raises UsageError at a second one."""

    def __init__(self, file: BinaryIO, format: VideoFormat) -> None:
        self._file, self._format, self._full = file, format, False

    def write(self, picture: Picture) -> None:
        if self._full:
            raise UsageError("a PNG file holds one picture, this is a video: --frames N:N+1 picks one")
        self._full = True
        frame = VideoFrame.from_ndarray(yuv420_to_rgb(picture, self._format), format="rgb24")
        encoder = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
        for packet in [*encoder.encode(frame), *encoder.encode(None)]:
            self._file.write(bytes(packet))
