"""The two tasks of :mod:`eval.tasks`: frames between those that were coded, and regions that no fit has looked at.

Both code one group into a real payload, open it from these bytes, and measure what was never shown to the fit apart
from what was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.pictures import Pictures
from nvcodec.codecs.base import GroupPayload, GroupSpec
from nvcodec.codecs.encoding import GroupEncoder
from nvcodec.codecs.fitted import FittedCodec, FittedDecoder
from nvcodec.errors import InputError
from nvcodec.format import Planes, VideoFormat
from nvcodec.metrics.psnr import psnr_from_mse, psnr_yuv, weigh_yuv

BOXES = 5  # a frame, as in the papers' dispersed masks
SIDES = 12  # box sides that the picture's height has
Mask = NDArray[np.bool_]
Row = dict[str, Any]


@dataclass(frozen=True)
class Coding:
    """How a group is coded: ``preset``, or ``seconds`` in its stead."""

    bpp: float
    preset: str
    seconds: float | None = None
    seed: int = 0
    device: str = "cpu"

    @property
    def effort(self) -> str:
        return self.preset if self.seconds is None else f"{self.seconds:g}s"

    def group(
        self, codec: FittedCodec, frames: Sequence[Planes], fmt: VideoFormat, known: Mask | None = None
    ) -> tuple[GroupPayload, FittedDecoder]:
        """The payload, and what opens from it."""
        goal = int(self.bpp * fmt.width * fmt.height * len(frames) / 8)
        effort = {"preset": self.preset} if self.seconds is None else {"seconds": self.seconds}
        spec = GroupSpec(target_bytes=goal, seed=self.seed, device=self.device, **effort)
        payload = GroupEncoder(codec, frames, fmt, spec, None, known=known).run()
        return payload, codec.open_group(payload.config, payload.units, fmt, len(frames), self.device)


def facts_of(payload: GroupPayload) -> Row:
    return {"bytes": payload.size, "steps": payload.steps, "encode_seconds": payload.seconds, "made": "payload"}


# interpolation


def interpolation(codec: FittedCodec, pictures: Pictures, coding: Coding) -> Row:
    """Every other frame is coded, those between are asked of the network. Raises InputError below three frames."""
    frames, fmt = pictures.frames[: (len(pictures.frames) - 1) // 2 * 2 + 1], pictures.format
    if len(frames) < 3:
        raise InputError(f"{pictures.name}: interpolation needs three frames or more, not {len(frames)}")
    payload, decoder = coding.group(codec, frames[::2], fmt)
    shown = [decoder.planes(number) for number in range(len(frames[::2]))]
    between = [decoder.between(number) for number in range(len(frames[1::2]))]
    blended = [blend(*pair) for pair in pairwise(shown)]
    return {
        **facts_of(payload),
        "psnr_seen": mean_psnr(frames[::2], shown, fmt),
        "psnr_unseen": mean_psnr(frames[1::2], between, fmt),
        "psnr_baseline": mean_psnr(frames[1::2], blended, fmt),
    }


def blend(a: Planes, b: Planes) -> Planes:
    """The mean of two pictures, halves up: what is there without any network."""
    y, u, v = ((x.astype(np.uint32) + z + 1 >> 1).astype(x.dtype) for x, z in zip(a, b, strict=True))
    return y, u, v


def mean_psnr(frames: Sequence[Planes], shown: Sequence[Planes], fmt: VideoFormat) -> float:
    """6:1:1, the mean over frames, dB."""
    return float(np.mean([psnr_yuv(a, b, fmt.bit_depth) for a, b in zip(frames, shown, strict=True)]))


# inpainting


def inpainting(codec: FittedCodec, pictures: Pictures, coding: Coding, moving: bool) -> Row:
    """Boxes are left out of the loss; they lie in the same places of all frames, or elsewhere in each.

    They are filled from around them before the encoder has the frames, so that nothing of what is there can reach it.
    """
    frames, fmt = pictures.frames, pictures.format
    known = boxes(len(frames), fmt.height, fmt.width, moving, coding.seed)
    filled = [diffused(planes, part) for planes, part in zip(frames, known, strict=True)]
    payload, decoder = coding.group(codec, filled, fmt, known)
    shown = [decoder.planes(number) for number in range(len(frames))]
    return {
        **facts_of(payload),
        "unknown_share": float(1 - known.mean()),
        "psnr_seen": pooled_psnr(frames, shown, known, fmt),
        "psnr_unseen": pooled_psnr(frames, shown, ~known, fmt),
        "psnr_baseline": pooled_psnr(frames, filled, ~known, fmt),
    }


def boxes(count: int, height: int, width: int, moving: bool, seed: int) -> Mask:
    """(count, ceil(H/2), ceil(W/2)): False in squares of a twelfth of the height, whole inside the picture."""
    rows, columns = -(-height // 2), -(-width // 2)
    side = max(1, min(rows, columns, round(height / SIDES / 2)))
    random, known = np.random.default_rng(seed), np.ones((count, rows, columns), np.bool_)
    for part in known if moving else known[:1]:
        for _ in range(BOXES):
            top, left = random.integers(0, rows - side + 1), random.integers(0, columns - side + 1)
            part[top : top + side, left : left + side] = False
    return known if moving else np.repeat(known[:1], count, axis=0)


def masks(known: Mask, planes: Planes) -> Iterator[Mask]:
    """``known`` in the sizes of Y, U and V."""
    luma = known.repeat(2, 0).repeat(2, 1)[: planes[0].shape[0], : planes[0].shape[1]]
    yield from (luma, known, known)


def diffused(planes: Planes, known: Mask) -> Planes:
    """What is not known has become the mean of its neighbours: heat, flowing in from around it."""
    y, u, v = (_diffused(plane, part) for plane, part in zip(planes, masks(known, planes), strict=True))
    return y, u, v


def _diffused(plane: NDArray[Any], known: Mask, rounds: int = 400) -> NDArray[Any]:
    if known.all():
        return plane
    x = np.where(known, plane, plane[known].mean() if known.any() else 0).astype(np.float32)
    rows, columns = np.nonzero(~known)
    around = [
        (np.clip(rows + down, 0, x.shape[0] - 1), np.clip(columns + right, 0, x.shape[1] - 1))
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))
    ]
    for _ in range(rounds):
        x[rows, columns] = sum(x[place] for place in around) / 4
    return np.rint(x).astype(plane.dtype)


def pooled_psnr(frames: Sequence[Planes], shown: Sequence[Planes], where: Mask, fmt: VideoFormat) -> float:
    """6:1:1 of the PSNRs of the planes' mean errors over the chosen samples of all frames, dB."""
    errors, counts = np.zeros(3), np.zeros(3)
    for a, b, part in zip(frames, shown, where, strict=True):
        for plane, mask in enumerate(masks(part, a)):
            off = a[plane][mask].astype(np.float64) - b[plane][mask]
            errors[plane] += float(off @ off)
            counts[plane] += off.size
    return weigh_yuv(*(psnr_from_mse(float(e / max(n, 1)), fmt.bit_depth) for e, n in zip(errors, counts, strict=True)))
