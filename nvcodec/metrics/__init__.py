"""What a decoded video is worth: PSNR, SSIM, MS-SSIM, bits per pixel, Bjontegaard deltas. Knows arrays, no files."""

from nvcodec.metrics.bd import BjontegaardDelta, bd_psnr, bd_rate
from nvcodec.metrics.bits import bpp
from nvcodec.metrics.psnr import PSNR_CAP, mse, peak_value, psnr, psnr_from_mse, psnr_rgb, psnr_yuv, weigh_yuv
from nvcodec.metrics.sequence import FrameMetrics, SequenceMetrics, SequenceResult
from nvcodec.metrics.ssim import MIN_SIDE, ms_ssim, ms_ssim_db, ms_ssim_rgb, similarity_rgb, ssim

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
