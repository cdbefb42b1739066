"""One clip coded to a number of bits per pixel, and its measures: a real file, or a payload where there is no PyAV.

The file is made, decoded and measured by the real commands, each in a fresh process. Where pictures come as arrays,
they are coded as one group in this process; what a file adds to a payload (under 200 bytes) is not counted then.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.pictures import Pictures, rgb_maker, to_rgb
from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.registry import get_codec
from nvcodec.hardware import fast_precision
from nvcodec.metrics import FrameMetrics, SequenceMetrics, bpp
from nvcodec.study.coded import shown
from nvcodec.study.processes import nvcodec_command, run_nvcodec


@dataclass(frozen=True)
class Goal:
    """What to code: either ``preset`` or ``seconds`` is set."""

    codec: str
    bpp: float
    preset: str | None = None
    seconds: float | None = None
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None

    @property
    def effort(self) -> str:
        """ "fast", or "60s"."""
        return f"{self.seconds:g}s" if self.preset is None else self.preset


def coded_file(clip: Path, frames: int, goal: Goal) -> dict[str, Any]:
    """Encodes, decodes and measures with the real commands.

    Raises:
        NvcodecError: one of them failed.
    """
    effort = ("--preset", goal.effort) if goal.preset is not None else ("--time-budget", goal.effort)
    shared = ("--device", goal.device, *(("--threads", str(goal.threads)) if goal.threads else ()))
    options = ("--bpp", f"{goal.bpp:g}", "--codec", goal.codec, *effort, "--seed", str(goal.seed), "--no-audio")
    with tempfile.TemporaryDirectory() as folder:
        coded, decoded = Path(folder, "coded.nvc"), Path(folder, "decoded.y4m")
        encode = run_nvcodec("encode", str(clip), str(coded), *options, *shared, "--quiet", "-y")
        decode = run_nvcodec("decode", str(coded), str(decoded), *shared, "--quiet", "-y")
        decoded.unlink()
        measured = run_nvcodec("eval", str(clip), str(coded), *shared, "--json").last_object()
    return {
        **{name: measured[name] for name in ("bytes", "video_bytes", "bpp", "psnr_rgb", "psnr_yuv", "ms_ssim")},
        **{name: measured[name] for name in ("psnr_y", "psnr_u", "psnr_v")},
        "encode_seconds": encode.seconds,
        "encode_peak_bytes": encode.peak_bytes,
        "decode_seconds": decode.seconds,
        "decode_fps": frames / decode.seconds,
        "encode_command": shown(encode.command[len(nvcodec_command()) - 1 :], "nvcodec"),
        "made": "file",
    }


def coded_payload(pictures: Pictures, goal: Goal) -> dict[str, Any]:
    """Codes all pictures as one group in this process, opens it again, and measures what it shows."""
    fmt, frames = pictures.format, pictures.frames
    target = int(goal.bpp * fmt.width * fmt.height * len(frames) / 8)
    precision = fast_precision(goal.device)
    spec = GroupSpec(
        target_bytes=target,
        preset=goal.preset or GroupSpec.preset,
        seconds=goal.seconds if goal.preset is None else None,
        seed=goal.seed,
        device=goal.device,
        precision=precision,
    )
    codec = get_codec(goal.codec)
    coded = codec.encode_group(frames, fmt, spec)
    started = time.perf_counter()
    opened = codec.open_group(coded.config, coded.units, fmt, len(frames), goal.device)
    shown = [opened.planes(index) for index in range(len(frames))]
    seconds = time.perf_counter() - started
    sequence = SequenceMetrics()
    for source, other in zip(frames, shown, strict=True):
        sequence.add(FrameMetrics.of(source, other, fmt.bit_depth, (to_rgb(source, fmt), to_rgb(other, fmt))))
    found = sequence.result()
    names = ("psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb", "ms_ssim")
    return {
        "bytes": coded.size,
        "video_bytes": coded.size,
        "bpp": bpp(coded.size, fmt.width, fmt.height, len(frames)),
        **{name: getattr(found, name) for name in names},
        "encode_seconds": coded.seconds,
        "decode_seconds": seconds,
        "decode_fps": len(frames) / seconds,
        "steps": coded.steps,
        "precision": precision,
        "rgb": rgb_maker(),
        "made": "payload",
    }
