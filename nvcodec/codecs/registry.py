"""The codecs by name and by number. A codec is one file and one line here."""

from __future__ import annotations

from importlib import import_module

from nvcodec.codecs.base import Codec
from nvcodec.errors import UnsupportedError, UsageError

# name -> (id in the stream, "module:class"); ids are never reused
CODECS: dict[str, tuple[int, str]] = {
    "nerv": (1, "nvcodec.codecs.nerv:NeRVCodec"),
    "hnerv": (2, "nvcodec.codecs.hnerv:HNeRVCodec"),
    "stem": (3, "nvcodec.codecs.stem:StemCodec"),
    "intra": (4, "nvcodec.codecs.intra:IntraCodec"),
    "conditional": (5, "nvcodec.codecs.conditional:ConditionalCodec"),
    "nirvana": (6, "nvcodec.codecs.nirvana:NirvanaCodec"),
    "hnerv-boost": (7, "nvcodec.codecs.hnerv_boost:HNeRVBoostCodec"),
    "nerv-boost": (8, "nvcodec.codecs.nerv_boost:NeRVBoostCodec"),
    "nervpp": (9, "nvcodec.codecs.nervpp:NeRVPlusCodec"),
    "enerv": (10, "nvcodec.codecs.enerv:ENeRVCodec"),
    "enerv-boost": (11, "nvcodec.codecs.enerv_boost:ENeRVBoostCodec"),
    "pfnr": (12, "nvcodec.codecs.pfnr:PFNRCodec"),
}
AUTO = "conditional"  # what --codec auto means: of ours the best pictures for the bytes and the seconds


def register(name: str, codec_id: int, target: str) -> None:
    """Add a codec from outside the package; ``target`` is "module:class". Ids 0xF000..0xFFFF are for private use.

    Raises :class:`UsageError` if the name or the id is taken.
    """
    taken = {number: known for known, (number, _) in CODECS.items()}
    if CODECS.get(name, (codec_id, target)) != (codec_id, target) or taken.get(codec_id, name) != name:
        raise UsageError(f"codec {name!r} or id {codec_id} is registered already")
    CODECS[name] = (codec_id, target)


def get_codec(name: str) -> Codec:
    """The codec called ``name``, or the default for "auto"; raises :class:`UsageError`."""
    name = AUTO if name == "auto" else name
    if name not in CODECS:
        raise UsageError(f"no codec {name!r}; there are: auto, {', '.join(CODECS)}")
    module, _, attribute = CODECS[name][1].partition(":")
    codec: Codec = getattr(import_module(module), attribute)()
    return codec


def has_effort(codec: Codec) -> bool:
    """Whether presets and time budgets mean something to the codec."""
    return codec.family == "fitted" or codec.name == "conditional"


def codec_name(codec_id: int) -> str:
    """The name behind an id of a stream; raises :class:`UnsupportedError`."""
    for name, (number, _) in CODECS.items():
        if number == codec_id:
            return name
    raise UnsupportedError(f"the stream was made by codec number {codec_id}, which this version does not have")
