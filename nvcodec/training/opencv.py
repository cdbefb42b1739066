"""Pictures of a video or an image file by OpenCV, for machines without PyAV.

OpenCV hands out BGR, made with the matrix that a file names, BT.601 where it names none; limited-range BT.601 comes
out. So files without a matrix, and such of BT.601, keep their samples but for a level of luma (with OpenCV 5: mean
error 1.0 in Y, 0.03 in U and V); with BT.709 colours shift a little. Good enough to train on.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nvcodec.errors import InputError, UsageError
from nvcodec.training.packing import Picture, Samples

_LUMA = np.array((0.114, 0.587, 0.299), np.float32)  # of B, G, R (ITU-R BT.601)


def read(path: Path) -> Iterator[Picture]:
    """All pictures of a file.

    Raises:
        UsageError: OpenCV is not installed.
        InputError: OpenCV finds no picture in the file.
    """
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        raise UsageError("packing by OpenCV needs the package opencv-python-headless") from None
    capture: Any = cv2.VideoCapture(str(path))
    found = False
    try:
        while True:
            there, bgr = capture.read()
            if not there:
                break
            found = True
            yield yuv420_from_bgr(bgr)
    finally:
        capture.release()
    if not found:
        raise InputError(f"{path}: OpenCV finds no picture in it")


def yuv420_from_bgr(bgr: Samples) -> Picture:
    """BT.601 limited-range 4:2:0 of full-range BGR (H, W, 3), chroma by the mean of 2x2; odd edges are dropped."""
    height, width = bgr.shape[0] // 2 * 2, bgr.shape[1] // 2 * 2
    samples = bgr[:height, :width].astype(np.float32)
    luma = samples @ _LUMA
    colour = samples[..., (0, 2)] - luma[..., None]
    small = colour.reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3))
    y = 16 + luma * (219 / 255)
    u, v = (128 + small[..., i] * (112 / 255 / (1 - float(_LUMA[k]))) for i, k in ((0, 0), (1, 2)))
    return _rounded(y), _rounded(u), _rounded(v)


def _rounded(plane: np.ndarray) -> Samples:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)
