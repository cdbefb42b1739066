"""Frames that wait for their turn: some in memory, the rest in unnamed temporary files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from nvcodec.codecs.base import Planes
from nvcodec.errors import OutputError

MEMORY_MIB = 64.0
_Shape = tuple[tuple[int, ...], np.dtype[Any]]  # of a plane


class Spool:
    """Keeps groups of frames until they are taken back, bit for bit."""

    def __init__(self, memory_mib: float = MEMORY_MIB) -> None:
        """At most ``memory_mib`` MiB of planes stay in memory."""
        self._limit = int(memory_mib * 2**20)
        self.in_memory = 0  # bytes
        self.files = 0  # open ones

    def put(self, frames: list[Planes]) -> Kept:
        """Keep a group. Raises OutputError where there is no room for temporary files."""
        size = sum(plane.nbytes for planes in frames for plane in planes)
        if self.in_memory + size <= self._limit:
            self.in_memory += size
            return _InMemory(self, list(frames), size)
        # unbuffered: planes are large, and a full disk should be met here and not when the file is closed
        file = tempfile.TemporaryFile(prefix="nvcodec-", buffering=0)  # noqa: SIM115 (it outlives the call)
        try:
            shapes = [_write(file, planes) for planes in frames]
        except OSError as error:
            file.close()
            where = tempfile.gettempdir()
            raise OutputError(f"no room for temporary files in {where} (TMPDIR): {error.strerror or error}") from error
        except BaseException:
            file.close()
            raise
        self.files += 1
        return _InFile(self, file, shapes)


class Kept:
    """A group in a spool."""

    def take(self) -> list[Planes]:
        """The frames; once. Raises OSError where they cannot be read."""
        raise NotImplementedError

    def free(self) -> None:
        """Give back its room, taken or not. Twice is as good as once."""
        raise NotImplementedError


@dataclass
class _InMemory(Kept):
    spool: Spool
    frames: list[Planes]
    size: int  # bytes

    def take(self) -> list[Planes]:
        frames = self.frames
        self.free()
        return frames

    def free(self) -> None:
        self.spool.in_memory -= self.size
        self.frames, self.size = [], 0


@dataclass
class _InFile(Kept):
    spool: Spool
    file: BinaryIO
    shapes: list[list[_Shape]]

    def take(self) -> list[Planes]:
        try:
            self.file.seek(0)
            return [_read(self.file, shapes) for shapes in self.shapes]
        finally:
            self.free()

    def free(self) -> None:
        self.spool.files -= not self.file.closed
        self.file.close()


def _write(file: BinaryIO, planes: Planes) -> list[_Shape]:
    for plane in planes:
        left = np.ascontiguousarray(plane).reshape(-1).view(np.uint8).data
        while left:  # an unbuffered file may take less than all
            left = left[file.write(left) :]
    return [(plane.shape, plane.dtype) for plane in planes]


def _read(file: BinaryIO, shapes: list[_Shape]) -> Planes:
    out = []
    for shape, dtype in shapes:
        plane = np.empty(shape, dtype)
        left = plane.reshape(-1).view(np.uint8).data
        while left:
            count = file.readinto(left)  # type: ignore[attr-defined]
            if not count:
                raise OSError("a temporary file has lost its end")
            left = left[count:]
        out.append(plane)
    y, u, v = out
    return y, u, v
