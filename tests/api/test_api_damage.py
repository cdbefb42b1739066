"""Every prefix and every flipped byte of a small file: one of our errors or an answer, never anything else."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

import nvcodec
from nvcodec.container import Reader as NvcReader
from nvcodec.container import Writer as NvcWriter
from nvcodec.errors import (
    DamagedError,
    FormatError,
    LimitError,
    NvcodecError,
    TruncatedError,
    UnsupportedError,
)

pytestmark = pytest.mark.usefixtures("few_steps")


@pytest.fixture(scope="module")
def small(make_clip, bikes, tmp_path_factory) -> Path:
    """Two groups of one and two frames of 16x16 in less than 3 kB."""
    path = tmp_path_factory.mktemp("small") / "small.nvc"
    from nvcodec.codecs import sizing

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizing.FEWEST_STEPS, "faster", 6)
        patch.setitem(sizing.EPOCHS, "faster", 0)
        nvcodec.encode(make_clip(bikes, 16, 16, 3), path, codec="nerv", size=2500, preset="faster", gof=2, threads=1)
    assert path.stat().st_size < 3000
    return path


def try_all(path: Path, folder: Path) -> int:
    """Everything that reads; returns how many frames were decoded."""
    frames = 0
    try:
        frames = nvcodec.decode(path, folder / "out.y4m", overwrite=True, threads=1).frames
    except NvcodecError as error:
        assert "\n" not in str(error) and str(error)
    for call in (nvcodec.info, nvcodec.verify, open_all):
        try:
            call(path)
        except NvcodecError as error:
            assert "\n" not in str(error) and str(error)
    assert not (folder / "out.y4m.part").exists()
    return frames


def open_all(path: Path) -> None:
    with nvcodec.open(path) as video:
        for index in range(len(video)):
            try:
                video.picture(index)
            except NvcodecError:
                continue


def test_prefixes(small, tmp_path):
    data = small.read_bytes()
    path = tmp_path / "cut.nvc"
    most = 0
    for length in [*range(0, 200), *range(200, len(data), 41), len(data) - 1]:
        path.write_bytes(data[:length])
        frames = try_all(path, tmp_path)
        assert frames in (0, 2, 3) and frames >= most
        most = frames
        if 0 < length < len(data):
            try:
                assert nvcodec.info(path)["truncated"]
            except (TruncatedError, FormatError):
                assert length < 200
    assert most == 3


def test_flipped_bytes(small, tmp_path):
    data = small.read_bytes()
    path = tmp_path / "flipped.nvc"
    for at in [*range(0, 90), *range(90, len(data) - 90, 19), *range(len(data) - 90, len(data))]:
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        try_all(path, tmp_path)
        with contextlib.suppress(NvcodecError):
            assert not nvcodec.verify(path).ok


def rewritten(small: Path, target: Path, change) -> Path:
    """``small`` with its groups through ``change``, every checksum of the container right again."""
    with small.open("rb") as file, target.open("wb") as out:
        reader = NvcReader(file)
        with NvcWriter(out, reader.header) as writer:
            for group in reader.iter_groups():
                writer.write_group(change(group))
    return target


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


def test_flipped_symbols_behind_a_right_checksum(small, tmp_path):
    """What CRC32C would miss, the hashes catch, and a crafted description breaks nothing."""
    with small.open("rb") as file:
        first = next(NvcReader(file).iter_groups())
    for at in range(0, len(first.units[0].payload), 13):
        path = rewritten(small, tmp_path / "a.nvc", lambda g, at=at: replace(
            g, units=[replace(g.units[0], payload=flip(g.units[0].payload, at % len(g.units[0].payload)))]
        ))  # fmt: skip
        report = nvcodec.verify(path)
        assert not report.ok or report.pictures_differ, f"byte {at}"  # a step is no symbol: the pictures tell
        try_all(path, tmp_path)
    for at in range(len(first.config)):
        for bit in range(8):
            change = bytes([first.config[at] ^ 1 << bit])
            config = first.config[:at] + change + first.config[at + 1 :]
            path = rewritten(small, tmp_path / "a.nvc", lambda g, config=config: replace(g, config=config))
            try_all(path, tmp_path)


def test_a_wrong_symbol_hash_is_damage(small, tmp_path):
    path = rewritten(small, tmp_path / "a.nvc", lambda g: replace(g, symbol_hash=flip(g.symbol_hash, 0)))
    with pytest.raises(DamagedError, match="hash"):
        nvcodec.decode(path, tmp_path / "a.mkv")
    report = nvcodec.verify(path)
    assert not report.ok and len(report.damage) == 2 and report.symbols_ok == 0
    assert not list(tmp_path.glob("a.mkv*"))


def test_a_wrong_picture_hash_is_told_but_no_error(small, tmp_path):
    path = rewritten(small, tmp_path / "a.nvc", lambda g: replace(g, picture_hash=flip(g.picture_hash, 0)))
    report = nvcodec.verify(path)
    assert report.ok and report.pictures_differ == [0, 1] and report.pictures_ok == 0
    assert nvcodec.decode(path, tmp_path / "a.y4m").frames == 3


def reheaded(small: Path, target: Path, **changes) -> Path:
    with small.open("rb") as file, target.open("wb") as out:
        reader = NvcReader(file)
        with NvcWriter(out, replace(reader.header, **changes)) as writer:
            for group in reader.iter_groups():
                writer.write_group(group)
    return target


def test_an_unknown_codec_is_named(small, tmp_path):
    path = reheaded(small, tmp_path / "a.nvc", codec_id=4711)
    with pytest.raises(UnsupportedError, match="4711"):
        nvcodec.decode(path, tmp_path / "a.y4m")
    found = nvcodec.info(path)
    assert "4711" in found["codec"] and "4711" in found["groups"][0]["error"]
    with nvcodec.open(path) as video, pytest.raises(UnsupportedError):
        video[0]
    report = nvcodec.verify(path)
    assert not report.ok and not report.damage and "4711" in report.unreadable[0]


def test_over_the_limits_is_listed_but_not_decoded(small, tmp_path):
    with small.open("rb") as file:
        size = NvcReader(file).header.format
    path = reheaded(small, tmp_path / "a.nvc", format=replace(size, width=30000, height=30000), level=0)
    for call in (lambda: nvcodec.decode(path, tmp_path / "a.y4m"), lambda: nvcodec.open(path)):
        with pytest.raises(LimitError, match="luma samples"):
            call()
    with pytest.raises(LimitError):
        nvcodec.verify(path)
    assert nvcodec.info(path)["format"]["width"] == 30000


def test_a_newer_version_is_refused(small, tmp_path):
    from nvcodec.container.chunk import HEADER_SIZE, SIGNATURE, pack_chunk

    data, start = small.read_bytes(), len(SIGNATURE)
    length = int.from_bytes(data[start + 5 : start + HEADER_SIZE], "little")
    payload = data[start + HEADER_SIZE :][:length]
    path = tmp_path / "a.nvc"
    path.write_bytes(SIGNATURE + pack_chunk(b"HEAD", b"\x63" + payload[1:]) + data[start + HEADER_SIZE + length + 4 :])
    for call in (nvcodec.info, nvcodec.verify, nvcodec.open, lambda p: nvcodec.decode(p, tmp_path / "b.mkv")):
        with pytest.raises(UnsupportedError, match=r"version 99"):
            call(path)


def test_not_an_nvc_file(clip, tmp_path):
    for data in (b"", b"hello", clip.read_bytes()[:500], bytes(3000)):
        path = tmp_path / "a.nvc"
        path.write_bytes(data)
        for call in (nvcodec.info, nvcodec.verify, nvcodec.open, lambda p: nvcodec.decode(p, tmp_path / "b.mkv")):
            with pytest.raises(FormatError):
                call(path)
        assert not list(tmp_path.glob("b.*"))
