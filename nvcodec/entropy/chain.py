"""Arrays of integers to bytes and back where the tables of later symbols follow from earlier ones.

    data = encode_chain([(z, z_indices), (first, first_indices)], GGD)
    decoder = ChainDecoder(data, GGD)
    z = decoder.decode(z_indices)
    first = decoder.decode(indices_that_follow_from(z))
    decoder.finish()

One chain costs about 3 bytes more than its symbols, however many parts it is decoded in; a segment each costs as much
for every part, and decodes in parallel. The bytes are specified in ``bitstream/CODER.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from nvcodec.entropy import chain_py, native
from nvcodec.entropy.segment import as_indices, as_symbols
from nvcodec.entropy.tables import TableFamily

Part = tuple[NDArray[np.int32], NDArray[np.uint16]]  # symbols (n,) and the table of each (n,)


def _backend(name: str) -> ModuleType:
    return native if native.chosen(name) else chain_py


def encode_chain(parts: Sequence[Part], family: TableFamily, *, backend: str = "auto") -> bytes:
    """Codes the parts one after the other, symbol i of a part with table ``indices[i]`` of `family`.

    The bytes depend on the symbols and their tables alone, not on where parts begin, nor on `backend` ("auto",
    "native" or "python"). No symbols make 4 bytes. Raises ValueError for what cannot be coded (a symbol further than
    about 2**23 table symbols out included) and FormatError for an index outside the family.
    """
    values, tables = [np.empty(0, np.int32)], [np.empty(0, np.uint16)]
    for symbols, indices in parts:
        values.append(as_symbols(symbols).astype(np.int32, copy=False))
        tables.append(as_indices(indices, family).astype(np.uint16, copy=False))
        if len(values[-1]) != len(tables[-1]):
            raise ValueError(f"{len(values[-1])} symbols need as many table indices, not {len(tables[-1])}")
    data: bytes = _backend(backend).encode_chain(np.concatenate(values), np.concatenate(tables), family.tables)
    return data


class ChainDecoder:
    """The symbols of a chain, part by part.

    Raises TruncatedError where bytes are missing and DamagedError where they contradict themselves. A damaged chain
    may also decode to wrong symbols: :meth:`finish` finds most of them, checksum and symbol hash the others.
    """

    def __init__(self, data: bytes | memoryview, family: TableFamily, *, backend: str = "auto") -> None:
        self._family = family
        self._decoder = _backend(backend).ChainDecoder(data, family.tables)

    def decode(self, indices: NDArray[np.uint16]) -> NDArray[np.int32]:
        """The next symbols, (n,) int32 with n = len(indices), coded with the same indices.

        Raises TruncatedError, DamagedError, or FormatError for an index outside the family; the decoder then stays
        where it was before the call.
        """
        tables = as_indices(indices, self._family).astype(np.uint16, copy=False)
        values: NDArray[np.int32] = self._decoder.decode(tables)
        return values

    def finish(self) -> None:
        """Raises DamagedError unless all bytes are read and the state is back where every chain begins."""
        self._decoder.finish()
