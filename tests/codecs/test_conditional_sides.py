"""Pictures with sides that no motion field covers: every frame is a key frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nvcodec
from nvcodec.codecs.base import PRESETS, GroupSpec
from nvcodec.codecs.conditional_group import parse_config
from nvcodec.codecs.conditional_units import parse_payload
from nvcodec.codecs.pictures import PictureHash
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.structure import KEY_BONUS, key_slots
from nvcodec.format import Planes, VideoFormat
from nvcodec.motion.field import MAX_SIDE

WIDE = VideoFormat(MAX_SIDE + 16, 16)


def clip(fmt: VideoFormat, frames: int) -> list[Planes]:
    """A slope that moves."""
    half = (fmt.height + 1) // 2, (fmt.width + 1) // 2
    grey = np.full(half, 128, np.uint8)
    y, x = np.mgrid[: fmt.height, : fmt.width]
    return [((((x + 3 * t) // 4 + 5 * y) % 200).astype(np.uint8), grey, grey) for t in range(frames)]


def test_each_frame_stands_alone_at_the_groups_quality() -> None:
    assert [(slot.time, slot.references, slot.offset) for slot in key_slots(3)] == [(0, (), 0), (1, (), 0), (2, (), 0)]


@pytest.mark.parametrize("preset", [*PRESETS, None])
@pytest.mark.parametrize("structure", ["low-delay", "random-access", None])
def test_every_choice_of_a_preset_is_the_same(tiny_conditional: Path, preset: str | None, structure: str | None):
    times = {"preset": preset} if preset else {"seconds": 30.0}
    spec = GroupSpec(model=str(tiny_conditional), structure=structure, **times)
    payload = get_codec("conditional").encode_group(clip(WIDE, 2), WIDE, spec)
    assert payload.notes["passes"] == 1
    assert [(unit.first, unit.references, parse_payload(unit.payload, 0).quality) for unit in payload.units] == [
        (0, (), 32), (1, (), 32),
    ]  # fmt: skip


@pytest.mark.parametrize("fmt", [WIDE, VideoFormat(16, MAX_SIDE + 1)])
def test_wide_and_high_groups_decode(tiny_conditional: Path, fmt: VideoFormat) -> None:
    codec, frames = get_codec("conditional"), clip(fmt, 3)
    payload = codec.encode_group(frames, fmt, GroupSpec(model=str(tiny_conditional), target_bytes=12_000))
    decoder = codec.open_group(payload.config, payload.units, fmt, 3)
    pictures = PictureHash()
    for t in range(3):
        pictures.update(decoder.planes(t))
    assert decoder.symbol_hash == payload.symbol_hash and pictures.digest() == payload.picture_hash
    assert payload.goal_met and payload.size <= 12_000


def test_as_wide_as_may_be_has_motion(tiny_conditional: Path) -> None:
    fmt = VideoFormat(MAX_SIDE, 16)
    spec = GroupSpec(model=str(tiny_conditional), preset="faster")
    payload = get_codec("conditional").encode_group(clip(fmt, 2), fmt, spec)
    assert payload.units[1].references == (0,)


def test_a_still_has_the_quality_of_any_other(tiny_conditional: Path) -> None:
    payload = get_codec("conditional").encode_group(clip(WIDE, 1), WIDE, GroupSpec(model=str(tiny_conditional)))
    assert parse_config(payload.config).quality == 32
    assert parse_payload(payload.units[0].payload, 0).quality == 32 + KEY_BONUS


def test_a_wide_file_from_end_to_end(tiny_conditional: Path, tmp_path: Path) -> None:
    source, file, shown = (tmp_path / name for name in ("wide.y4m", "wide.nvc", "shown.y4m"))
    frames = clip(WIDE, 2)
    data = b"".join(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes) for planes in frames)
    source.write_bytes(b"YUV4MPEG2 W%d H%d F25:1 Ip C420jpeg\n" % (WIDE.width, WIDE.height) + data)
    done = nvcodec.encode(source, file, model=str(tiny_conditional))
    assert done.frames == 2
    nvcodec.decode(file, shown)
    assert shown.stat().st_size >= len(data)
