"""Images: our codecs as intra coders beside JPEG, x264, x265 and published curves, as the field measures on Kodak.

    python -m eval.kodak FOLDER_OF_PNG --codecs intra
    python -m eval.kodak FOLDER_OF_PNG --codecs intra,intra:out/weights.safetensors --images 4 --out out/kodak4

FOLDER holds the 24 images. PSNR is of RGB, of the error over all three channels; PSNR and bits per pixel are means over
images of each image's own. Every point is a real file that was written and decoded; bits of our codecs are those of the
payload, as other learned codecs count theirs, and once more those of the whole file. x264, x265 and our codecs get
the same 4:2:0 pictures (BT.709, limited range, bicubic), JPEG its own (BT.601, full range, 4:2:0 and 4:4:4). Rows
are in OUT/kodak.jsonl as soon as they are there, the same call again goes on from them; the table is OUT/kodak.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.kodak_codecs import Anchor, Image, ImageCodec, Jpeg, Ours, load_image
from eval.kodak_table import as_markdown
from eval.pipes import until_closed
from nvcodec._version import __version__
from nvcodec.errors import InputError, NvcodecError, OutputError, UsageError
from nvcodec.metrics import bpp, psnr_rgb, psnr_yuv
from nvcodec.provenance import commit, machine
from nvcodec.study.anchors import AnchorSpec, check_available
from nvcodec.study.results import Results
from nvcodec.study.rows import Row
from nvcodec.study.runner import open_results
from nvcodec.study.settings import StudySettings
from nvcodec.study.specs import NeuralSpec

QUALITIES = (0, 9, 18, 27, 36, 45, 54, 63)
CRFS = (12, 17, 22, 27, 32, 37, 42, 47)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is missing, then prints and writes the table. Gives the exit code."""
    given = parse(arguments)
    try:
        return until_closed(lambda: _run(given))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same call goes on", file=sys.stderr)
        return 130


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m eval.kodak", description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path, help="where the images lie, *.png")
    parser.add_argument("--codecs", default="intra", help="ours, as in nvcodec rd (default: intra); none for none")
    parser.add_argument("--anchors", default="x264,x265", help="as in nvcodec rd (default: x264,x265); none for none")
    parser.add_argument("--qualities", type=_numbers, default=QUALITIES, help="of ours (default: eight, 0 to 63)")
    parser.add_argument("--crfs", type=_numbers, default=CRFS, help="of the anchors (default: eight, 12 to 47)")
    parser.add_argument("--images", type=int, metavar="N", help="only the first N images")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for ours (default: cpu)")
    parser.add_argument("--out", type=Path, default=Path("out/kodak"), help="folder of results (default: out/kodak)")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(","))


def _run(given: argparse.Namespace) -> int:
    paths = find_images(given.folder, given.images)
    codecs = chosen(given)
    try:
        given.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{given.out}: {error.strerror}") from None
    rows = measured(paths, codecs, open_results(given.out / "kodak.jsonl"))
    text = as_markdown(rows, len(paths))
    (given.out / "kodak.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


def find_images(folder: Path, count: int | None = None) -> list[Path]:
    """The PNG files of a folder by name, the first ``count`` of them. Raises InputError, UsageError."""
    if count is not None and count < 1:
        raise UsageError(f"--images is at least 1, not {count}")
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() == ".png")
    if not found:
        raise InputError(f"{folder}: no PNG images")
    return found[:count]


def chosen(given: argparse.Namespace) -> list[ImageCodec]:
    """The codecs of a command line, ours first. Raises UsageError; InputError for weights that cannot be read."""
    found: list[ImageCodec] = []
    for name in _names(given.codecs):
        spec = NeuralSpec.parse(name, StudySettings())
        for quality in given.qualities:
            spec.check_quality(quality)
        found.append(Ours(spec, given.qualities, given.threads, given.device))
    for name in _names(given.anchors):
        anchor = AnchorSpec.parse(name)
        check_available(anchor)
        for crf in given.crfs:
            anchor.check_rate(crf)
        found.append(Anchor(anchor, given.crfs, given.threads))
    return [*found, Jpeg("4:2:0"), Jpeg("4:4:4")]


def _names(text: str) -> Iterable[str]:
    return (name for name in dict.fromkeys(text.split(",")) if name != "none")


def measured(paths: Sequence[Path], codecs: Sequence[ImageCodec], results: Results) -> list[dict[str, Any]]:
    """The rows of all points, those that lack made now; image by image."""
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(paths, 1):
        before = len(results.rows)
        with tempfile.TemporaryDirectory(prefix="nvcodec-kodak-") as folder:
            rows += _of_image(load_image(path), codecs, results, Path(folder))
        made = len(results.rows) - before
        print(f"{number}/{len(paths)}  {path.name}: {made} points made", file=sys.stderr, flush=True)
    return rows


def _of_image(image: Image, codecs: Iterable[ImageCodec], results: Results, folder: Path) -> Iterator[dict[str, Any]]:
    for codec in codecs:
        for rate in codec.rates:
            setting = codec.setting(rate)
            words = (image.name, image.digest, codec.codec, codec.configuration, setting, codec.identity)
            key = " ".join(filter(None, words))
            yield results.get(key) or results.add(key, row(image, codec, rate, folder))


def row(image: Image, codec: ImageCodec, rate: float, folder: Path) -> dict[str, Any]:
    """One point as a row of studies, ``bpp`` that of the whole file, with ``payload_bytes`` and ``pixels`` beside."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    coded = codec.code(image, rate, folder)
    height, width = image.rgb.shape[:2]
    made = Row(
        image.name, codec.codec, codec.configuration, codec.setting(rate), bpp(coded.bytes, width, height, 1),
        family=codec.family, width=width, height=height, frames=1, bit_depth=8,
        bytes=coded.bytes, video_bytes=coded.bytes,
        psnr_rgb=psnr_rgb(image.rgb, coded.rgb),
        psnr_yuv=None if coded.planes is None else psnr_yuv(image.planes, coded.planes),
        encoder=coded.encoder, command=coded.command, commit=commit(), version=__version__, machine=machine(),
        started=started,
    )  # fmt: skip
    said = {name: value for name, value in made.as_dict().items() if name != "key"}
    return {**said, "payload_bytes": coded.payload_bytes, "pixels": codec.pixels}


if __name__ == "__main__":
    sys.exit(main())
