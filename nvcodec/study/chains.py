"""Filter chains of FFmpeg that carry 4:2:0 pictures into an encoder and out of a decoder without changing a sample.

FFmpeg scales between ranges, dithers and rounds sizes wherever formats or tags differ, unless each step is named.
"""

from __future__ import annotations

from nvcodec.study.coded import Source

# code points of H.273 that FFmpeg's filters and encoders all take; others, and 2 for unspecified, are not passed on
_KNOWN = {"color_primaries": {1, *range(4, 13)}, "color_trc": {1, *range(4, 19)}, "colorspace": {1, *range(4, 15)}}
# the luma plane alone needs padding: chroma of an odd size is rounded up already; FFmpeg's pad would cut both first
_EVEN = (
    "extractplanes=y+u+v[y][u][v];"
    "[y]pad=ceil(iw/2)*2:ceil(ih/2)*2,fillborders=right={right}:bottom={bottom}:mode=smear[e];"
    "[e][u][v]mergeplanes=0x001020:{pixels}"
)


def encode_chain(source: Source, coded: str, pad: bool) -> str:
    """From the file's pictures to pixel format ``coded``, with the source's colour tags.

    ``pad`` repeats the last row or column of an odd size.
    """
    fmt = source.format
    right, bottom = fmt.width % 2, fmt.height % 2
    steps = _own_range(source, source.pixel_format)
    if pad and (right or bottom):
        steps.append(_EVEN.format(right=right, bottom=bottom, pixels=source.pixel_format))
    if coded != source.pixel_format:
        steps += _shift(coded)
    return ",".join([*steps, _tags(source)])


def decode_chain(source: Source, coded: str, crop: bool) -> str:
    """From pictures of format ``coded`` back to the source's bit depth, by rounding, and to its size."""
    fmt = source.format
    steps = _own_range(source, coded)
    if coded != source.pixel_format:
        steps += _shift(source.pixel_format)
    if crop and (fmt.width % 2 or fmt.height % 2):
        steps.append(f"crop={fmt.width}:{fmt.height}:0:0:exact=1")
    return ",".join([*steps, f"setparams=range={_range(source)}"])


def _range(source: Source) -> str:
    return "full" if source.format.colour.full_range else "limited"


def _own_range(source: Source, pixels: str) -> list[str]:
    """Full range stays full, also from the pixel formats that mean it by their name (yuvj420p).

    The matrix is untold first, because the scaler refuses those that it could not convert, asked or not.
    """
    return ["setparams=colorspace=2", f"scale=in_range={_range(source)}:out_range={_range(source)}", f"format={pixels}"]


def _shift(pixels: str) -> list[str]:
    """Another bit depth by a shift of two bits, and back with rounding: what scaling does between limited ranges."""
    same = "in_range=limited:out_range=limited:sws_dither=none"
    return ["setparams=range=limited", f"scale={same}", f"format={pixels}"]


def _tags(source: Source) -> str:
    colour = source.format.colour
    codes = {"color_primaries": colour.primaries, "color_trc": colour.transfer, "colorspace": colour.matrix}
    said = [f"{name}={code}" for name, code in codes.items() if code in _KNOWN[name]]
    return ":".join([f"setparams=range={_range(source)}", *said])
