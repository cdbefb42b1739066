"""The 4:2:0 pictures of a clip in memory, from a video or from the arrays that `eval.on_gpu prepare` wrote.

Works without PyAV where the clip comes as arrays: RGB is then made here instead of by swscale.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.gpu_parts import load_clip
from eval.samples import find_clip
from nvcodec.errors import InputError
from nvcodec.format import Planes, VideoFormat

_LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}  # matrix of H.273 -> weights of R and B in luma
_TAPS = (-0.028125, 0.240625, 0.871875, -0.084375)  # of the cubic at 7/4, 3/4, 1/4 and 5/4 samples


@dataclass(frozen=True)
class Pictures:
    """The frames of a clip, ``name`` without its folder."""

    name: str
    path: Path
    frames: list[Planes]
    format: VideoFormat

    @property
    def size(self) -> str:
        """WIDTHxHEIGHT."""
        return f"{self.format.width}x{self.format.height}"

    @property
    def from_arrays(self) -> bool:
        """Whether there is no video file behind the pictures."""
        return self.path.suffix == ".npz"


def load_pictures(clip: str, frames: int | None = None, crop: tuple[int, int] | None = None) -> Pictures:
    """The first ``frames`` pictures of a clip, of each the middle ``crop`` (width, height).

    Raises:
        InputError: there is no such clip, or it is smaller than the crop.
    """
    path = find_clip(clip)
    if path.suffix == ".npz":
        planes, fmt = load_clip(path)
        planes = planes[:frames]
    else:
        from nvcodec.video import Reader

        with Reader(path, audio=False, limit=frames) as reader:
            fmt = reader.format
            planes = [picture.planes for picture in reader]
    if crop is None or crop == (fmt.width, fmt.height):
        return Pictures(path.name, path, planes, fmt)
    return Pictures(path.name, path, [middle(picture, *crop) for picture in planes], _cropped(fmt, crop))


def _cropped(fmt: VideoFormat, crop: tuple[int, int]) -> VideoFormat:
    if crop[0] > fmt.width or crop[1] > fmt.height:
        raise InputError(f"{fmt.width}x{fmt.height} pictures have no middle of {crop[0]}x{crop[1]}")
    facts = {name: getattr(fmt, name) for name in ("bit_depth", "chroma_siting", "colour", "timebase", "frame_rate")}
    return VideoFormat(*crop, **facts)


def middle(planes: Planes, width: int, height: int) -> Planes:
    """The middle of a picture; it begins at even samples, so that chroma stays where it was."""
    y, u, v = planes
    top, left = (y.shape[0] - height) // 4 * 2, (y.shape[1] - width) // 4 * 2
    half = (slice(top // 2, top // 2 + -(-height // 2)), slice(left // 2, left // 2 + -(-width // 2)))
    luma = y[top : top + height, left : left + width]
    return np.ascontiguousarray(luma), np.ascontiguousarray(u[half]), np.ascontiguousarray(v[half])


def rgb_maker() -> str:
    """What makes RGB here: "swscale", or "numpy" where PyAV is not installed."""
    try:
        import nvcodec.video  # noqa: F401
    except ImportError:
        return "numpy"
    return "swscale"


def to_rgb(planes: Planes, fmt: VideoFormat) -> NDArray[np.uint8]:
    """RGB (H, W, 3) as every measure of the project takes it, by swscale if it is there."""
    if rgb_maker() == "numpy":
        return numpy_rgb(planes, fmt)
    from nvcodec.video import Picture, yuv420_to_rgb

    return yuv420_to_rgb(Picture(*planes), fmt)


def numpy_rgb(planes: Planes, fmt: VideoFormat) -> NDArray[np.uint8]:
    """RGB (H, W, 3), uint8 and full range, as swscale makes it but for its rounding: over 60 dB from that."""
    scale = 1 << (fmt.bit_depth - 8)
    y, u, v = (plane.astype(np.float32) / np.float32(scale) for plane in planes)
    u, v = (doubled(doubled(c - 128, 0), 1)[: fmt.height, : fmt.width] for c in (u, v))
    if not fmt.colour.full_range:
        y, u, v = (y - 16) * (255 / 219), u * (255 / 224), v * (255 / 224)
    kr, kb = _LUMA[fmt.colour.matrix if fmt.colour.matrix in _LUMA else 1 if fmt.height > 576 else 6]
    r, b = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    rgb = np.stack([r, (y - kr * r - kb * b) / (1 - kr - kb), b], -1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def doubled(plane: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Twice the samples along an axis, centres aligned, by swscale's cubic (a = -0.6); edges are repeated."""
    near = np.moveaxis(plane, axis, 0)
    padded = np.concatenate([near[:1], near[:1], near, near[-1:], near[-1:]])
    count = len(near)
    out = np.empty((2 * count, *near.shape[1:]), np.float32)
    for phase in (0, 1):  # an even sample lies a quarter before its own, an odd one a quarter after it
        taps = _TAPS[::-1] if phase else _TAPS
        out[phase::2] = sum(tap * padded[phase + i : phase + i + count] for i, tap in enumerate(taps))
    return np.moveaxis(out, 0, axis)
