"""VMAF through an FFmpeg program: the scale, the order of arguments, what is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nvcodec.errors import InputError
from nvcodec.metrics.vmaf import vmaf, vmaf_per_frame
from nvcodec.video import Reader, Writer


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    filters = subprocess.run([program, "-hide_banner", "-filters"], capture_output=True, text=True, check=False).stdout
    if " libvmaf " not in filters:
        pytest.skip("this ffmpeg has no libvmaf")
    return program


@pytest.fixture(scope="module")
def clip(make_clip: Callable[..., Path], bikes: Path) -> Path:
    return make_clip(bikes, 256, 192, 4)


def coarser(source: Path, target: Path, step: int) -> Path:
    """Luma in steps, at another frame rate: frames are compared by index."""
    with Reader(source) as reader, Writer(target, replace(reader.format, frame_rate=reader.format.frame_rate * 2)) as w:
        for picture in reader:
            w.write(replace(picture, y=(picture.y // step * step).astype(np.uint8)))
    return target


def test_worse_pictures_score_lower(ffmpeg: str, clip: Path, tmp_path: Path) -> None:
    same = vmaf(clip, clip, ffmpeg=ffmpeg)
    fine, coarse = (vmaf(clip, coarser(clip, tmp_path / f"{n}.y4m", n), ffmpeg=ffmpeg) for n in (8, 48))
    assert same is not None and fine is not None and coarse is not None
    assert same > 95 and same > fine > coarse >= 0


def test_equals_the_filter_called_by_hand(ffmpeg: str, clip: Path, tmp_path: Path) -> None:
    other = coarser(clip, tmp_path / "a.y4m", 16)
    inputs = ["-r", "25", "-i", str(other), "-r", "25", "-i", str(clip)]
    graph = ["-lavfi", "libvmaf=log_fmt=csv:log_path=log.csv", "-f", "null", "-"]
    subprocess.run([ffmpeg, "-loglevel", "error", *inputs, *graph], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    header, *lines = (line.split(",") for line in (tmp_path / "log.csv").read_text().split())
    wanted = [float(line[header.index("vmaf")]) for line in lines]
    frames = vmaf_per_frame(clip, other, ffmpeg=ffmpeg)
    assert frames == pytest.approx(wanted, abs=1e-4) and len(wanted) == 4
    assert vmaf(clip, other, ffmpeg=ffmpeg, threads=2) == pytest.approx(sum(wanted) / 4, abs=1e-4)


def test_a_stream_in_pieces_is_as_good_as_a_file(ffmpeg: str, clip: Path, tmp_path: Path) -> None:
    other, data = coarser(clip, tmp_path / "a.y4m", 16), clip.read_bytes()
    pieces = (data[start : start + 50_000] for start in range(0, len(data), 50_000))
    assert vmaf_per_frame(pieces, other, ffmpeg=ffmpeg) == vmaf_per_frame(clip, other, ffmpeg=ffmpeg)
    with pytest.raises(InputError, match="VMAF of"):
        vmaf_per_frame(iter([b"nothing\n"] + [bytes(1 << 20)] * 8), other, ffmpeg=ffmpeg)


@pytest.mark.parametrize("label", [b"FULL", b"LIMITED"])
def test_labels_of_range_change_no_sample(ffmpeg: str, clip: Path, tmp_path: Path, label: bytes) -> None:
    other = coarser(clip, tmp_path / "a.y4m", 16)
    header, rest = clip.read_bytes().split(b"\n", 1)
    (tmp_path / "b.y4m").write_bytes(header + b" XCOLORRANGE=" + label + b"\n" + rest)
    assert vmaf(tmp_path / "b.y4m", other, ffmpeg=ffmpeg) == vmaf(clip, other, ffmpeg=ffmpeg)


def test_what_cannot_be_compared_is_one_line(ffmpeg: str, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "a.y4m").write_bytes(b"nothing\n")
    for path, words in ((tmp_path / "none.y4m", "no such file"), (tmp_path / "a.y4m", "VMAF of")):
        with pytest.raises(InputError, match=words) as caught:
            vmaf(clip, path, ffmpeg=ffmpeg)
        assert "\n" not in str(caught.value)


def test_without_a_program_there_is_none(clip: Path, tmp_path: Path) -> None:
    assert vmaf(clip, clip, ffmpeg=tmp_path / "ffmpeg") is None
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\necho \"No such filter: 'libvmaf'\" >&2\nexit 1\n")
    fake.chmod(0o755)
    assert vmaf(clip, clip, ffmpeg=fake) is None
