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
    from nvcodec.api.decoding import DecodeResult, decode
    from nvcodec.api.encoding import EncodeResult, encode
    from nvcodec.api.evaluation import evaluate
    from nvcodec.api.inspect import VerifyReport, info, verify
    from nvcodec.api.opened import Video
    from nvcodec.api.opened import open_video as open
    from nvcodec.api.settings import DecodeSettings, EncodeSettings, Progress
    from nvcodec.codecs.registry import register
    from nvcodec.video import probe

_HOMES = {
    "nvcodec.api.decoding": ("DecodeResult", "decode"),
    "nvcodec.api.encoding": ("EncodeResult", "encode"),
    "nvcodec.api.evaluation": ("evaluate",),
    "nvcodec.api.inspect": ("VerifyReport", "info", "verify"),
    "nvcodec.api.opened": ("Video", "open_video"),
    "nvcodec.api.settings": ("DecodeSettings", "EncodeSettings", "Progress"),
    "nvcodec.codecs.registry": ("register",),
    "nvcodec.video": ("probe",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "DecodeResult", "DecodeSettings", "EncodeResult", "EncodeSettings", "Progress", "VerifyReport", "Video",
    "__version__", "decode", "encode", "evaluate", "info", "open", "probe", "register", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    wanted = "open_video" if name == "open" else name
    if wanted not in _HOME_OF:
        raise AttributeError(f"module 'nvcodec' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[wanted]), wanted)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, whether they were used or not."""
    return sorted({*globals(), *__all__})
