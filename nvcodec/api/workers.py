"""Which engine an encode runs its groups on."""

from __future__ import annotations

from nvcodec.api.settings import EncodeSettings
from nvcodec.codecs.base import Codec
from nvcodec.engines.engine import Engine, make_engine
from nvcodec.hardware import cpu_count, devices


def one_by_one(chosen: EncodeSettings, codec: Codec) -> bool:
    """Whether what a group may take follows from the groups before, so that none can be coded ahead."""
    return chosen.size is not None or chosen.bpp is not None or (chosen.psnr is not None and codec.family == "trained")


def engine_for(chosen: EncodeSettings, codec: Codec, threads: int, device: str, notes: list[str]) -> Engine:
    """The engine; what a user should know of the choice is added to ``notes``. Raises UsageError."""
    alone = one_by_one(chosen, codec)
    if chosen.workers > 1 and alone:
        notes.append("under this goal groups are coded one after the other: more workers change nothing")
    workers = 1 if alone else chosen.workers
    if workers > 1 and chosen.threads is None and workers * threads > cpu_count():
        notes.append(f"{workers} workers of {threads} threads each share {cpu_count()} cores: try --threads 1")
    return make_engine("local" if alone else chosen.engine, workers, threads, devices(device))
