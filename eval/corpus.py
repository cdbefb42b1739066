"""Packs videos and pictures for training, read by PyAV with the project's own conversion to 4:2:0.

    python -m eval.corpus FOLDER... OUT --stills '*images*'

``python -m nvcodec.training pack`` does the same by OpenCV, through 8-bit RGB, where PyAV is absent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nvcodec.errors import NvcodecError
from nvcodec.training.arguments import add_packing, run_packing
from nvcodec.training.packing import Picture
from nvcodec.video import Reader


def read(path: Path) -> Iterator[Picture]:
    """All pictures of a file, in 8 bits. Raises InputError."""
    with Reader(path, audio=False, threads=1) as reader:
        extra = reader.format.bit_depth - 8
        for picture in reader:
            y, u, v = (_to_8_bits(plane, extra) for plane in picture.planes)
            yield y, u, v


def _to_8_bits(plane: np.ndarray, extra: int) -> np.ndarray:
    if not extra:
        return plane
    half = 1 << (extra - 1)
    return np.minimum((plane.astype(np.uint32) + half) >> extra, 255).astype(np.uint8)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code; errors are one line on stderr."""
    parser = argparse.ArgumentParser("python -m eval.corpus", description=__doc__.splitlines()[0])
    add_packing(parser)
    try:
        return run_packing(parser.parse_args(arguments), read)
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
