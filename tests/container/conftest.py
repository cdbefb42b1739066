"""Small files for the container's tests."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest

from nvcodec.container import Group, SequenceHeader, Unit, Writer
from nvcodec.format import Packet, Track, VideoFormat

HEADER = SequenceHeader(VideoFormat(64, 48, timebase=Fraction(1, 30), frame_rate=Fraction(30)), 65535, 1)
AUDIO = Track("audio", "aac", Fraction(1, 48000), "eng", b"config")


def make_group(number: int, count: int = 4, payload: bytes = b"unit", **changes: object) -> Group:
    """Group ``number`` of groups of ``count`` frames at constant rate, in one unit."""
    first = number * count
    values: dict[str, object] = {
        "number": number, "first_frame": first, "frame_count": count, "depends_on": None, "config": b"cfg",
        "units": [Unit(0, count, (), payload)], "symbol_hash": b"S" * 8, "picture_hash": b"P" * 8,
        "pts": list(range(first, first + count)), "durations": [1] * count,
    }  # fmt: skip
    return Group(**(values | changes))  # type: ignore[arg-type]


def make_file(groups: int = 3, audio: bool = True, header: SequenceHeader = HEADER, payload: bytes = b"unit") -> bytes:
    """A whole file; every group but the first leans on the one before it, if its number is odd."""
    file = io.BytesIO()
    with Writer(file, header) as writer:
        writer.write_metadata({"encoder": "nvcodec"})
        track = writer.write_track(AUDIO) if audio else 0
        for number in range(groups):
            writer.write_group(make_group(number, payload=payload, depends_on=number - 1 if number % 2 else None))
            if audio:
                writer.write_packets([Packet(track, b"a%d" % number, 1024 * number, 1024 * number, 1024)])
    return file.getvalue()


@pytest.fixture(scope="session")
def small_file() -> bytes:
    """Three groups of four frames with an audio track: a few hundred bytes."""
    return make_file()


class Tools:
    """What tests of this folder share, as they cannot import each other."""

    header = HEADER
    audio = AUDIO
    group = staticmethod(make_group)
    file = staticmethod(make_file)


@pytest.fixture(scope="session")
def tools() -> type[Tools]:
    return Tools
