"""Metrics of one frame, and their running means over a sequence in constant memory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from nvcodec.errors import UsageError
from nvcodec.metrics.psnr import Planes, mse, psnr_from_mse, weigh_yuv
from nvcodec.metrics.similarity import ms_ssim_db, similarity_rgb


@dataclass(frozen=True)
class FrameMetrics:
    """Errors of one picture, in squared sample units of its bit depth; RGB is compared at 8 bits."""

    mse_y: float
    mse_u: float
    mse_v: float
    bit_depth: int = 8
    mse_rgb: float | None = None
    ssim: float | None = None  # of RGB; None if not asked for or a side is under 11 pixels
    ms_ssim: float | None = None  # of RGB; None if not asked for or a side is under 161 pixels

    @property
    def psnr_y(self) -> float:
        return psnr_from_mse(self.mse_y, self.bit_depth)

    @property
    def psnr_u(self) -> float:
        return psnr_from_mse(self.mse_u, self.bit_depth)

    @property
    def psnr_v(self) -> float:
        return psnr_from_mse(self.mse_v, self.bit_depth)

    @property
    def psnr_yuv(self) -> float:
        """(6Y + U + V) / 8 of the planes' PSNRs, in dB."""
        return weigh_yuv(self.psnr_y, self.psnr_u, self.psnr_v)

    @property
    def psnr_rgb(self) -> float | None:
        return None if self.mse_rgb is None else psnr_from_mse(self.mse_rgb)

    @classmethod
    def of(
        cls,
        reference: Planes,
        decoded: Planes,
        bit_depth: int = 8,
        rgb: tuple[NDArray[Any], NDArray[Any]] | None = None,
        with_ssim: bool = True,
        with_ms_ssim: bool = True,
    ) -> FrameMetrics:
        """Compares (Y, U, V) planes and, where given, a pair of uint8 (H, W, 3) RGB pictures (reference, decoded).

        Raises:
            UsageError: shapes differ.
        """
        y, u, v = (mse(a, b) for a, b in zip(reference, decoded, strict=True))
        if rgb is None:
            return cls(y, u, v, bit_depth)
        ssim, ms_ssim = similarity_rgb(*rgb, multi_scale=with_ms_ssim) if with_ssim or with_ms_ssim else (None, None)
        return cls(y, u, v, bit_depth, mse(*rgb), ssim if with_ssim else None, ms_ssim)


@dataclass(frozen=True)
class SequenceResult:
    """Means over the frames of a sequence.

    ``psnr_*`` is the mean of the frames' PSNRs (the convention of every table of the project); ``psnr_*_of_mse`` is the
    PSNR of the mean error, which weighs bad frames more and is never higher. ``ms_ssim_db`` is -10 log10(1 - x) of the
    mean ``ms_ssim``.
    """

    frames: int
    psnr_y: float
    psnr_u: float
    psnr_v: float
    psnr_yuv: float
    psnr_rgb: float | None
    ssim: float | None
    ms_ssim: float | None
    ms_ssim_db: float | None
    psnr_y_of_mse: float
    psnr_u_of_mse: float
    psnr_v_of_mse: float
    psnr_yuv_of_mse: float
    psnr_rgb_of_mse: float | None
    mse_yuv: float  # (6Y + U + V) / 8 of the mean errors, on the 8-bit scale
    psnr_yuv_min: float
    worst_frame: int  # index, from 0 in order of adding, of the frame with psnr_yuv_min

    def as_dict(self) -> dict[str, Any]:
        """The fields under their names, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass
class SequenceMetrics:
    """Adds frames up; holds sums only, so memory does not grow with the sequence."""

    frames: int = 0
    _sums: dict[str, float] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _worst: tuple[float, int] = (float("inf"), -1)
    _bit_depth: int | None = None

    def add(self, frame: FrameMetrics) -> None:
        """Takes one more frame; all frames of a sequence share one bit depth."""
        if self._bit_depth not in (None, frame.bit_depth):
            raise UsageError(f"frames of {self._bit_depth} and {frame.bit_depth} bits in one sequence")
        self._bit_depth = frame.bit_depth
        for name in _MEANS:
            value = getattr(frame, name)
            if value is not None:
                self._sums[name] = self._sums.get(name, 0.0) + value
                self._counts[name] = self._counts.get(name, 0) + 1
        self._worst = min(self._worst, (frame.psnr_yuv, self.frames))
        self.frames += 1

    def merge(self, later: SequenceMetrics) -> None:
        """Takes all frames of an accumulator that covers the frames after this one's."""
        if None not in (self._bit_depth, later._bit_depth) and self._bit_depth != later._bit_depth:
            raise UsageError(f"frames of {self._bit_depth} and {later._bit_depth} bits in one sequence")
        self._bit_depth = self._bit_depth or later._bit_depth
        for name in later._sums:
            self._sums[name] = self._sums.get(name, 0.0) + later._sums[name]
            self._counts[name] = self._counts.get(name, 0) + later._counts[name]
        self._worst = min(self._worst, (later._worst[0], later._worst[1] + self.frames))
        self.frames += later.frames

    def result(self) -> SequenceResult:
        """The means so far; RGB and MS-SSIM are None unless every frame had them.

        Raises:
            UsageError: no frame was added.
        """
        if self.frames == 0 or self._bit_depth is None:
            raise UsageError("no frames were compared")
        depth = self._bit_depth
        means = {name: self._mean(name) for name in _MEANS}
        of_mse = [psnr_from_mse(self._sums[name] / self.frames, depth) for name in ("mse_y", "mse_u", "mse_v")]
        mse_yuv = weigh_yuv(*(self._sums[name] / self.frames for name in ("mse_y", "mse_u", "mse_v")))
        mse_rgb, ms_ssim = means["mse_rgb"], means["ms_ssim"]
        return SequenceResult(
            frames=self.frames,
            psnr_y=self._sums["psnr_y"] / self.frames,
            psnr_u=self._sums["psnr_u"] / self.frames,
            psnr_v=self._sums["psnr_v"] / self.frames,
            psnr_yuv=self._sums["psnr_yuv"] / self.frames,
            psnr_rgb=means["psnr_rgb"],
            ssim=means["ssim"],
            ms_ssim=ms_ssim,
            ms_ssim_db=None if ms_ssim is None else ms_ssim_db(ms_ssim),
            psnr_y_of_mse=of_mse[0],
            psnr_u_of_mse=of_mse[1],
            psnr_v_of_mse=of_mse[2],
            psnr_yuv_of_mse=weigh_yuv(*of_mse),
            psnr_rgb_of_mse=None if mse_rgb is None else psnr_from_mse(mse_rgb),
            mse_yuv=mse_yuv / 4.0 ** (depth - 8),
            psnr_yuv_min=self._worst[0],
            worst_frame=self._worst[1],
        )

    def _mean(self, name: str) -> float | None:
        if self._counts.get(name, 0) != self.frames:
            return None
        return self._sums[name] / self.frames


_MEANS = (
    "mse_y",
    "mse_u",
    "mse_v",
    "mse_rgb",
    "psnr_y",
    "psnr_u",
    "psnr_v",
    "psnr_yuv",
    "psnr_rgb",
    "ssim",
    "ms_ssim",
)
