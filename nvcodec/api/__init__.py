"""What ``import nvcodec`` gives: encode, decode, open, info, verify, evaluate."""

from nvcodec.api.decoding import DecodeResult, decode
from nvcodec.api.encoding import EncodeResult, encode
from nvcodec.api.evaluation import evaluate
from nvcodec.api.inspect import VerifyReport, info, verify
from nvcodec.api.opened import Video, open_video
from nvcodec.api.settings import DecodeSettings, EncodeSettings, Progress

__all__ = [
    "DecodeResult", "DecodeSettings", "EncodeResult", "EncodeSettings", "Progress", "VerifyReport", "Video",
    "decode", "encode", "evaluate", "info", "open_video", "verify",
]  # fmt: skip
