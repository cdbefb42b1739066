"""The classical encoders of studies and how each is called through FFmpeg: presets, dials, structures, as data.

All are tuned for PSNR, which tables show, as far as they have such a tuning: x264 and x265 ``tune=psnr`` (nothing
psychovisual, no adaptive quantisation), SVT-AV1 ``tune=1``, libaom ``tune=psnr`` and no ``aq-mode``, VVenC no ``qpa``.
``low-delay`` is one structure for all: pictures are coded in display order, without a look at later ones, and only the
first is intra unless a key interval is given (the low-delay P or B condition of the JCT-VC common test conditions).
Random access is each encoder's normal mode. Unless a key interval is given it is the encoder's own, and these differ:
x264 and x265 250 frames, SVT-AV1 about 5 s, VVenC 1 s, libaom none; on clips longer than a second, name one to be fair.
libaom codes in one pass with its look-ahead, as FFmpeg calls it by default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Options = dict[str, str]  # of FFmpeg's output
_NEVER = 9999  # libaom's own default distance of key frames


@dataclass(frozen=True)
class Call:
    """What one encode asks of an encoder."""

    preset: str
    rate: float  # CRF, or QP
    low_delay: bool
    threads: int
    keyint: int | None = None


@dataclass(frozen=True)
class Encoder:
    """One encoder in FFmpeg's terms."""

    library: str
    muxer: str  # of the elementary stream; also its demuxer's name and the file's suffix
    presets: tuple[str, ...]
    default: str
    preset_name: str = ""  # what stands before a preset that is a number
    ladder: tuple[int, int] = (20, 50)  # from about 42 dB down to what a weak codec reaches too
    options: Callable[[Call], Options] = field(default=lambda call: {})
    info_units: str = ""  # types of units that hold messages and no pictures (filter_units)
    dial_range: tuple[float, float] = (0, 51)
    step: float = 0.25  # the finest of the dial
    dial: str = "crf"  # or "qp"
    odd_sizes: bool = False  # takes pictures of odd width or height


def _joined(parameters: Mapping[str, object]) -> str:
    return ":".join(f"{name}={value}" for name, value in parameters.items())


def _x264(call: Call) -> Options:
    # sliced threads would cut each picture into pieces: a loss in rate for no lower structural delay
    low = {"keyint": call.keyint or "infinite", "scenecut": 0, "sliced-threads": 0}
    options = {"preset": call.preset, "tune": "psnr", "crf": f"{call.rate:g}", "threads": str(call.threads)}
    if call.low_delay:
        return {**options, "tune": "psnr,zerolatency", "x264-params": _joined(low)}
    return options | ({"g": str(call.keyint)} if call.keyint else {})


def _x265(call: Call) -> Options:
    """One tune only may be named, so what ``zerolatency`` does is said in full."""
    frames = _frame_threads(call.threads)
    parameters: dict[str, object] = {"log-level": "error", "info": 0, "pools": call.threads, "frame-threads": frames}
    if call.low_delay:
        parameters |= {"frame-threads": 1, "bframes": 0, "b-adapt": 0, "rc-lookahead": 0, "cutree": 0, "scenecut": 0}
        parameters["keyint"] = call.keyint or -1
    elif call.keyint:
        parameters["keyint"] = call.keyint
    options = {"preset": call.preset, "tune": "psnr", "crf": f"{call.rate:g}"}
    return {**options, "x265-params": _joined(parameters)}


def _frame_threads(threads: int) -> int:
    """x265's own choice for that many cores (its documentation, --frame-threads), whatever machine this is."""
    return next(frames for cores, frames in ((32, 6), (16, 5), (8, 3), (4, 2), (0, 1)) if threads >= cores)


def _svtav1(call: Call) -> Options:
    """``lp`` is a level of parallelism and no number of threads; this one is SVT-AV1's own for that many cores."""
    level = next(level for cores, level in ((24, 6), (12, 5), (6, 4), (3, 3), (2, 2), (0, 1)) if call.threads >= cores)
    parameters: dict[str, object] = {"crf": f"{call.rate:g}", "tune": 1, "lp": level}
    if call.low_delay:
        parameters |= {"pred-struct": 1, "keyint": call.keyint or -1}
    elif call.keyint:
        parameters["keyint"] = call.keyint
    return {"preset": call.preset, "svtav1-params": _joined(parameters)}


def _aom(call: Call) -> Options:
    options = {"cpu-used": call.preset, "crf": f"{call.rate:g}", "b:v": "0", "tune": "psnr", "aq-mode": "0"}
    options |= {"threads": str(call.threads), "row-mt": "1"}
    if call.low_delay:  # least distance = largest: no key frame at a cut
        keyint = str(call.keyint or _NEVER)
        options |= {"lag-in-frames": "0", "g": keyint, "keyint_min": keyint}
    elif call.keyint:
        options["g"] = str(call.keyint)
    return options


def _vvenc(call: Call) -> Options:
    """Pictures are coded with 10 bits, as in the common test conditions; those of 8 bits are shifted up and back."""
    options = {"preset": call.preset, "qp": f"{call.rate:g}", "qpa": "0", "threads": str(call.threads)}
    parameters: dict[str, object] = {}
    if call.low_delay:
        parameters = {"picreordering": 0, "decodingrefreshtype": "none", "gopsize": 8, "lookahead": 0}
        parameters["intraperiod"] = call.keyint or -1
    elif call.keyint:
        parameters["intraperiod"] = call.keyint
    return options | ({"vvenc-params": _joined(parameters)} if parameters else {})


_X26X = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_AV1 = tuple(map(str, range(14)))
_VVENC = ("faster", "fast", "medium", "slow", "slower")

ENCODERS: dict[str, Encoder] = {
    "x264": Encoder("libx264", "h264", _X26X, "medium", ladder=(21, 51), options=_x264, info_units="6"),
    "x265": Encoder("libx265", "hevc", _X26X, "medium", ladder=(21, 51), options=_x265, info_units="39|40"),
    "svtav1": Encoder("libsvtav1", "obu", _AV1[:14], "6", "preset ", (20, 63), _svtav1, "5", (1, 63), odd_sizes=True),
    "aom": Encoder("libaom-av1", "obu", _AV1[:9], "4", "cpu-used ", (20, 63), _aom, "5", (0, 63), 1, odd_sizes=True),
    "vvenc": Encoder("libvvenc", "vvc", _VVENC, "medium", "", (20, 50), _vvenc, "23|24", (0, 63), 1, "qp"),
}
"""Name of an anchor to how it is called. Types of information units: SEI of H.264, HEVC and VVC, metadata of AV1."""
