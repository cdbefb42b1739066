"""What codes an image of the Kodak benchmark: our codecs, x264 and the like as intra coders, JPEG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import nvcodec
from nvcodec._version import __version__
from nvcodec.errors import InputError
from nvcodec.format import Planes
from nvcodec.study import anchors
from nvcodec.study.anchors import AnchorSpec
from nvcodec.study.sources import clip_digest, prepare
from nvcodec.study.specs import NeuralSpec
from nvcodec.video import Picture, Reader, yuv420_to_rgb

OURS_PIXELS = "4:2:0, BT.709 limited range"
JPEG_QUALITIES = tuple(range(5, 100, 5))
RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Image:
    """One picture of the set: its samples as RGB (H, W, 3), and as the 4:2:0 planes that video codecs get."""

    path: Path
    digest: str
    rgb: RGB
    planes: Planes

    @property
    def name(self) -> str:
        """ "01.png"."""
        return self.path.name


@dataclass(frozen=True)
class CodedImage:
    """A real file and the picture that it holds. ``payload_bytes``: without head, index and checks of a container."""

    bytes: int
    payload_bytes: int
    rgb: RGB
    planes: Planes | None  # where it was coded as 4:2:0 of the project's conversion
    command: str
    encoder: str


class ImageCodec(Protocol):
    """One curve: ``codec`` and ``configuration`` name it, ``family`` is that of a row, ``rates`` its points."""

    codec: str
    configuration: str
    family: str
    pixels: str
    rates: Sequence[float]

    def setting(self, rate: float) -> str:
        """The dial's setting as rows name it."""
        ...

    @property
    def identity(self) -> str:
        """What else decides the bytes, for resuming."""
        ...

    def code(self, image: Image, rate: float, folder: Path) -> CodedImage:
        """Code an image into ``folder`` and decode the file. Raises NvcodecError."""
        ...


def load_image(path: Path) -> Image:
    """Raises InputError for a file that is no RGB image, or more than one picture."""
    with Reader(path, audio=False, rgb=True) as reader:
        pictures = list(reader)
    if len(pictures) != 1 or pictures[0].rgb is None:
        raise InputError(f"{path}: not one RGB image")
    return Image(path, clip_digest(path), pictures[0].rgb, pictures[0].planes)


class Jpeg:
    """libjpeg-turbo through Pillow as it is by default: no optimised Huffman tables, no progressive scan."""

    codec, family, identity = "JPEG", "classical", ""

    def __init__(self, sampling: str) -> None:
        self.configuration = sampling
        self.pixels = f"{sampling}, BT.601 full range"
        self.rates: Sequence[float] = JPEG_QUALITIES

    def setting(self, rate: float) -> str:
        return f"q{rate:g}"

    def code(self, image: Image, rate: float, folder: Path) -> CodedImage:
        import PIL
        from PIL import Image as Pillow

        out = io.BytesIO()
        Pillow.fromarray(image.rgb).save(out, "JPEG", quality=int(rate), subsampling=self.configuration)
        size = len(out.getvalue())
        decoded = np.array(Pillow.open(out).convert("RGB"))
        said = f"save(quality={rate:g}, subsampling={self.configuration!r})"
        return CodedImage(size, size, decoded, None, said, f"Pillow {PIL.__version__}")


class Anchor:
    """An encoder of studies; a picture alone is an intra frame."""

    family, identity = "classical", ""
    pixels = OURS_PIXELS

    def __init__(self, spec: AnchorSpec, rates: Sequence[float], threads: int) -> None:
        self.codec, self.configuration = spec.codec, spec.configuration
        self.spec, self.rates, self.threads = spec, rates, threads

    def setting(self, rate: float) -> str:
        return f"{self.spec.dial}{rate:g}"

    def code(self, image: Image, rate: float, folder: Path) -> CodedImage:
        source = prepare(image.path, folder / "sources")
        made = anchors.encode(self.spec, rate, source, folder, self.threads)
        with Reader(made.decoded, audio=False) as reader:
            picture = next(iter(reader))
            rgb = yuv420_to_rgb(picture, source.format)
        for path in (made.file, made.decoded):
            path.unlink()
        return CodedImage(made.video_bytes, made.video_bytes, rgb, picture.planes, made.command, made.encoder)


class Ours:
    """A codec of ours, in this process: one file written, and read again."""

    pixels = OURS_PIXELS

    def __init__(self, spec: NeuralSpec, rates: Sequence[float], threads: int, device: str) -> None:
        self.codec, self.configuration, self.family = spec.codec, spec.configuration, spec.family
        self.identity = f"{spec.weights} {spec.digest}".strip()
        self.rates, self.device = rates, device
        effort = {"preset": spec.preset, "time_budget": spec.time_budget, "model": spec.model}
        self.options: dict[str, Any] = {name: value for name, value in effort.items() if value is not None}
        self.options |= {"codec": spec.codec, "threads": threads}
        self.encoder = f"nvcodec {__version__}" + (f", weights {spec.weights}" if spec.weights else "")

    def setting(self, rate: float) -> str:
        return f"q{rate:g}"

    def code(self, image: Image, rate: float, folder: Path) -> CodedImage:
        file = folder / "coded.nvc"
        options = {**self.options, "quality": rate}
        made = nvcodec.encode(image.path, file, overwrite=True, device=self.device, **options)
        with nvcodec.open(file, device=self.device) as video:
            picture: Picture = video.picture(0)
            rgb = yuv420_to_rgb(picture, video.format)
        if "model" in options:
            options["model"] = Path(str(options["model"])).name
        said = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in options.items())
        command = f"nvcodec encode {image.name} coded.nvc {said}"
        return CodedImage(made.bytes, made.payload_bytes, rgb, picture.planes, command, self.encoder)
