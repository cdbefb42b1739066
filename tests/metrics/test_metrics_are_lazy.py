"""Names of the room that need torch load it when they are used, and not before."""

import subprocess
import sys

import pytest

import nvcodec.metrics

CODE = """
import sys
from nvcodec.metrics import bd_rate, psnr
assert "torch" not in sys.modules
import nvcodec.metrics.similarity
from nvcodec.metrics import ssim
assert callable(ssim)
"""


def test_torch_waits_until_it_is_needed():
    subprocess.run([sys.executable, "-c", CODE], check=True)


def test_every_public_name_is_there():
    assert all(getattr(nvcodec.metrics, name) is not None for name in nvcodec.metrics.__all__)
    with pytest.raises(AttributeError, match="no attribute 'vmaff'"):
        nvcodec.metrics.vmaff  # noqa: B018
