"""``nvcodec.open``: frames of an nvc file by index."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from nvcodec.api import files
from nvcodec.api.groups import OpenGroup, open_after
from nvcodec.api.libraries import OneVideo
from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat
from nvcodec.hardware import pick_device, tune_allocator
from nvcodec.video import Picture, yuv420_to_rgb

if TYPE_CHECKING:
    from torch import Tensor


class Video:
    """An nvc file as a sequence of frames, decoded when asked for; a group stays open until another is needed.

    ``video[57]`` is (H, W, 3) uint8 RGB, ``video[40:56]`` (16, H, W, 3); negative indices and steps as in lists.
    ``picture(57)`` gives the decoded planes themselves, ``tensor(57)`` a (3, H, W) float32 tensor in [0, 1].
    The same frame is the same bits whatever was read before. Close it, or use it as a context manager.
    """

    def __init__(self, path: str | Path, *, video: int | None = None, device: str = "auto") -> None:
        """``video``: which one of a library's, from 0.

        Raises FormatError and its kin, InputError for a file that cannot be read, UsageError for a ``video`` that is
        not there, or none where there are several.
        """
        files.check_source(path, pipe=False)
        self._device = pick_device(device)
        tune_allocator()
        self._file = files.open_source(path)
        try:
            with files.named(path):
                self._video = OneVideo(self._file, video)
                self._reader = self._video.reader
                self._before = self._video.before(self._device)
        except BaseException:
            self._file.close()
            raise
        self._open: tuple[int, OpenGroup] | None = None

    @property
    def format(self) -> VideoFormat:
        return self._reader.header.format

    @property
    def frame_rate(self) -> Fraction:
        """Nominal frames a second; 0 if the source did not say."""
        return self.format.frame_rate

    @property
    def bytes_read(self) -> int:
        """Of the file, so far."""
        return self._reader.bytes_read

    def __len__(self) -> int:
        return self._reader.frame_count

    def picture(self, index: int) -> Picture:
        """Planes of a frame: Y (H, W), U and V (ceil(H/2), ceil(W/2)), uint8 or (10 bits) uint16, and its time.

        Raises IndexError past the ends, DamagedError if the frame is lost.
        """
        index = self._index(index)
        number = self._reader.group_of_frame(index)
        if self._open is None or self._open[0] != number:
            self._open = number, self._group(number)
        return self._open[1].picture(index - self._reader.groups[number].first_frame)

    def _group(self, number: int) -> OpenGroup:
        return open_after(self._reader, number, self._open, self._device, self._before)

    def _index(self, index: int) -> int:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of a video of {len(self)}")
        return index % len(self)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> NDArray[np.uint8]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of a frame, (N, H, W, 3) of a slice."""
        if isinstance(index, slice):
            frames = [self[i] for i in range(*index.indices(len(self)))]
            return np.stack(frames) if frames else np.empty((0, self.format.height, self.format.width, 3), np.uint8)
        return yuv420_to_rgb(self.picture(index), self.format)

    def tensor(self, index: int | slice) -> Tensor:
        """(3, H, W) float32 in [0, 1] of a frame, (N, 3, H, W) of a slice."""
        import torch

        return torch.from_numpy(self[index]).movedim(-1, -3).float() / 255

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[i] for i in range(len(self)))

    def close(self) -> None:
        self._open = None
        self._file.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        size = f"{self.format.width}x{self.format.height}"
        return f"<nvcodec.Video {size}, {len(self)} frames, {self.frame_rate} fps>"


def open_video(path: str | Path, **options: Any) -> Video:
    """Open an nvc file for reading frames by index; see :class:`Video`."""
    if files.is_pipe(path):
        raise UsageError("frames by index need a file, not a pipe")
    return Video(path, **options)
