"""Libraries: numbered videos in one file, read one by one, appended to, cut and damaged."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.container import (
    Group,
    Limits,
    Reader,
    SequenceHeader,
    Writer,
    append_video,
    describe,
    describe_file,
    is_library,
    last_group,
    open_library,
)
from nvcodec.container.library import View
from nvcodec.errors import (
    DamagedError,
    FormatError,
    LimitError,
    NvcodecError,
    ResumeError,
    UnsupportedError,
    UsageError,
)
from nvcodec.format import Packet

SIZES = [(64, 48), (80, 48), (64, 32)]
Make = Callable[..., bytes]


@pytest.fixture(scope="module")
def header(tools) -> Callable[[int | None], SequenceHeader]:
    def make(number: int | None) -> SequenceHeader:
        width, height = SIZES[(number or 0) % 3]
        return replace(tools.header, video=number, format=replace(tools.header.format, width=width, height=height))

    return make


@pytest.fixture(scope="module")
def one(tools, header) -> Make:
    """A video of a library: two groups, the first leaning on the video before if it is not the first."""

    def make(number: int | None, **changes: object) -> bytes:
        file = io.BytesIO()
        with Writer(file, replace(header(number), **changes)) as writer:
            writer.write_metadata({"video": str(number)})
            if number == 1:
                writer.write_track(tools.audio)
            writer.write_group(tools.group(0, depends_on=-1 if number else None))
            if number == 1:
                writer.write_packets([Packet(0, b"audio", 0, 0, 1024)])
            writer.write_group(tools.group(1, depends_on=-1 if number == 2 else 0))
        return file.getvalue()

    return make


@pytest.fixture(scope="module")
def library(one) -> bytes:
    return one(0) + one(1) + one(2)


def test_each_video_is_a_file_of_its_own(library: bytes, one: Make, header) -> None:
    file = io.BytesIO(library)
    assert is_library(file)
    found = open_library(file)
    assert len(found) == 3 and found.videos == [header(number) for number in range(3)]
    assert not found.damage and not found.truncated and found.file_size == len(library)
    for number in range(3):
        reader = found.video(number)
        assert is_library(reader) and reader.header == header(number) and reader.file_size == len(one(number))
        assert (reader.frame_count, reader.metadata) == (8, {"video": str(number)})
        assert len(reader.tracks) == len(list(reader.iter_packets())) == (number == 1)
        assert [entry.depends_on for entry in reader.groups] == [[None, 0], [-1, 0], [-1, -1]][number]
        assert [reader.chain(index) for index in (0, 1)] == [[0], [1] if number == 2 else [0, 1]]
        assert [group.depends_on for group in reader.iter_groups()] == [e.depends_on for e in reader.groups]
        assert reader.read_head(0).depends_on == (-1 if number else None)
        assert all(result.ok for result in reader.verify()) and not reader.damage and not reader.truncated
    with pytest.raises(IndexError):
        found.video(3)


def test_only_the_bytes_of_one_video_are_read(library: bytes, one: Make) -> None:
    class Watched(io.BytesIO):
        seen: set[int] = set()  # noqa: RUF012

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.seen |= set(range(self.tell() - len(data), self.tell()))
            return data

    file = Watched(library)
    found = open_library(file)
    file.seen.clear()
    assert len(list(found.video(1).iter_items())) == 3
    assert min(file.seen) == len(one(0)) and max(file.seen) < len(one(0)) + len(one(1))


def test_view() -> None:
    view = View(io.BytesIO(b"0123456789"), 2, 7)
    assert (view.read(), view.tell(), view.read(1)) == (b"23456", 5, b"")
    assert view.seek(-2, 2) == 3 and view.read(9) == b"56"
    assert view.seek(1) == 1 and view.seek(1, 1) == 2 and view.read(2) == b"45"
    assert io.BufferedReader(view).read() == b"6" and view.seek(9) == 9 and view.read() == b""
    with pytest.raises(ValueError, match="-1"):
        view.seek(-1)


def test_frames_of_the_first_video_alone_without_open_library(library: bytes, header) -> None:
    reader = Reader(io.BytesIO(library))
    assert reader.headers == [header(number) for number in range(3)] and reader.read_group(1).number == 1
    for index in (2, 4):
        with pytest.raises(UnsupportedError, match=r"video 0 / "):
            reader.read_group(index)
    stream = Reader.from_stream(io.BytesIO(library))
    assert is_library(stream)
    items = stream.iter_items()
    assert [item.number for item in (next(items), next(items)) if isinstance(item, Group)] == [0, 1]
    with pytest.raises(UnsupportedError, match=r"video 0 / 1"):
        next(items)


@pytest.mark.parametrize("numbers", [(1,), (65535,), (0, 0), (0, 2), (0, 1, 0), (0, None), (None, 0), (0, 1, None)])
def test_wrong_numbers(one: Make, numbers: tuple[int | None, ...]) -> None:
    data = b"".join(one(number) for number in numbers)
    for opened in (Reader, open_library, lambda file: list(Reader.from_stream(file).iter_groups())):
        with pytest.raises(FormatError, match="video") as error:
            opened(io.BytesIO(data))
        assert error.type is FormatError or opened not in (Reader, open_library)


def test_other_codec(one: Make) -> None:
    with pytest.raises(FormatError, match="codec ids of a library differ"):
        Reader(io.BytesIO(one(0) + one(1, codec_id=65280)))


def test_no_library(small_file: bytes) -> None:
    assert not is_library(io.BytesIO(small_file)) and not is_library(Reader(io.BytesIO(small_file)))
    with pytest.raises(UsageError, match="no library"):
        open_library(io.BytesIO(small_file))
    for question in (is_library, open_library):
        with pytest.raises(FormatError, match="not an nvc file"):
            question(io.BytesIO(b"RIFF"))
    assert describe_file(io.BytesIO(small_file)) == describe(Reader(io.BytesIO(small_file)))


def test_limits_hold_for_each_video(library: bytes) -> None:
    found = open_library(io.BytesIO(library), limits=Limits(pixels=64 * 48))
    assert found.video(0).frame_count == found.video(2).frame_count == 8
    with pytest.raises(LimitError):
        found.video(1)


def test_what_leans_back_where_nothing_is(tools, header) -> None:
    for number, leans_on in [(None, -1), (0, -1), (1, -2), (2, -2)]:
        writer = Writer(io.BytesIO(), header(number))
        with pytest.raises(FormatError, match="cannot lean on"):
            writer.write_group(tools.group(0, depends_on=leans_on))


def test_append(library: bytes, one: Make, tools, header) -> None:
    file = io.BytesIO(one(0) + one(1))
    with append_video(file, header(2)) as writer:
        writer.write_metadata({"video": "2"})
        writer.write_group(tools.group(0, depends_on=-1))
        writer.write_group(tools.group(1, depends_on=-1))
    assert file.getvalue() == library
    for wrong in (header(2), header(4), header(None), replace(header(3), codec_id=65280)):
        with pytest.raises(FormatError):
            append_video(file, wrong)
    cut = io.BytesIO(library[:-1])
    with pytest.raises(ResumeError, match="no sound end"):
        append_video(cut, header(3))
    junk = io.BytesIO(library + b"junk")
    with pytest.raises(ResumeError):
        append_video(junk, header(3))
    assert (file.getvalue(), cut.getvalue()) == (library, library[:-1])


def test_the_last_video_may_be_resumed(library: bytes, one: Make, tools, tmp_path) -> None:
    path = tmp_path / "a.nvc"
    path.write_bytes(library[:-20])
    with path.open("r+b") as file:
        reader = Reader(file)
        Writer.resume(file, reader).close()
    assert path.read_bytes() == library


def test_a_cut_last_video_is_a_shorter_one(library: bytes, one: Make) -> None:
    start = len(one(0) + one(1))
    for size in range(start + 65, len(library)):
        found = open_library(io.BytesIO(library[:size]))
        assert len(found) == 3 and found.truncated and not found.damage
        reader = found.video(2)
        assert reader.truncated and not reader.damage and reader.frame_count in (0, 4, 8)
        assert found.video(1).frame_count == 8 and not found.video(1).truncated
    for size in range(start + 1, start + 65):
        found = open_library(io.BytesIO(library[:size]))
        assert len(found) == 2 and found.video(1).frame_count == 8 and found.damage


def test_a_lost_video_is_named(library: bytes, one: Make) -> None:
    at = len(one(0)) + 30
    data = library[:at] + b"?" + library[at + 1 :]
    found = open_library(io.BytesIO(data))
    assert [header.video for header in found.videos] == [0, 2] and len(found) == 3
    assert [damage.offset for damage in found.damage if damage.kind == "order"] == [len(one(0) + one(1))]
    assert "before video 2" in str(found.damage) and found.video(2).frame_count == found.video(0).frame_count == 8
    with pytest.raises(DamagedError, match="video 1"):
        found.video(1)
    assert {damage.kind for damage in Reader(io.BytesIO(data)).damage} == {"header", "order"}


def test_the_group_that_the_next_video_leans_on(library: bytes, one: Make, tools) -> None:
    assert [last_group(open_library(io.BytesIO(library)).video(number)) for number in range(3)] == [1, 1, 1]
    groups = Reader(io.BytesIO(one(0))).groups
    packets = next(row for row in Reader(io.BytesIO(one(1)), video=1).sequences[0].chunks if row.type == b"PKTS")

    def flipped(data: bytes, at: int) -> bytes:
        return data[:at] + bytes([data[at] ^ 64]) + data[at + 1 :]

    first = groups[0].offset
    middle = flipped(one(0), first + 12)
    known_damaged = flipped(one(0), groups[1].offset + groups[1].length - 6)
    for data in (middle, known_damaged):
        assert last_group(open_library(io.BytesIO(data + one(1))).video(0)) == 1
    with pytest.raises(DamagedError):
        open_library(io.BytesIO(known_damaged + one(1))).video(0).read_group(1)
    file = io.BytesIO()
    with Writer(file, Reader(io.BytesIO(one(0))).header):
        pass
    no_index = one(0)[: groups[1].offset + groups[1].length]
    lost = [no_index, file.getvalue(), flipped(no_index, groups[1].offset + 12)]
    lost.append(one(0)[: groups[1].offset + 5] + one(0)[groups[1].offset + 9 :])
    for data in lost:
        found = open_library(io.BytesIO(data + one(1)))
        with pytest.raises(DamagedError, match="last group of video 0 is lost"):
            last_group(found.video(0))
    audio = flipped(one(0) + one(1), len(one(0)) + packets.offset + 12)
    assert last_group(open_library(io.BytesIO(audio + one(2))).video(1)) == 1


def _use(data: bytes) -> None:
    with contextlib.suppress(NvcodecError):
        describe_file(io.BytesIO(data))
    with contextlib.suppress(NvcodecError):
        list(Reader.from_stream(io.BytesIO(data)).iter_items())
    with contextlib.suppress(NvcodecError):
        reader = Reader(io.BytesIO(data))
        list(reader.iter_packets())
        list(reader.verify())
    with contextlib.suppress(NvcodecError):
        found = open_library(io.BytesIO(data))
        for header in found.videos:
            video = found.video(header.video or 0)
            [video.chain(index) for index in range(len(video.groups))]
            last_group(video)


def test_flip_in_each_byte(library: bytes, one: Make) -> None:
    """Of undamaged videos nothing is lost, whatever byte of another one is wrong."""
    whole = [list(open_library(io.BytesIO(library)).video(number).iter_groups()) for number in range(3)]
    ends = [len(one(0)), len(one(0) + one(1)), len(library)]
    for at in range(65, len(library)):  # HEAD of the first one is needed
        hit = next(number for number in range(3) if at < ends[number])
        data = library[:at] + bytes([library[at] ^ 1 << at % 8]) + library[at + 1 :]
        found = open_library(io.BytesIO(data))
        for number in {0, 1, 2} - {hit}:
            assert list(found.video(number).iter_groups()) == whole[number]
        report = describe_file(io.BytesIO(data))
        assert report["damage"] or report["truncated"]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_cut_and_change(library: bytes, data: st.DataObject) -> None:
    changed = bytearray(library)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 200))] = data.draw(st.binary(max_size=3))
    _use(bytes(changed))
    _use(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
