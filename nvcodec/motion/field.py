"""The motion field of a picture: a vector for each 16x16 block of luma, or for each of its four 8x8 parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvcodec.errors import FormatError, LimitError

VECTOR_LOW, VECTOR_HIGH = -4096, 4095  # quarters of a luma sample: 1024 samples either way
MAX_SIDE = 1 << 14  # luma samples


def grid_shape(width: int, height: int) -> tuple[int, int]:
    """(rows, columns) of 16x16 blocks that cover a picture. Raises LimitError for an impossible size."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise LimitError(f"a motion field has sides of 1 to {MAX_SIDE}, not {width}x{height}")
    return -(-height // 16), -(-width // 16)


def settle(vectors: NDArray[np.int16], width: int, height: int) -> NDArray[np.int16]:
    """Vectors (2 rows, 2 columns, 2) in which parts outside the picture repeat the top-left part of their block."""
    settled = vectors.copy()
    if (width - 1) % 16 < 8:
        settled[::2, -1] = settled[1::2, -1] = settled[::2, -2]
    if (height - 1) % 16 < 8:
        settled[-1, ::2] = settled[-1, 1::2] = settled[-2, ::2]
    return settled


@dataclass(frozen=True, eq=False)
class MotionField:
    """Where each 8x8 part of a picture's luma comes from in a reference picture of the same size.

    ``vectors`` is (2 rows, 2 columns, 2) int16 with rows and columns of :func:`grid_shape`: (x, y) in quarters of a
    sample, -4096 to 4095, from the part to its source. Parts that begin outside the picture repeat the top-left part
    of their block. A block is split when its parts differ. Raises FormatError for other arrays, LimitError for an
    impossible size.
    """

    width: int
    height: int
    vectors: NDArray[np.int16]

    def __post_init__(self) -> None:
        rows, columns = grid_shape(self.width, self.height)
        array = np.ascontiguousarray(self.vectors)
        if array.dtype != np.int16 or array.shape != (2 * rows, 2 * columns, 2):
            raise FormatError(
                f"a motion field of {self.width}x{self.height} is int16 {(2 * rows, 2 * columns, 2)}, "
                f"not {array.dtype} {array.shape}"
            )
        if array.min() < VECTOR_LOW or array.max() > VECTOR_HIGH:
            raise FormatError(f"a vector lies outside {VECTOR_LOW} to {VECTOR_HIGH} quarters of a sample")
        if not np.array_equal(array, settle(array, self.width, self.height)):
            raise FormatError("a part outside the picture has a vector of its own")
        array = array.copy()
        array.flags.writeable = False
        object.__setattr__(self, "vectors", array)

    @classmethod
    def still(cls, width: int, height: int) -> MotionField:
        """No motion anywhere."""
        rows, columns = grid_shape(width, height)
        return cls(width, height, np.zeros((2 * rows, 2 * columns, 2), np.int16))

    @classmethod
    def whole(cls, width: int, height: int, vectors: NDArray[np.int16]) -> MotionField:
        """One vector a block, (rows, columns, 2)."""
        return cls(width, height, np.repeat(np.repeat(np.asarray(vectors, np.int16), 2, 0), 2, 1))

    @property
    def splits(self) -> NDArray[np.bool_]:
        """(rows, columns): True where the parts of a block differ."""
        v = self.vectors
        first = v[::2, ::2]
        same = [(v[i::2, j::2] == first).all(-1) for i, j in ((0, 1), (1, 0), (1, 1))]
        return ~(same[0] & same[1] & same[2])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MotionField):
            return NotImplemented
        return (self.width, self.height) == (other.width, other.height) and np.array_equal(self.vectors, other.vectors)


def earlier_vectors(previous: MotionField | None, width: int, height: int) -> NDArray[np.int16] | None:
    """The vectors of the field before. Raises ValueError if it is of another size."""
    if previous is None:
        return None
    if (previous.width, previous.height) != (width, height):
        raise ValueError(f"the field before is {previous.width}x{previous.height}, not {width}x{height}")
    return previous.vectors
