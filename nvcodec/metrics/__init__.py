"""What a decoded video is worth: PSNR, SSIM, MS-SSIM, bits per pixel, Bjontegaard deltas. Knows arrays, no files.

What needs torch is loaded when first used, so that tables and reports of numbers do without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nvcodec.metrics.bd import BjontegaardDelta, bd_psnr, bd_rate
from nvcodec.metrics.bits import bpp
from nvcodec.metrics.psnr import PSNR_CAP, mse, peak_value, psnr, psnr_from_mse, psnr_rgb, psnr_yuv, weigh_yuv

if TYPE_CHECKING:
    from nvcodec.metrics.sequence import FrameMetrics, SequenceMetrics, SequenceResult
    from nvcodec.metrics.similarity import MIN_SIDE, ms_ssim, ms_ssim_db, ms_ssim_rgb, similarity_rgb, ssim

_HOMES = {
    "nvcodec.metrics.sequence": ("FrameMetrics", "SequenceMetrics", "SequenceResult"),
    "nvcodec.metrics.similarity": ("MIN_SIDE", "ms_ssim", "ms_ssim_db", "ms_ssim_rgb", "similarity_rgb", "ssim"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "MIN_SIDE",
    "PSNR_CAP",
    "BjontegaardDelta",
    "FrameMetrics",
    "SequenceMetrics",
    "SequenceResult",
    "bd_psnr",
    "bd_rate",
    "bpp",
    "ms_ssim",
    "ms_ssim_db",
    "ms_ssim_rgb",
    "mse",
    "peak_value",
    "psnr",
    "psnr_from_mse",
    "psnr_rgb",
    "psnr_yuv",
    "similarity_rgb",
    "ssim",
    "weigh_yuv",
]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'nvcodec.metrics' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
