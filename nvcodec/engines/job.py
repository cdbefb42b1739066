"""The unit of work: code one group. Named by what decides its bytes, so that it can be retried, resumed or moved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nvcodec._version import __version__
from nvcodec.codecs.base import GroupPayload, GroupSpec, GroupState, Planes
from nvcodec.codecs.registry import get_codec
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat
from nvcodec.hardware import return_memory


@dataclass(frozen=True)
class GroupJob:
    """Frames of one group, and all that decides how they are coded."""

    codec: str
    frames: list[Planes]
    format: VideoFormat
    spec: GroupSpec
    threads: int
    previous: GroupState | None = None  # of the group before, where this one may lean on it

    def name(self) -> str:
        """32 hex digits over frames, settings, thread count, code version and the state of the group before."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.codec, self.format, self.spec, self.threads, __version__)).encode())
        digest.update(b"" if self.previous is None else self.previous.digest())
        for planes in self.frames:
            for plane in planes:
                digest.update(repr((plane.shape, plane.dtype.str)).encode())
                digest.update(np.ascontiguousarray(plane).tobytes())
        return digest.hexdigest()


def run_in_process(job: GroupJob, on_status: Callable[[FitStatus], None] | None = None) -> GroupPayload:
    """Code the group here and now."""
    before = () if job.previous is None else (job.previous,)
    try:
        return get_codec(job.codec).encode_group(job.frames, job.format, job.spec, on_status, *before)
    finally:
        return_memory()
