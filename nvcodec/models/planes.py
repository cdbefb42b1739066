"""4:2:0 pictures as 96 channels at an eighth of the size, and back: what the trained codecs' networks see.

A sample is scaled to 8 bits and centred: value * 255 / peak - 128. Channels 0-63 are luma, unshuffled by 8 in raster
order, channels 64-79 U and 80-95 V, unshuffled by 4.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nvcodec.errors import UsageError

ALIGN = 16  # luma samples: latents stand at 1/16
LUMA, CHROMA = 64, 16  # channels of a plane
FEATURES = LUMA + 2 * CHROMA
WEIGHTS = (6 / 8, 1 / 8, 1 / 8)  # of the MSE of Y, U and V in the distortion


def planes_to_features(y: Tensor, u: Tensor, v: Tensor, peak: int = 255) -> Tensor:
    """Pictures as float32 features (N, 96, ceil(H / 16) * 2, ceil(W / 16) * 2), channels last in memory.

    ``y`` is (N, H, W), ``u`` and ``v`` (N, ceil(H / 2), ceil(W / 2)), of any integer or float type, in 0..``peak``.
    Planes are padded by their last row and column. Raises UsageError where the planes' sizes do not fit.
    """
    count, height, width = y.shape
    half = (count, (height + 1) // 2, (width + 1) // 2)
    if u.shape != half or v.shape != half or 0 in y.shape:
        raise UsageError(f"planes of {tuple(y.shape)}, {tuple(u.shape)} and {tuple(v.shape)} are no 4:2:0 pictures")
    rows, columns = (-(-size // ALIGN) * ALIGN for size in (height, width))
    luma = _unshuffle(_padded(y, rows, columns, peak), 8)
    chroma = [_unshuffle(_padded(plane, rows // 2, columns // 2, peak), 4) for plane in (u, v)]
    return torch.cat([luma, *chroma], dim=1).contiguous(memory_format=torch.channels_last)


def features_to_planes(
    features: Tensor, height: int, width: int, peak: int = 255, whole: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """The planes of features (N, 96, h, w), cropped to ``height`` x ``width`` luma samples.

    Rounded and clipped to 0..``peak`` where ``whole`` (uint8, or int32 for a peak above 255); else float32, unclipped.
    """
    luma, u, v = features.float().split((LUMA, CHROMA, CHROMA), dim=1)
    planes = functional.pixel_shuffle(luma, 8), functional.pixel_shuffle(u, 4), functional.pixel_shuffle(v, 4)
    sizes = (height, width), ((height + 1) // 2, (width + 1) // 2), ((height + 1) // 2, (width + 1) // 2)
    y, cb, cr = (
        _samples(plane[:, 0, :rows, :columns], peak, whole)
        for plane, (rows, columns) in zip(planes, sizes, strict=True)
    )
    return y, cb, cr


def distortion(a: Tensor, b: Tensor) -> Tensor:
    """(6 MSE_Y + MSE_U + MSE_V) / 8 on the 8-bit scale of each picture of (N, 96, h, w), padding included: (N,)."""
    squares = (a.float() - b.float()).square().mean(dim=(2, 3))
    y, u, v = (plane.mean(dim=1) for plane in squares.split((LUMA, CHROMA, CHROMA), dim=1))
    return WEIGHTS[0] * y + WEIGHTS[1] * u + WEIGHTS[2] * v


def _padded(plane: Tensor, rows: int, columns: int, peak: int) -> Tensor:
    """(N, H, W) -> (N, 1, rows, columns), centred; in replicate mode, since features of a border should be smooth."""
    centred = plane.to(torch.float32)[:, None] * (255 / peak) - 128
    edge = (0, columns - plane.shape[2], 0, rows - plane.shape[1])
    return functional.pad(centred, edge, mode="replicate") if any(edge) else centred


def _unshuffle(plane: Tensor, factor: int) -> Tensor:
    """functional.pixel_unshuffle of (N, 1, rows, columns), written channels last at once: a third of the time."""
    count, _, rows, columns = plane.shape
    blocks = plane.reshape(count, rows // factor, factor, columns // factor, factor).transpose(2, 3)
    return blocks.reshape(count, rows // factor, columns // factor, factor * factor).permute(0, 3, 1, 2)


def _samples(plane: Tensor, peak: int, whole: bool) -> Tensor:
    scaled = (plane + 128) * (peak / 255)
    if not whole:
        return scaled
    return scaled.round().clamp(0, peak).to(torch.uint8 if peak <= 255 else torch.int32)
