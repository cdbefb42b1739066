"""Whether long chains drift: the PSNR of frame 64 behind its key frame, beside that of the same frame in fresh groups.

    python -m eval.drift CLIP... --qualities 16,40 --structure low-delay --out eval/results/drift.jsonl

Each clip is coded from its first frame on as one group, and again in groups that begin ``--fresh`` frames before frame
64; figures are means over frames 60 to 67, so that a single picture does not decide. A row holds both, and their
difference.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import numpy as np

from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import STRUCTURES, GroupSpec, Planes
from nvcodec.codecs.registry import get_codec
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.provenance import commit
from nvcodec.video import Reader

FRAME, FIRST, LAST = 64, 60, 68
CODEC = "conditional"


def coded_psnr(frames: list[Planes], fmt: VideoFormat, spec: GroupSpec) -> tuple[list[float], int]:
    """PSNR YUV of each decoded frame of one group, and its bytes."""
    codec = get_codec(CODEC)
    payload = codec.encode_group(frames, fmt, spec)
    decoder = codec.open_group(payload.config, payload.units, fmt, len(frames))
    return [psnr_yuv(a, decoder.planes(t), fmt.bit_depth) for t, a in enumerate(frames)], payload.size


def measure(clip: Path, spec: GroupSpec, fresh: list[int]) -> dict[str, object]:
    """A row of a clip at a quality."""
    with Reader(clip, audio=False) as reader:
        fmt, frames = reader.format, [picture.planes for picture in islice(reader, LAST)]
    if len(frames) < LAST:
        raise SystemExit(f"{clip}: has {len(frames)} frames, {LAST} are needed")
    values, size = coded_psnr(frames, fmt, spec)
    chain = float(np.mean(values[FIRST:LAST]))
    found: dict[str, float] = {}
    for before in fresh:
        begin = FRAME - before
        again, _ = coded_psnr(frames[begin:], fmt, spec)
        found[str(before)] = float(np.mean(again[FIRST - begin :]))
    return {
        "clip": clip.name, "quality": spec.quality, "structure": spec.structure, "chain": chain, "fresh": found,
        "lost": {before: value - chain for before, value in found.items()},
        "early": float(np.mean(values[8:16])), "bytes": size, "model": spec.model, "commit": commit(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m eval.drift", description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--qualities", default="16,40")
    parser.add_argument("--structure", default="low-delay", choices=STRUCTURES)
    parser.add_argument("--fresh", default="12,24", help="frames from a fresh key frame to frame 64")
    parser.add_argument("--model", help="a file of weights")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    fresh = [int(each) for each in given.fresh.split(",")]
    with cpu_threads(given.threads):
        for clip in given.clips:
            for quality in given.qualities.split(","):
                spec = GroupSpec(float(quality), preset="faster", structure=given.structure, model=given.model)
                row = json.dumps(measure(clip, spec, fresh))
                print(row, flush=True)
                if given.out is not None:
                    with given.out.open("a", encoding="utf-8") as file:
                        file.write(row + "\n")


if __name__ == "__main__":
    main()
