"""The package works where the native module was not built: the Python coder takes over."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["nvcodec._native"] = None
import numpy as np
from nvcodec.entropy import native
from nvcodec.entropy.chain import ChainDecoder, encode_chain
from nvcodec.entropy.segment import GAUSSIAN, decode_segment, encode_segment
assert not native.AVAILABLE
symbols, indices = np.array([3, -1, 0]), np.array([40, 20, 10])
assert decode_segment(encode_segment(symbols, indices, GAUSSIAN), indices, GAUSSIAN).tolist() == [3, -1, 0]
chain = ChainDecoder(encode_chain([(symbols, indices)], GAUSSIAN), GAUSSIAN)
assert chain.decode(indices).tolist() == [3, -1, 0]
chain.finish()
try:
    encode_segment(symbols, indices, GAUSSIAN, backend="native")
except ValueError as error:
    print(error)
"""


def test_fallback() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "the native coder was not built"
