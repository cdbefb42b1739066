"""The measures of a decode: what is compared with what, per frame and over all, and against ffmpeg's own filters."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nvcodec.errors import InputError, UsageError
from nvcodec.metrics import psnr, psnr_rgb, ssim
from nvcodec.study import measure as module
from nvcodec.study.coded import Source
from nvcodec.study.measure import main, measure, measure_command
from nvcodec.study.processes import run_measured
from nvcodec.study.rows import Row
from nvcodec.study.sources import prepare
from nvcodec.video import Reader, Writer, yuv420_to_rgb

ALL = ("psnr", "ssim", "ms-ssim", "vmaf")
BASIC = ("psnr", "ssim")


@pytest.fixture(scope="module")
def program() -> str:
    return pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()


@pytest.fixture(scope="module")
def pair(bikes: Path, make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Path]:
    """Four frames of 192x176, and a decode of them that gets worse from frame to frame."""
    source = prepare(make_clip(bikes, 192, 176, 4), tmp_path_factory.mktemp("made"))
    return source, noisy(source, tmp_path_factory.mktemp("decoded") / "decoded.y4m")


def noisy(source: Source, target: Path, frames: int | None = None, shift: int = 0) -> Path:
    """The source's pictures with noise, from frame 1 on, as y4m at another frame rate."""
    rng, top = np.random.default_rng(1), (1 << source.format.bit_depth) - 1
    fmt = replace(source.format, frame_rate=source.frame_rate * 2)
    with Reader(source.pictures, limit=frames) as reader, Writer(target, fmt) as writer:
        for index, picture in enumerate(reader):
            planes = [
                np.clip(p + rng.integers(-3 * index, 3 * index + 1, p.shape) + shift, 0, top).astype(p.dtype)
                for p in picture.planes
            ]
            writer.write(replace(picture, y=planes[0], u=planes[1], v=planes[2]))
    return target


def test_all_measures_are_fields_of_a_row(pair: tuple[Source, Path]) -> None:
    result = measure(*pair, ("psnr", "ssim", "ms-ssim"))
    assert set(result) <= {field.name for field in fields(Row)}
    frames = result["per_frame"]
    assert set(frames) == {"psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb", "ssim", "ms_ssim"}
    assert all(len(values) == 4 for values in frames.values()) and result["frames"] == 4
    assert frames["psnr_yuv"][0] == 100.0 and frames["ssim"][0] == frames["ms_ssim"][0] == 1.0
    for name in ("psnr_y", "psnr_yuv", "psnr_rgb", "ssim", "ms_ssim"):
        assert frames[name] == sorted(frames[name], reverse=True)
        assert result[name] == pytest.approx(sum(frames[name]) / 4, abs=1e-4)
    assert result["worst_frame"] == 3 and result["psnr_yuv_min"] == pytest.approx(frames["psnr_yuv"][3], abs=1e-4)
    for name in ("psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb"):
        assert result[f"{name}_of_mse"] < result[name]
    assert result["ms_ssim_db"] == pytest.approx(-10 * np.log10(1 - result["ms_ssim"]))
    Row.from_dict({"clip": "a", "codec": "b", **result})


def test_planes_and_rgb_are_those_of_the_plain_functions(pair: tuple[Source, Path]) -> None:
    source, decoded = pair
    frames = measure(source, decoded, ())["per_frame"]
    assert set(frames) == {"psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb"}
    with Reader(source.pictures) as ours, Reader(decoded) as theirs:
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert frames["psnr_v"][index] == pytest.approx(psnr(a.v, b.v), abs=1e-4)
            rgb = [yuv420_to_rgb(picture, source.format) for picture in (a, b)]
            assert frames["psnr_rgb"][index] == pytest.approx(psnr_rgb(*rgb), abs=1e-4)


def test_a_source_of_rgb_is_compared_in_its_own_rgb(carphone: Path, tmp_path: Path) -> None:
    import av

    clip = tmp_path / "rgb.mkv"
    with av.open(str(carphone)) as container, av.open(str(clip), "w") as output:
        stream = output.add_stream("ffv1", 25, width=176, height=144, pix_fmt="bgr0")
        for frame in list(container.decode(video=0))[:2]:
            output.mux(stream.encode(frame.reformat(format="bgr0")))
        output.mux(stream.encode(None))
    source = prepare(clip, tmp_path / "made")
    decoded = noisy(source, tmp_path / "d.y4m", frames=1)
    source = replace(source, frames=1, clip=prepare(clip, tmp_path / "made", frames=1).clip)
    result = measure(source, decoded, BASIC)
    assert result["psnr_yuv"] == 100.0  # the first frame has no noise: only 4:2:0 and rounding cost here
    assert 25 < result["psnr_rgb"] < 60 and result["ssim"] < 1


