"""Classical anchors of a study: one encoder in one configuration, a real file at one CRF or QP, and its decode.

A file is an elementary stream without messages (SEI, metadata), so its bytes are pictures and parameter sets alone: the
anchors' best case. Every encoder gets the very 4:2:0 pictures that nvcodec codes, in order, at a constant frame rate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nvcodec.errors import NvcodecError, UsageError
from nvcodec.study.chains import decode_chain, encode_chain
from nvcodec.study.coded import Coded, Source, shown
from nvcodec.study.encoders import ENCODERS, Call, Encoder
from nvcodec.study.ffmpeg import Ffmpeg, ffmpeg_python, find_ffmpeg, run_ffmpeg
from nvcodec.study.packets import stream_bits

STRUCTURES = ("low-delay", "random-access")
_WIDE = "yuv420p10le"
_QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error", "-y")


@dataclass(frozen=True)
class AnchorSpec:
    """One encoder in one configuration: a curve of a study."""

    codec: str  # of ENCODERS
    preset: str
    low_delay: bool = False

    @classmethod
    def parse(cls, text: str) -> AnchorSpec:
        """``NAME[:PRESET][:low-delay|:random-access]``; random access is the default.

        Raises:
            UsageError: no such encoder or preset, or a word too many.
        """
        name, *words = text.split(":")
        if name not in ENCODERS:
            raise UsageError(f"there is no anchor {name!r}{_nearest(name, tuple(ENCODERS))}")
        encoder = ENCODERS[name]
        structures = [word for word in words if word in STRUCTURES]
        presets = [word for word in words if word not in STRUCTURES]
        for preset in presets:
            if preset not in encoder.presets:
                raise UsageError(f"{name} has no preset {preset!r}{_nearest(preset, (*encoder.presets, *STRUCTURES))}")
        if len(structures) > 1 or len(presets) > 1:
            raise UsageError(f"an anchor is NAME[:PRESET][:low-delay], not {text!r}")
        return cls(name, presets[0] if presets else encoder.default, structures == ["low-delay"])

    @property
    def encoder(self) -> Encoder:
        """How it is called."""
        return ENCODERS[self.codec]

    @property
    def configuration(self) -> str:
        """ "medium", "veryslow low-delay", "preset 6"."""
        return f"{self.encoder.preset_name}{self.preset}{' low-delay' if self.low_delay else ''}"

    @property
    def dial(self) -> str:
        """ "crf", or "qp" of encoders that have no CRF."""
        return self.encoder.dial

    def check_rate(self, rate: float) -> None:
        """Raises UsageError for a CRF or QP that the encoder does not have."""
        low, high = self.encoder.dial_range
        if not low <= rate <= high or rate % self.encoder.step:
            steps = "in whole steps" if self.encoder.step == 1 else f"in steps of {self.encoder.step:g}"
            raise UsageError(f"{self.codec}: {self.dial} is {low:g} to {high:g} {steps}, not {rate:g}")

    def ladder(self, points: int) -> list[float]:
        """``points`` values of the dial, evenly from about 42 dB down to what weak codecs reach; one is the middle.

        Raises:
            UsageError: more than the dial has.
        """
        first, last = self.encoder.ladder
        if points == 1:
            return [float((first + last) // 2)]
        step = 1.0 if points <= last - first + 1 else self.encoder.step
        if points > (last - first) / step + 1:
            raise UsageError(f"{self.codec} has no {points} points from {self.dial} {first} to {last}")
        return [step * round((first + (last - first) * i / (points - 1)) / step) for i in range(points)]


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, 1)
    return (f"; did you mean {near[0]}?" if near else "") + f" (there are: {', '.join(known)})"


def available() -> list[str]:
    """Names of the anchors that the ffmpeg found here can encode; none without an ffmpeg."""
    try:
        encoders = find_ffmpeg().encoders
    except UsageError:
        return []
    return [name for name, encoder in ENCODERS.items() if encoder.library in encoders]


def check_available(spec: AnchorSpec) -> Ffmpeg:
    """The ffmpeg that has the anchor's encoder.

    Raises:
        UsageError: no ffmpeg, or one without that encoder.
    """
    program = find_ffmpeg()
    if spec.encoder.library not in program.encoders:
        others = ", ".join(available()) or "none"
        raise UsageError(
            f"ffmpeg {program.version} has no {spec.encoder.library}, which the anchor {spec.codec} needs "
            f"(anchors that it has: {others})"
        )
    return program


def encode(
    spec: AnchorSpec, rate: float, source: Source, folder: Path, threads: int = 1, keyint: int | None = None
) -> Coded:
    """Encodes ``source.pictures`` at a CRF or QP into ``folder``, and decodes the file to y4m, each in a fresh process.

    ``keyint`` is the most frames from one key frame to the next, by default the encoder's own; ``threads`` is given to
    encoder and decoder.

    Raises:
        UsageError: no ffmpeg, encoder, bit depth or rate of that kind.
        NvcodecError: the encoder or the decoder failed, or frames were lost.
    """
    spec.check_rate(rate)
    program = check_available(spec)
    depth = _coded_depth(spec, source, program)
    folder = folder.resolve()
    slug = re.sub(r"[^\w.+-]+", "-", f"{Path(source.name).stem}.{spec.codec}.{spec.dial}{rate:g}")
    file, decoded = folder / f"{slug}.{spec.encoder.muxer}", folder / f"{slug}.y4m"
    call = Call(spec.preset, rate, spec.low_delay, threads, keyint)
    encoding = run_ffmpeg([program.path, *encode_arguments(spec, call, source, depth, file)])
    decoding = run_ffmpeg([program.path, *decode_arguments(spec, source, depth, file, decoded, threads)])
    _check_frames(decoded, source, spec)
    bits = stream_bits(file, spec.encoder.muxer, threads)
    return Coded(
        file=file,
        video_bytes=file.stat().st_size,
        decoded=decoded,
        encode=encoding,
        decode=decoding,
        command=shown(encoding.command, "ffmpeg"),
        decode_command=shown(decoding.command, "ffmpeg"),
        encoder=f"{spec.encoder.library} of ffmpeg {program.version}",
        frame_bits=bits.frames if len(bits.frames) == source.frames else [],
        groups=bits.groups if len(bits.frames) == source.frames else [],
    )


def _coded_depth(spec: AnchorSpec, source: Source, program: Ffmpeg) -> str:
    """The pixel format that the encoder gets: the source's own, or 10 bits where it codes nothing else."""
    known = program.pixel_formats(spec.encoder.library)
    wanted = source.pixel_format
    if not known or wanted in known:
        return wanted
    if wanted == "yuv420p" and _WIDE in known:
        return _WIDE
    raise UsageError(f"{spec.encoder.library} of ffmpeg {program.version} cannot code {source.format.bit_depth} bits")


