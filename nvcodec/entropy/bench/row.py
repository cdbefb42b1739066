"""A row of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``over_ideal`` is a share (0.01: one percent more bits than ideal); ``clean`` repetitions were timed."""

    coder: str
    case: str
    op: str  # encode | decode
    scope: str  # core: table symbols <-> words; end_to_end: arrays <-> bytes; kernel: on the GPU alone
    simd: str
    threads: int
    msym_per_s: float
    over_ideal: float
    clean: int

    def line(self) -> str:
        return (
            f"{self.coder:12} {self.case:12} {self.op:7} {self.scope:11} {self.simd:7} {self.threads:7} "
            f"{self.msym_per_s:11.1f} {100 * self.over_ideal:+10.3f} % {self.clean:6}"
        )


HEADING = (
    f"{'coder':12} {'case':12} {'op':7} {'scope':11} {'simd':7} {'threads':>7} {'Msym/s':>11} {'over ideal':>12} clean"
)
