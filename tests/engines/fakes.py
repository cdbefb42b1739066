"""A codec whose groups count on from the group before, and do what ``spec.model`` says on the way."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nvcodec.codecs.base import GroupPayload, GroupSpec
from nvcodec.codecs.registry import register
from nvcodec.container import Unit
from nvcodec.engines.job import GroupJob
from nvcodec.engines.schedule import Task
from nvcodec.errors import FormatError, UsageError
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat

NAME, NUMBER = "counter", 0xF0E1
FORMAT = VideoFormat(8, 8)


@dataclass(frozen=True)
class Counter:
    groups: int

    def digest(self) -> bytes:
        return self.groups.to_bytes(8, "big")


class Odd(Exception):
    """Cannot be made again from what it is pickled to."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


class CounterCodec:
    name, codec_id, family, leans = NAME, NUMBER, "fitted", True

    def encode_group(self, frames, format, spec, on_status=None, previous=None) -> GroupPayload:
        what, _, path = (spec.model or "").partition(":")
        if what == "report" and on_status is not None:
            for step in range(60):
                on_status(FitStatus(step / 60, step))
                time.sleep(0.01)
        _misbehave(what, Path(path))
        digest = hashlib.sha256(b"".join(plane.tobytes() for planes in frames for plane in planes)).digest()
        count = 1 if previous is None else previous.groups + 1
        config, units = bytes([count]), [Unit(0, len(frames), (), digest + spec.device.encode())]
        leans, state = previous is not None, Counter(count)
        return GroupPayload(config, units, digest[:8], digest[8:16], 30.0, 33.0, leans=leans, state=state)

    def open_group(self, config, units, format, frame_count, device="cpu", previous=None):
        if config[0] != 1 + (0 if previous is None else previous.groups):
            raise FormatError("not on this state")
        return type("Decoder", (), {"state": Counter(config[0]), "symbol_hash": b""})


def _misbehave(what: str, path: Path) -> None:
    if what == "raise":
        raise UsageError("asked for it")
    if what == "odd":
        raise Odd("one", "two")
    if what == "die" or (what == "die-once" and not path.exists()):
        if what == "die-once":
            path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "sleep":
        path.write_text(str(os.getpid()))
        time.sleep(600)
    if what == "pid":
        path.write_text(str(os.getpid()))


def register_counter() -> None:
    register(NAME, NUMBER, f"{__name__}:CounterCodec")


def planes(seed: int, width: int = 8, height: int = 8, count: int = 2) -> list[tuple[np.ndarray, ...]]:
    """Frames of a ramp that moves, with some noise."""
    random, frames = np.random.default_rng(seed), []
    for t in range(count):
        full, half = np.mgrid[:height, :width].sum(0), np.mgrid[: height // 2, : width // 2].sum(0)
        parts = full * 3 + 5 * t + random.integers(0, 9, full.shape), half * 2 + 60, half + t + 90
        frames.append(tuple(part.astype(np.uint8) for part in parts))
    return frames


def task(number: int, key: bool = True, model: str | None = None) -> Task:
    return Task(GroupJob(NAME, planes(number), FORMAT, GroupSpec(model=model), 1), key, number)


def alive(pid: int) -> bool:
    """Whether there is such a process, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether the process ends within so many seconds."""
    return wait_for(lambda: not alive(pid), seconds)


def wait_for(condition, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def read_pid(path: Path) -> int:
    """The process that wrote its number there, as soon as it has."""
    assert wait_for(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def sequence(results) -> list[tuple[int, bytes, bytes]]:
    """What came out: (tag, config, units' bytes)."""
    return [(t.tag, p.config, b"".join(unit.payload for unit in p.units)) for t, p in results]
