"""Sums over the coded groups; the payloads themselves are let go, so that memory does not grow."""

from __future__ import annotations

from dataclasses import dataclass, field

from nvcodec.codecs.base import GroupPayload

FEW_STEPS = 60  # of a fit: under this its pictures are poor


@dataclass
class Tally:
    """What :func:`nvcodec.encode` tells of all groups at the end."""

    groups: int = 0
    frames: int = 0
    payload_bytes: int = 0
    estimated_bytes: float = 0.0
    modelled_bytes: float = 0.0
    goals_met: bool = True
    filled: bool = True  # every group is as near to its goal of bytes as its codec gets
    lowest: tuple[int, float] | None = None  # number and PSNR of the worst group, dB
    hasty: list[int] = field(default_factory=list)  # numbers of groups whose fit had few steps
    _psnr_sum: float = 0.0

    def add(self, payload: GroupPayload, frames: int, number: int) -> None:
        """Count group ``number``."""
        self.groups += 1
        self.frames += frames
        self.payload_bytes += payload.size
        self.estimated_bytes += payload.estimated_bytes
        self.modelled_bytes += payload.modelled_bytes
        self.goals_met = self.goals_met and payload.goal_met
        self.filled = self.filled and payload.filled
        if 0 < payload.steps < FEW_STEPS:
            self.hasty.append(number)
        self._psnr_sum += payload.psnr * frames
        if self.lowest is None or payload.psnr < self.lowest[1]:
            self.lowest = number, payload.psnr

    @property
    def psnr(self) -> float | None:
        """Mean over frames, dB."""
        return self._psnr_sum / self.frames if self.frames else None