def test_ten_bits(pair: tuple[Source, Path], tmp_path: Path) -> None:
    source, _ = pair
    deep = tmp_path / "deep.y4m"
    with Reader(source.pictures) as reader, Writer(deep, replace(source.format, bit_depth=10)) as writer:
        for p in reader:
            y, u, v = (plane.astype(np.uint16) * 4 for plane in p.planes)
            writer.write(replace(p, y=y, u=u, v=v))
    ten = prepare(deep, tmp_path / "made")
    result = measure(ten, noisy(ten, tmp_path / "d.y4m"), ALL)
    assert result["psnr_y"] > measure(*pair, ())["psnr_y"] + 5  # the same steps are four times smaller
    assert "vmaf" not in result or result["vmaf"] > 90


@pytest.mark.parametrize("frames", [3, 5])
def test_another_number_of_frames_is_refused(pair: tuple[Source, Path], tmp_path: Path, frames: int) -> None:
    source, decoded = pair
    data = decoded.read_bytes()
    header = data.index(b"\n") + 1
    size = (len(data) - header) // 4
    other = tmp_path / "d.y4m"
    other.write_bytes(data[:header] + (data[header:] + data[header:])[: size * frames])
    with pytest.raises(InputError, match=f"has 4 frames, its decode {frames}"):
        measure(source, other, BASIC)


def test_another_size_or_depth_is_refused(pair: tuple[Source, Path]) -> None:
    source, decoded = pair
    for name, value, words in (("width", 190, "width differs: 190"), ("bit_depth", 10, "bit depth differs: 10")):
        with pytest.raises(InputError, match=words):
            measure(replace(source, format=replace(source.format, **{name: value})), decoded, BASIC)


def test_a_process_prints_the_same(pair: tuple[Source, Path]) -> None:
    found = run_measured(measure_command(*pair, ("ssim",), threads=1)).last_object()
    assert found == measure(*pair, ("ssim",))


def test_an_error_is_one_line_and_its_code(
    pair: tuple[Source, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = measure_command(pair[0], tmp_path / "none.y4m", BASIC)
    assert command[0] == sys.executable
    assert main(command[3:]) == InputError.exit_code
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "no such file" in err


def test_without_libvmaf_the_rest_is_measured(
    pair: tuple[Source, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent() -> None:
        raise UsageError("there is no ffmpeg")

    monkeypatch.setattr(module, "find_ffmpeg", absent)
    result = measure(*pair, ("vmaf",))
    assert "vmaf" not in result and "vmaf" not in result["per_frame"] and result["psnr_y"] > 0
    assert capsys.readouterr().err == "VMAF is left out: there is no ffmpeg\n"


def by_ffmpeg(program: str, graph: str, source: Source, decoded: Path, folder: Path) -> list[dict[str, float]]:
    """What a filter of ffmpeg writes for each frame."""
    inputs = ["-r", "25", "-i", str(decoded), "-r", "25", "-i", str(source.pictures)]
    command = [
        program,
        "-loglevel",
        "error",
        "-nostdin",
        *inputs,
        "-lavfi",
        f"{graph}=stats_file=log",
        "-f",
        "null",
        "-",
    ]
    subprocess.run(command, cwd=folder, check=True)
    lines = (folder / "log").read_text().splitlines()
    return [{key: float(value) for key, value in re.findall(r"(\w+):([0-9.]+|inf)", line)} for line in lines]


def test_psnr_agrees_with_ffmpegs_filter(program: str, pair: tuple[Source, Path], tmp_path: Path) -> None:
    ours = measure(*pair, ())["per_frame"]
    theirs = by_ffmpeg(program, "psnr", *pair, tmp_path)
    for plane in "yuv":
        wanted = [min(100.0, frame[f"psnr_{plane}"]) for frame in theirs]
        assert ours[f"psnr_{plane}"] == pytest.approx(wanted, abs=0.01)


def test_ssim_is_near_ffmpegs_filter(program: str, pair: tuple[Source, Path], tmp_path: Path) -> None:
    """That filter has flat 8x8 windows, every fourth sample: the same quantity, not the same number."""
    source, decoded = pair
    theirs = [frame["Y"] for frame in by_ffmpeg(program, "ssim", *pair, tmp_path)]
    with Reader(source.pictures) as a, Reader(decoded) as b:
        luma = [[torch.from_numpy(picture.y)[None, None] for picture in reader] for reader in (a, b)]
    ours = [float(ssim(x, y)) for x, y in zip(*luma, strict=True)]
    assert ours == pytest.approx(theirs, abs=0.01)


def test_vmaf_is_there_per_frame(program: str, pair: tuple[Source, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVCODEC_FFMPEG", program)
    if module.why_no_vmaf():
        pytest.skip("this ffmpeg has no libvmaf")
    result = measure(*pair, ("vmaf",))
    frames = result["per_frame"]["vmaf"]
    assert len(frames) == 4 and all(95 < score <= 100 for score in frames)
    assert result["vmaf"] == pytest.approx(sum(frames) / 4, abs=1e-4)
