"""Pictures in and out of files: probing, reading, writing, colour, y4m pipes.

Knows files and pixels, no codec of ours. Built on PyAV (FFmpeg's libraries inside its wheel).
"""

from nvcodec.video.convert import rgb_to_yuv420, yuv420_to_rgb
from nvcodec.video.picture import Picture
from nvcodec.video.reader import Reader, SourceInfo, probe
from nvcodec.video.writer import PipeClosedError, Writer

__all__ = ["Picture", "PipeClosedError", "Reader", "SourceInfo", "Writer", "probe", "rgb_to_yuv420", "yuv420_to_rgb"]
