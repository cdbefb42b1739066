"""A motion field to bytes and back: one chain of flags and differences, each under a table that the field so far chose.

A vector is predicted from its coded neighbours (left, above, above right) and from the field before, if there is one;
most blocks need one flag. ``bitstream/MOTION.md`` says it in full. The native coder and its Python twin do the same.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nvcodec.entropy import native
from nvcodec.errors import DamagedError
from nvcodec.motion import coding_py
from nvcodec.motion.field import MotionField, earlier_vectors, grid_shape
from nvcodec.motion.tables import motion_tables

if native.AVAILABLE:
    from nvcodec import _native

MOST_BYTES = 256  # of a block; no field comes near


@cache
def _tables() -> _native.TableSet:
    tables = motion_tables()
    return _native.TableSet(tables.cumulative, tables.offsets, tables.raw_bits)


def encode_motion(field: MotionField, previous: MotionField | None = None, *, backend: str = "auto") -> bytes:
    """The bytes of a field; none at all if every vector is as predicted. `previous` is known to the decoder, too.

    `backend` is "auto", "native" or "python". Raises ValueError if `previous` is of another size.
    """
    earlier = earlier_vectors(previous, field.width, field.height)
    if native.chosen(backend):
        return _native.encode_motion(field.vectors, earlier, field.width, field.height, _tables())
    return coding_py.encode_motion(field.vectors, earlier, field.width, field.height)


def decode_motion(
    data: bytes, width: int, height: int, previous: MotionField | None = None, *, backend: str = "auto"
) -> MotionField:
    """The field of a picture of this size that :func:`encode_motion` coded with the same `previous`.

    Raises LimitError for an impossible size, TruncatedError where bytes are missing and DamagedError where there are
    too many, or where they contradict themselves; ValueError if `previous` is of another size.
    """
    rows, columns = grid_shape(width, height)
    if len(data) > MOST_BYTES * (rows * columns + 1):
        raise DamagedError(f"{len(data)} bytes are too many for a motion field of {width}x{height}")
    earlier = earlier_vectors(previous, width, height)
    vectors = np.zeros((2 * rows, 2 * columns, 2), np.int16)
    if native.chosen(backend):
        _native.decode_motion(bytes(data), earlier, width, height, _tables(), vectors)
    else:
        coding_py.decode_motion(bytes(data), earlier, width, height, vectors)
    return MotionField(width, height, vectors)
