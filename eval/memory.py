"""Peak memory of an encode and a decode, each in a process of its own: ``python -m eval.memory CLIP``.

``--frames 1000`` loops the clip to that length, which shows whether memory grows with it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from nvcodec.provenance import ROOT
from nvcodec.study.ffmpeg import find_ffmpeg
from nvcodec.study.processes import run_measured

_PATH = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
_ENCODE = """
from nvcodec.codecs import sizing
steps, gof = int(sys.argv[3]), int(sys.argv[4])
if steps:
    sizing.FEWEST_STEPS["faster"], sizing.EPOCHS["faster"] = steps, 0
import nvcodec
settings = {"codec": sys.argv[5], "preset": "faster", "quality": 0 if steps else 32, "gof": gof or None, "threads": 1}
nvcodec.encode(sys.argv[1], sys.argv[2], **settings)
"""
_DECODE = "import nvcodec; nvcodec.decode(sys.argv[1], sys.argv[2], threads=1)"


def peaks(clip: Path, folder: Path, steps: int = 0, gof: int = 0, codec: str = "hnerv") -> dict[str, int]:
    """Bytes of the largest resident set of "encode" and "decode".

    ``folder`` is made for the results; ``steps`` of the optimiser a group and ``gof`` frames a group, 0 for the
    defaults. Memory does not depend on the number of steps.

    Raises:
        NvcodecError: a process failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    coded, shown = folder / "memory.nvc", folder / "memory.y4m"
    for path in (coded, shown):
        path.unlink(missing_ok=True)
    encode = [sys.executable, "-c", _PATH + _ENCODE, str(clip), str(coded), str(steps), str(gof), codec]
    decode = [sys.executable, "-c", _PATH + _DECODE, str(coded), str(shown)]
    return {"encode": run_measured(encode).peak_bytes, "decode": run_measured(decode).peak_bytes}


def looped(clip: Path, frames: int, folder: Path) -> Path:
    """The clip's packets over and over, up to ``frames`` pictures, in a Matroska file; nothing is coded anew."""
    out = folder / f"{clip.stem}_{frames}.mkv"
    call = ["-v", "error", "-y", "-stream_loop", "-1", "-i", str(clip), "-map", "0:v:0", "-c", "copy"]
    subprocess.run([find_ffmpeg().path, *call, "-frames:v", str(frames), str(out)], check=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--steps", type=int, default=20, help="of the optimiser a group (default: 20; 0: the preset's)")
    parser.add_argument("--gof", type=int, default=0, help="frames a group")
    parser.add_argument("--codec", default="hnerv", help="a fitted codec (default: hnerv)")
    parser.add_argument("--frames", type=int, nargs="+", default=[], help="loop the clip to these lengths")
    given = parser.parse_args()
    print(f"{'clip':32} {'encode':>10} {'decode':>10}")
    for clip in given.clips:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for length in given.frames or [0]:
                source = looped(clip, length, folder) if length else clip
                found = peaks(source, folder, given.steps, given.gof, given.codec)
                print(f"{source.name:32} {found['encode'] / 1e6:7.0f} MB {found['decode'] / 1e6:7.0f} MB", flush=True)


if __name__ == "__main__":
    main()
