"""What evaluation compares with what: the 4:2:0 that was coded, and the source's own RGB."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import nvcodec
from nvcodec.video import Reader, yuv420_to_rgb

pytestmark = pytest.mark.usefixtures("few_steps")
FRAMES = 8


@pytest.fixture
def rgb(bikes: Path) -> list[np.ndarray]:
    """64x48 of a real clip, each pixel red, green or blue only: little of that is left in 4:2:0."""
    with av.open(str(bikes)) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(FRAMES), strict=False)]
    mosaic = np.add.outer(np.arange(48), np.arange(64)) % 3
    mask = mosaic[..., None] == np.arange(3)
    return [frame.to_ndarray(format="rgb24")[100:148, 200:264] * mask for frame in frames]


def lossless(path: Path, rgb: list[np.ndarray], pixel_format: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 25, width=64, height=48, pix_fmt=pixel_format)
        for index, picture in enumerate(rgb):
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path) -> list[np.ndarray]:
    with nvcodec.open(path) as video:
        return list(video)


def mean_psnr(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    errors = [np.mean((a.astype(float) - b) ** 2) for a, b in zip(ours, theirs, strict=True)]
    return float(np.mean([10 * np.log10(255**2 / e) for e in errors]))


def test_an_rgb_source_is_compared_in_its_own_rgb(rgb, tiny, tmp_path):
    source = lossless(tmp_path / "a.mkv", rgb, "bgr0")
    nvcodec.encode(source, tmp_path / "a.nvc", quality=30, **tiny)
    found = nvcodec.evaluate(source, tmp_path / "a.nvc", threads=1)
    assert found["psnr_rgb"] == pytest.approx(mean_psnr(rgb, decoded(tmp_path / "a.nvc")), abs=1e-6)
    with Reader(source) as reader:
        subsampled = [yuv420_to_rgb(picture, reader.format) for picture in reader]
    flattering = mean_psnr(subsampled, decoded(tmp_path / "a.nvc"))
    assert found["psnr_rgb"] < flattering - 1, "what 4:2:0 loses is part of the error"


def test_the_planes_are_those_that_were_coded(rgb, tiny, tmp_path):
    source = lossless(tmp_path / "a.mkv", rgb, "bgr0")
    result = nvcodec.encode(source, tmp_path / "a.nvc", quality=30, **tiny)
    assert nvcodec.evaluate(source, tmp_path / "a.nvc")["psnr_yuv"] == pytest.approx(result.psnr_yuv, abs=1e-6)


def test_full_chroma_is_compared_in_its_own_rgb(rgb, tiny, tmp_path):
    source = lossless(tmp_path / "a.mkv", rgb, "yuv444p")
    nvcodec.encode(source, tmp_path / "a.nvc", quality=30, **tiny)
    found = nvcodec.evaluate(source, tmp_path / "a.nvc", threads=1)
    with Reader(source, rgb=True) as reader:
        own = [picture.rgb for picture in reader]
    assert found["psnr_rgb"] == pytest.approx(mean_psnr(own, decoded(tmp_path / "a.nvc")), abs=1e-6)


def test_a_420_source_is_compared_as_before(clip, coded):
    with Reader(clip) as reader:
        own = [yuv420_to_rgb(picture, reader.format) for picture in reader]
    found = nvcodec.evaluate(clip, coded, threads=1)
    assert found["psnr_rgb"] == pytest.approx(mean_psnr(own, decoded(coded)), abs=1e-6)
