"""What a group of a fitted codec leaves to a group that leans on it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FittedState:
    """A decoded network: its description, the float32 values of its weights, and its embedding's last frame."""

    codec_id: int
    config: bytes
    symbol_hash: bytes  # 8
    weights: tuple[NDArray[np.float32], ...]
    weight_exponents: tuple[int, ...]  # of the steps, which a follower's fit begins with
    embedding_exponents: tuple[int, ...] = ()
    embedding: NDArray[np.int32] | None = None  # (C, h, w), in steps

    def digest(self) -> bytes:
        """8 bytes over everything."""
        digest = hashlib.blake2b(digest_size=8)
        facts = self.codec_id, self.config, self.symbol_hash, self.weight_exponents, self.embedding_exponents
        digest.update(repr(facts).encode())
        for values in self.weights if self.embedding is None else (*self.weights, self.embedding):
            digest.update(repr(values.shape).encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.digest()
