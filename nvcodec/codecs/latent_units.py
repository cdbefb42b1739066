"""A frame of a trained codec as bytes: the unit's payload (bitstream/TRAINED.md, section 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.container.fields import Cursor, uv
from nvcodec.entropy.cost import code_length
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.models.exact_prior import ExactPrior, Previous, decoded, merge
from nvcodec.models.latent_coding import FrameSymbols

Symbols = NDArray[np.int32]


class DecodedFrame(NamedTuple):
    """What a unit says."""

    z: Tensor  # int32 (1, hyper, ceil(h / 4), ceil(w / 4))
    y_hat: Tensor  # int32 (1, 4 * latents, h, w), in sixteenths of a quantisation step


def _tables(indices: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return indices.astype(np.uint16) + np.uint16(LATENT_TABLES.start)


def _parts(frame: FrameSymbols, skip: int) -> list[tuple[Symbols, NDArray[np.uint16]]]:
    """(symbols, tables) of each segment: of z all elements, of the steps those that are not skipped."""
    parts = []
    for part, (symbols, indices) in enumerate(zip(frame.symbols, frame.indices, strict=True)):
        values, numbers = symbols.numpy(), indices.numpy()
        if part and skip:
            coded = numbers >= skip
            values, numbers = values[coded], numbers[coded]
        parts.append((values, _tables(numbers)))
    return parts


def frame_bits(frame: FrameSymbols, skip: int = 0) -> float:
    """Ideal bits of a frame's symbols under their tables."""
    return sum(code_length(symbols, tables, GGD) for symbols, tables in _parts(frame, skip) if symbols.any())


def encode_unit(frame: FrameSymbols, skip: int = 0) -> bytes:
    """A unit's payload. Segments of nothing but zeros are left out."""
    parts = _parts(frame, skip)
    segments = [encode_segment(symbols, tables, GGD) if symbols.any() else b"" for symbols, tables in parts]
    return uv(len(segments[0])) + uv(len(segments[1])) + b"".join(segments)


def split_unit(payload: bytes) -> tuple[bytes, bytes, bytes]:
    """The three segments of a payload. Raises FormatError if it is shorter than it says."""
    cursor = Cursor(payload, "a unit of latents")
    lengths = [cursor.uv(name="the length of a segment") for _ in range(2)]
    z, first = (cursor.take(length) for length in lengths)
    return z, first, cursor.take(cursor.left)


def _decode(segment: bytes, indices: Tensor, skip: int = 0) -> Tensor:
    """Symbols int32 in the shape of ``indices``, zeros where they are skipped."""
    numbers = indices.contiguous().cpu().numpy()
    symbols = np.zeros(numbers.shape, np.int32)
    if segment:
        coded = numbers >= skip
        symbols[coded] = decode_segment(segment, _tables(numbers[coded]), GGD)
    return torch.from_numpy(symbols).to(indices.device)


def decode_unit(
    payload: bytes, exact: ExactPrior, previous: Previous, quality: int, skip: int, size: tuple[int, int]
) -> DecodedFrame:
    """A frame of latents (h, w) = ``size`` from its unit and the ``y_hat`` of the two before.

    Raises FormatError, TruncatedError or DamagedError.
    """
    segments = split_unit(payload)
    z = _decode(segments[0], exact.z_indices(quality, size, previous[0] is not None)).to(exact.device)
    frame = exact.begin(z, previous, quality, size)
    means, indices = frame.first()
    first = decoded(_decode(segments[1], indices, skip), means)
    means, indices = frame.second(first)
    return DecodedFrame(z, merge(first, decoded(_decode(segments[2], indices, skip), means)))
