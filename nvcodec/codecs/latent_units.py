"""A frame of a trained codec as bytes: the unit's payload (bitstream/TRAINED.md, section 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvcodec.container.fields import Cursor, uv
from nvcodec.entropy.chain import ChainDecoder, encode_chain
from nvcodec.entropy.cost import code_length
from nvcodec.entropy.segment import decode_segment, encode_segment
from nvcodec.entropy.tables import GGD, LATENT_TABLES
from nvcodec.models.exact_prior import ExactPrior, Previous, decoded, merge
from nvcodec.models.latent_coding import FrameSymbols

SEGMENTS, CHAIN = 0, 1  # forms of a payload
UNIT_BITS = 32  # of a form and a chain's state
EMPTY_BITS = 24  # of a frame of zeros
CHAIN_BITS = 1 << 17  # from which lanes and chunks cost next to nothing
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
    """Ideal bits of a frame's symbols under their tables, and what a payload has beside them."""
    return _bits(_parts(frame, skip))


def _bits(parts: list[tuple[Symbols, NDArray[np.uint16]]]) -> float:
    coded = any(symbols.any() for symbols, _ in parts)
    return UNIT_BITS + sum(code_length(symbols, tables, GGD) for symbols, tables in parts) if coded else EMPTY_BITS


def encode_unit(frame: FrameSymbols, skip: int = 0) -> tuple[bytes, float]:
    """A unit's payload and its ideal bits: one chain, or where that is worth it, segments, which decode in parallel."""
    parts = _parts(frame, skip)
    bits = _bits(parts)
    if EMPTY_BITS < bits < CHAIN_BITS:
        return bytes([CHAIN]) + encode_chain(parts, GGD), bits
    segments = [encode_segment(symbols, tables, GGD) if symbols.any() else b"" for symbols, tables in parts]
    return bytes([SEGMENTS]) + uv(len(segments[0])) + uv(len(segments[1])) + b"".join(segments), bits


class _Segments:
    """Symbols of a payload's three segments, one after the other; an empty one is of zeros."""

    def __init__(self, cursor: Cursor) -> None:
        lengths = [cursor.uv(name="the length of a segment") for _ in range(2)]
        self._left = [*(cursor.take(length) for length in lengths), cursor.take(cursor.left)]

    def decode(self, indices: NDArray[np.uint16]) -> Symbols:
        segment = self._left.pop(0)
        return decode_segment(segment, indices, GGD) if segment else np.zeros(len(indices), np.int32)

    def finish(self) -> None:
        """Each segment has found its own end."""


def open_unit(payload: bytes) -> _Segments | ChainDecoder:
    """What decodes a payload part by part. Raises FormatError for an unknown form or lengths beyond the payload."""
    cursor = Cursor(payload, "a unit of latents")
    form = cursor.u8()
    if form not in (SEGMENTS, CHAIN):
        raise cursor.reserved(f"its form is {form}")
    return ChainDecoder(cursor.take(cursor.left), GGD) if form == CHAIN else _Segments(cursor)


def _decode(source: _Segments | ChainDecoder, indices: Tensor, skip: int = 0) -> Tensor:
    """Symbols int32 in the shape of ``indices``, zeros where they are skipped."""
    numbers = indices.contiguous().cpu().numpy()
    symbols = np.zeros(numbers.shape, np.int32)
    coded = numbers >= skip
    symbols[coded] = source.decode(_tables(numbers[coded]))
    return torch.from_numpy(symbols).to(indices.device)


def decode_unit(
    payload: bytes, exact: ExactPrior, previous: Previous, quality: int, skip: int, size: tuple[int, int]
) -> DecodedFrame:
    """A frame of latents (h, w) = ``size`` from its unit and the ``y_hat`` of the two before.

    Raises FormatError, TruncatedError or DamagedError.
    """
    source = open_unit(payload)
    z = _decode(source, exact.z_indices(quality, size, previous[0] is not None)).to(exact.device)
    frame = exact.begin(z, previous, quality, size)
    means, indices = frame.first()
    first = decoded(_decode(source, indices, skip), means)
    means, indices = frame.second(first)
    second = decoded(_decode(source, indices, skip), means)
    source.finish()
    return DecodedFrame(z, merge(first, second))
