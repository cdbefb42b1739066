"""A clip against what an encoder made of it: all measures of a row, in a process of its own."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from nvcodec.api.threads import cpu_threads
from nvcodec.errors import InputError, NvcodecError, UsageError
from nvcodec.format import VideoFormat
from nvcodec.hardware import tune_allocator
from nvcodec.metrics import FrameMetrics, SequenceMetrics
from nvcodec.metrics.vmaf import vmaf_per_frame
from nvcodec.study.coded import Source
from nvcodec.study.ffmpeg import find_ffmpeg
from nvcodec.study.pictures import Keeper, PictureJob
from nvcodec.video import Picture, Reader, probe, yuv420_to_rgb
from nvcodec.video.picture import sample_type
from nvcodec.video.y4m import format_header

_DB_DIGITS, _RATIO_DIGITS = 4, 6  # of the values per frame
_PLANES = ("psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb")
_RATIOS = ("ssim", "ms_ssim")
_NOT_IN_ROWS = ("mse_yuv",)


def measure(
    source: Source, decoded: Path, metrics: Sequence[str], threads: int = 1, pictures: PictureJob | None = None
) -> dict[str, Any]:
    """The measures of a row, and ``per_frame`` lists of them, of ``decoded`` against the source, matched by index.

    ``decoded`` is y4m of 4:2:0 pictures. Planes are compared with the 4:2:0 pictures that were coded, RGB with the
    source's own where it has more than these. ``metrics`` are of `settings.METRICS`; PSNR is always there. ``vmaf``
    is left out, with a note on stderr, where no ffmpeg with libvmaf is found. ``pictures`` says which frames are kept
    as such; their names are in the result.

    Raises:
        InputError: a file cannot be read, or sizes, bit depths or frame counts differ.
    """
    sequence, frames = SequenceMetrics(), []
    keeper = Keeper(pictures, source.frames) if pictures is not None else None
    for values in _frames(source, decoded, metrics, threads, keeper):
        sequence.add(values)
        frames.append(values)
    result = {name: value for name, value in sequence.result().as_dict().items() if name not in _NOT_IN_ROWS}
    per_frame = _per_frame(frames)
    scores = _vmaf(source, decoded, threads) if "vmaf" in metrics else None
    if scores is not None:
        result["vmaf"] = sum(scores) / len(scores)
        per_frame["vmaf"] = [round(score, _DB_DIGITS) for score in scores]
    return {**result, **(keeper.as_dict() if keeper else {}), "per_frame": per_frame}


def _frames(
    source: Source, decoded: Path, metrics: Sequence[str], threads: int, keeper: Keeper | None
) -> Iterator[FrameMetrics]:
    """Measures ``threads`` frames at a time, each on one core: threads inside of an operator wait for one another,
    which costs many times the work where other jobs share the cores.
    """
    fmt = source.format

    def measured(index: int, ours: Picture, theirs: Picture) -> FrameMetrics:
        rgb = _rgb(ours, fmt), yuv420_to_rgb(theirs, fmt)
        if keeper is not None:
            keeper.keep(index, *rgb)
        return FrameMetrics.of(ours.planes, theirs.planes, fmt.bit_depth, rgb, "ssim" in metrics, "ms-ssim" in metrics)

    with (
        cpu_threads(1),
        ThreadPoolExecutor(threads) as pool,
        Reader(source.clip, audio=False, rgb=True) as reference,
        Reader(decoded, audio=False) as other,
    ):
        _check_size(fmt, other.format)
        running: deque[Future[FrameMetrics]] = deque()
        for index, (ours, theirs) in enumerate(zip_longest(reference, other)):
            if ours is None or theirs is None:
                raise InputError(_uneven(source, decoded))
            running.append(pool.submit(measured, index, ours, theirs))
            if len(running) > threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _rgb(picture: Picture, fmt: VideoFormat) -> Any:
    return yuv420_to_rgb(picture, fmt) if picture.rgb is None else picture.rgb


def _check_size(wanted: VideoFormat, found: VideoFormat) -> None:
    for name in ("width", "height", "bit_depth"):
        if getattr(wanted, name) != getattr(found, name):
            what = name.replace("_", " ")
            raise InputError(f"{what} differs: {getattr(wanted, name)} in the source, {getattr(found, name)} decoded")


def _uneven(source: Source, decoded: Path) -> str:
    with Reader(decoded, audio=False) as reader:
        count = sum(1 for _ in reader)
    return f"{source.name} has {source.frames} frames, its decode {count}"


def why_no_vmaf() -> str | None:
    """Why VMAF cannot be measured here, in one line, or None where it can."""
    try:
        program = find_ffmpeg()
    except UsageError as error:
        return f"VMAF is left out: {error}"
    return None if "libvmaf" in program.filters else f"VMAF is left out: ffmpeg {program.version} has no libvmaf"


def _vmaf(source: Source, decoded: Path, threads: int) -> list[float] | None:
    """VMAF of each frame; a note on stderr and None where nothing can measure it."""
    if why := why_no_vmaf():
        print(why, file=sys.stderr)
        return None
    scores = vmaf_per_frame(_as_y4m(source), decoded, ffmpeg=find_ffmpeg().path, threads=threads)
    if scores is not None and len(scores) != source.frames:
        raise InputError(f"VMAF of {source.name}: {len(scores)} frames were compared, not {source.frames}")
    return scores


def _as_y4m(source: Source) -> Iterator[bytes]:
    """The source's 4:2:0 pictures as a y4m stream, sample by sample what the planes' PSNRs are taken of."""
    sample = np.dtype(sample_type(source.format.bit_depth)).newbyteorder("<")
    yield format_header(source.format)
    with Reader(source.clip, audio=False) as reader:
        for picture in reader:
            yield b"FRAME\n" + b"".join(np.ascontiguousarray(plane, sample).tobytes() for plane in picture.planes)


def _per_frame(frames: Sequence[FrameMetrics]) -> dict[str, list[float | None]]:
    """Lists by name, rounded; what no frame has is left out."""
    lists: dict[str, list[float | None]] = {}
    for names, digits in ((_PLANES, _DB_DIGITS), (_RATIOS, _RATIO_DIGITS)):
        for name in names:
            values = [getattr(frame, name) for frame in frames]
            if any(value is not None for value in values):
                lists[name] = [None if value is None else round(value, digits) for value in values]
    return lists


def measure_command(
    source: Source, decoded: Path, metrics: Sequence[str], threads: int = 1, pictures: PictureJob | None = None
) -> list[str]:
    """`measure` as a command, which prints the result as one JSON object on stdout."""
    named = {"name": source.name, "clip": str(source.clip), "pictures": str(source.pictures), "frames": source.frames}
    job = {**named, "decoded": str(decoded), "metrics": list(metrics), "threads": threads}
    if pictures is not None:
        job["kept"] = pictures.as_dict()
    return [sys.executable, "-m", "nvcodec.study.measure", json.dumps(job)]


def main(arguments: Sequence[str]) -> int:
    """Runs what `measure_command` says; an error is one line on stderr and its exit code."""
    job = json.loads(arguments[0])
    clip, pictures, threads = Path(job["clip"]), Path(job["pictures"]), job["threads"]
    try:
        tune_allocator()
        fmt = probe(clip).format
        source = Source(job["name"], clip, pictures, fmt, job["frames"], fmt.frame_rate or Fraction(25))
        kept = PictureJob.from_dict(job["kept"]) if "kept" in job else None
        result = measure(source, Path(job["decoded"]), job["metrics"], threads, kept)
    except NvcodecError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
