"""Fields that follow from others, in integers: vectors followed further back, and vectors for other spans of time."""

from __future__ import annotations

import numpy as np

from nvcodec.motion.field import VECTOR_HIGH, VECTOR_LOW, MotionField, settle


def trace(field: MotionField, before: MotionField) -> MotionField:
    """Where each part comes from in the picture that ``before`` predicts its reference from.

    A part's centre, moved by its vector and rounded down to whole samples, lies in some part of the reference (the
    nearest one, outside the picture); that one's vector is added. Both fields are of one size.
    """
    vectors = field.vectors.astype(np.int32)
    rows, columns = vectors.shape[:2]
    i, j = np.mgrid[:rows, :columns]
    row = np.clip((32 * i + 16 + vectors[..., 1]) >> 5, 0, -(-field.height // 8) - 1)
    column = np.clip((32 * j + 16 + vectors[..., 0]) >> 5, 0, -(-field.width // 8) - 1)
    return _limited(field, vectors + before.vectors[row, column])


def scaled(field: MotionField, span: int, of: int) -> MotionField:
    """The same motion over ``span`` frames where the field is ``of`` so many; both may be negative, ``of`` not 0.

    floor(v * span / of + 1/2), within the range of vectors.
    """
    span, of = (-span, -of) if of < 0 else (span, of)
    return _limited(field, (2 * field.vectors.astype(np.int32) * span + of) // (2 * of))


def _limited(like: MotionField, vectors: np.ndarray) -> MotionField:
    narrow = np.clip(vectors, VECTOR_LOW, VECTOR_HIGH).astype(np.int16)
    return MotionField(like.width, like.height, settle(narrow, like.width, like.height))