def encode_arguments(spec: AnchorSpec, call: Call, source: Source, depth: str, file: Path) -> list[str]:
    """FFmpeg's arguments: every picture as it is, none dropped or doubled, timestamps by the frame rate alone."""
    encoder = spec.encoder
    options = {
        "map": "0:V:0",
        "vf": encode_chain(source, depth, pad=not encoder.odd_sizes),
        "fps_mode": "passthrough",
        "frames:v": source.frames,
        "c:v": encoder.library,
        **encoder.options(call),
        "bsf:v": f"filter_units=remove_types={encoder.info_units}",
        "f": encoder.muxer,
    }
    given = {"noautorotate": None, "r": _rate(source), "threads": call.threads}
    return _compiled(source.pictures.resolve(), given, file, options)


def decode_arguments(
    spec: AnchorSpec, source: Source, depth: str, file: Path, decoded: Path, threads: int
) -> list[str]:
    """FFmpeg's arguments for all pictures in display order, in the source's size and bit depth, as y4m."""
    options = {
        "map": "0:V:0",
        "vf": decode_chain(source, depth, crop=not spec.encoder.odd_sizes),
        "fps_mode": "passthrough",
        "strict": "-1",  # y4m of 10 bits
        "f": "yuv4mpegpipe",
    }
    given = {"f": spec.encoder.muxer, "r": _rate(source), "threads": threads}
    return _compiled(file, given, decoded, options)


def _rate(source: Source) -> str:
    return f"{source.frame_rate.numerator}/{source.frame_rate.denominator}"


def _compiled(source: Path, given: dict[str, Any], target: Path, options: dict[str, Any]) -> list[str]:
    ffmpeg = ffmpeg_python()
    stream = ffmpeg.output(ffmpeg.input(str(source), **given), str(target), **options)
    return list(stream.global_args(*_QUIET).compile(cmd="ffmpeg"))[1:]


def _check_frames(decoded: Path, source: Source, spec: AnchorSpec) -> None:
    """Raises NvcodecError unless the y4m holds exactly the source's frames; its size tells."""
    fmt = source.format
    samples = fmt.width * fmt.height + 2 * fmt.chroma_width * fmt.chroma_height
    frame = len(b"FRAME\n") + samples * (1 if fmt.bit_depth == 8 else 2)
    with decoded.open("rb") as file:
        header = len(file.readline(1024))
    frames, rest = divmod(decoded.stat().st_size - header, frame)
    if frames != source.frames or rest:
        raise NvcodecError(f"{spec.codec} gave {frames} frames of {source.name}, which has {source.frames}")
