"""Which encoder writes the decoded pictures, with which options."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import av

from nvcodec.errors import UsageError
from nvcodec.format import MasteringDisplay, VideoFormat
from nvcodec.video.describe import SITINGS
from nvcodec.video.pixels import pixel_format_name

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".nut": "nut",
    ".avi": "avi",
    ".ts": "mpegts",
    ".y4m": "y4m",
    ".png": "png",
}
"""Extension (lower case) to FFmpeg's muxer name, or "y4m" or "png": everything that can be written."""
RAW = {"y4m": "y4m is raw video", "png": "a PNG is lossless"}  # written without a video encoder

_ALIASES = {
    "h264": "libx264",
    "avc": "libx264",
    "x264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "x265": "libx265",
    "av1": "libsvtav1",
    "svtav1": "libsvtav1",
    "vp9": "libvpx-vp9",
}
# near-lossless: about 50 dB or more against what was decoded
_NEAR_LOSSLESS = {"libx264": 5.0, "libx265": 5.0, "libsvtav1": 8.0, "libvpx-vp9": 4.0}
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast"},
    "libx265": {"preset": "veryfast", "x265-params": "log-level=error"},
    "libsvtav1": {"preset": "8"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "5", "row-mt": "1", "b": "0"},
    "ffv1": {"level": "3", "g": "1", "slicecrc": "1"},
}
_EVEN_ONLY = {"libx264", "libx265", "libsvtav1", "h264_nvenc", "hevc_nvenc", "av1_nvenc", "libopenh264"}


@dataclass(frozen=True)
class Encoder:
    """A chosen encoder; ``width`` and ``height`` may be padded to even numbers."""

    name: str
    pixel_format: str
    width: int
    height: int
    options: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def choose_encoder(container: str, fmt: VideoFormat, vcodec: str | None, crf: float | None, threads: int) -> Encoder:
    """The encoder for a container. Raises UsageError for a codec that is unknown or cannot do it."""
    name = _ALIASES.get(vcodec.lower(), vcodec) if vcodec else _default(container, fmt)
    pixel_format = pixel_format_name(fmt.bit_depth)
    _check(name, pixel_format, vcodec or name)
    options = dict(_OPTIONS.get(name, {}))
    if fmt.chroma_siting:
        options["chroma_sample_location"] = SITINGS[fmt.chroma_siting]
    if crf is not None and name not in _NEAR_LOSSLESS:
        raise UsageError(f"--crf: {name} has no such setting")
    if name in _NEAR_LOSSLESS:
        options["crf"] = f"{_NEAR_LOSSLESS[name] if crf is None else crf:g}"
    if name in ("libx264", "libx265") and crf is None:
        options["bf"] = "0"  # MP4 then keeps the duration of every picture; with B-frames the last one is lost
    if name == "libx265" and threads:
        options["x265-params"] += f":pools={threads}"
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; the library prints a page of settings otherwise
    warnings = _add_hdr(name, fmt, options)
    width, height = fmt.width, fmt.height
    if name in _EVEN_ONLY and (width % 2 or height % 2):
        width, height = width + width % 2, height + height % 2
        warnings.append(f"{name} wants even sizes: {fmt.width}x{fmt.height} is padded to {width}x{height}")
    return Encoder(name, pixel_format, width, height, options, tuple(warnings))


def _default(container: str, fmt: VideoFormat) -> str:
    if container in ("matroska", "nut", "avi"):
        return "ffv1"
    if container == "webm":
        return "libvpx-vp9" if fmt.bit_depth == 8 else "libsvtav1"
    return "libx264"


def _check(name: str, pixel_format: str, asked: str) -> None:
    try:
        codec = av.Codec(name, "w")
    except (av.FFmpegError, ValueError) as error:
        raise UsageError(f"--vcodec: there is no encoder {asked!r}; try h264, hevc, av1, vp9 or ffv1") from error
    if codec.type != "video":
        raise UsageError(f"--vcodec: {asked!r} is no video codec")
    formats = codec.video_formats
    if formats and pixel_format not in {known.name for known in formats}:
        raise UsageError(f"--vcodec: {name} cannot write {pixel_format}; try h264, hevc, av1 or ffv1")


def _add_hdr(name: str, fmt: VideoFormat, options: dict[str, str]) -> list[str]:
    """Mastering display and light level, which these encoders write into the bitstream."""
    display, light = fmt.mastering, fmt.content_light
    if display is None and light is None:
        return []
    keys = {
        "libx264": ("x264-params", "mastering-display", "cll"),
        "libx265": ("x265-params", "master-display", "max-cll"),
        "libsvtav1": ("svtav1-params", "mastering-display", "content-light"),
    }.get(name)
    if keys is None:
        return [f"{name} cannot hold mastering display and light level: dropped"]
    parts = [options[keys[0]]] if keys[0] in options else []
    if display is not None:
        parts.append(f"{keys[1]}={_display_text(display, as_float=name == 'libsvtav1')}")
    if light is not None:
        parts.append(f"{keys[2]}={light.max_content},{light.max_average}")
    options[keys[0]] = ":".join(parts)
    return []


def _display_text(display: MasteringDisplay, as_float: bool) -> str:
    """The G()B()R()WP()L() form that x264 and x265 (integers) and SVT-AV1 (decimals) share."""

    def pair(values: tuple[int, int], unit: int) -> str:
        return ",".join(f"{value / unit:.6f}" if as_float else str(value) for value in values)

    red, green, blue = display.primaries
    points = (("G", green), ("B", blue), ("R", red), ("WP", display.white_point))
    text = "".join(f"{letter}({pair(point, 50000)})" for letter, point in points)
    return f"{text}L({pair((display.max_luminance, display.min_luminance), 10000)})"
