"""What ``import nvcodec`` gives."""

import subprocess
import sys

import pytest

import nvcodec


def test_every_public_name_is_there():
    assert [name for name in nvcodec.__all__ if not hasattr(nvcodec, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'transcode'"):
        _ = nvcodec.transcode


def test_a_clip_is_probed(carphone):
    found = nvcodec.probe(carphone)
    assert (found.format.width, found.format.height) == (176, 144)
    assert (found.frame_count, found.codec, found.tracks) == (120, "h264", [])


@pytest.mark.parametrize("module", ["nvcodec", "nvcodec.format", "nvcodec.codecs.base", "nvcodec.container"])
def test_importing_loads_nothing_large(module):
    code = f"import sys, {module}; print([name for name in ('torch', 'numpy', 'av') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "[]"
