"""Frames come back from memory and from files as they went in, and leave no room taken."""

import numpy as np
import pytest

from nvcodec.engines.spool import Spool


def groups():
    random = np.random.default_rng(1)
    wide = np.asfortranarray(random.integers(0, 1024, (6, 10)).astype("<u2"))
    odd = random.integers(0, 255, (7, 9), dtype=np.uint8)
    yield [(odd, odd[::2, ::2], odd[1::2, ::2][:, ::-1])] * 3
    yield [(wide, wide[:3], np.zeros((1, 1), np.uint16)), (odd, odd.T, odd[:1, :1])]


def same(a, b) -> bool:
    pairs = [pair for x, y in zip(a, b, strict=True) for pair in zip(x, y, strict=True)]
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("memory", [0.0, 0.0004, 64.0])  # files, both, memory
def test_bits_come_back(memory):
    spool = Spool(memory)
    kept = [spool.put(frames) for frames in groups()]
    assert spool.files == {0.0: 2, 0.0004: 1, 64.0: 0}[memory]
    assert spool.in_memory <= memory * 2**20
    for one, frames in zip(kept, groups(), strict=True):
        assert same(one.take(), frames)
    assert (spool.files, spool.in_memory) == (0, 0)


@pytest.mark.parametrize("memory", [0.0, 64.0])
def test_what_is_not_taken_can_be_freed(memory):
    spool = Spool(memory)
    kept = spool.put(next(groups()))
    kept.free()
    kept.free()
    assert (spool.files, spool.in_memory) == (0, 0)
