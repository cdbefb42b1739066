"""Whether long chains drift: the PSNR of the last frames of the longest chain, beside that of the same frames in fresh
groups.

    python -m eval.drift CLIP... --qualities 16,40 --structure low-delay --out eval/results/drift.jsonl

The first frames of each clip are coded as one group with a single key frame: 33 of them in low delay, where a longer
group would begin a new chain, 64 in random access, as many as a group usually has. Its last 12 and 24 frames are coded
again as groups of their own, each with a key frame. Figures are means over the last 8 frames, so that a single picture
does not decide. A row holds all of them and what the chain lost, in dB: positive where the fresh group is better.
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
from nvcodec.codecs.structure import LONGEST_CHAIN
from nvcodec.format import VideoFormat
from nvcodec.metrics.psnr import psnr_yuv
from nvcodec.provenance import commit, machine
from nvcodec.video import Reader

LAST = 8  # frames whose PSNR counts
CODEC = "conditional"
LONGEST = {"low-delay": LONGEST_CHAIN, "random-access": 64}  # frames behind one key frame, it among them


def coded_psnr(frames: list[Planes], fmt: VideoFormat, spec: GroupSpec) -> tuple[list[float], int]:
    """PSNR YUV of each decoded frame of one group, and its bytes.

    Raises SystemExit where a cut made a second key frame: the chain would not be as long as it seems.
    """
    codec = get_codec(CODEC)
    payload = codec.encode_group(frames, fmt, spec)
    keys = sum(not unit.references for unit in payload.units)
    if keys != 1:
        raise SystemExit(f"{len(frames)} frames have {keys} key frames: no chain of that length")
    decoder = codec.open_group(payload.config, payload.units, fmt, len(frames))
    return [psnr_yuv(a, decoder.planes(t), fmt.bit_depth) for t, a in enumerate(frames)], payload.size


def measure(clip: Path, spec: GroupSpec, fresh: list[int]) -> dict[str, object]:
    """A row of a clip at a quality."""
    length = LONGEST[str(spec.structure)]
    with Reader(clip, audio=False) as reader:
        fmt, frames = reader.format, [picture.planes for picture in islice(reader, length)]
    if len(frames) < length:
        raise SystemExit(f"{clip}: has {len(frames)} frames, {length} are needed")
    values, size = coded_psnr(frames, fmt, spec)
    end = float(np.mean(values[-LAST:]))
    found = {str(each): float(np.mean(coded_psnr(frames[-each:], fmt, spec)[0][-LAST:])) for each in fresh}
    return {
        "clip": clip.name, "quality": spec.quality, "structure": spec.structure, "frames": length, "chain": end,
        "fresh": found, "lost": {each: value - end for each, value in found.items()},
        "early": float(np.mean(values[LAST : 2 * LAST])), "bytes": size, "model": spec.model, "commit": commit(),
        "machine": machine(),
    }  # fmt: skip


def lengths(text: str) -> list[int]:
    """Lengths of fresh groups, in frames, of an option."""
    found = [int(each) for each in text.split(",")]
    if not all(LAST <= each <= LONGEST_CHAIN for each in found):
        raise argparse.ArgumentTypeError(f"fresh groups have {LAST} to {LONGEST_CHAIN} frames")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m eval.drift", description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--qualities", default="16,40")
    parser.add_argument("--structure", default="low-delay", choices=STRUCTURES)
    parser.add_argument("--fresh", type=lengths, default="12,24", help="frames of the fresh groups (default: 12,24)")
    parser.add_argument("--model", help="a file of weights")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with cpu_threads(given.threads):
        for clip in given.clips:
            for quality in given.qualities.split(","):
                spec = GroupSpec(float(quality), preset="faster", structure=given.structure, model=given.model)
                row = json.dumps(measure(clip, spec, given.fresh))
                print(row, flush=True)
                if given.out is not None:
                    with given.out.open("a", encoding="utf-8") as file:
                        file.write(row + "\n")


if __name__ == "__main__":
    main()
