"""nvcodec: a neural video codec with a real bitstream.

    import nvcodec
    nvcodec.encode("in.mp4", "out.nvc", quality=32)
    nvcodec.decode("out.nvc", "out.mp4")
    with nvcodec.open("out.nvc") as video:
        frame = video[57]  # (H, W, 3) uint8 RGB

Names are loaded when first used, so that ``import nvcodec`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nvcodec._version import __version__

if TYPE_CHECKING:
    from nvcodec.api import (
        DecodeResult,
        DecodeSettings,
        EncodeResult,
        EncodeSettings,
        Progress,
        VerifyReport,
        Video,
        decode,
        encode,
        evaluate,
        info,
        verify,
    )
    from nvcodec.api import open_video as open
    from nvcodec.codecs.registry import register

_HOMES = dict.fromkeys(
    ("DecodeResult", "DecodeSettings", "EncodeResult", "EncodeSettings", "Progress", "VerifyReport", "Video",
     "decode", "encode", "evaluate", "info", "verify", "open_video"),
    "nvcodec.api",
) | {"register": "nvcodec.codecs.registry"}  # fmt: skip

__all__ = [
    "DecodeResult", "DecodeSettings", "EncodeResult", "EncodeSettings", "Progress", "VerifyReport", "Video",
    "__version__", "decode", "encode", "evaluate", "info", "open", "register", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    wanted = "open_video" if name == "open" else name
    if wanted not in _HOMES:
        raise AttributeError(f"module 'nvcodec' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[wanted]), wanted)
    globals()[name] = value
    return value
