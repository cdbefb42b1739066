"""Lazy reading, pipes, concatenation, going on after a kill."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from nvcodec.container import Reader, Unit, Writer
from nvcodec.errors import FormatError, ResumeError, TruncatedError, UnsupportedError
from nvcodec.format import Packet, Track


def test_one_group_reads_only_what_it_needs(tools) -> None:
    data = tools.file(groups=50, payload=bytes(range(256)) * 40)
    reader = Reader(io.BytesIO(data))
    opened = reader.bytes_read
    assert opened < 1500 and len(reader.groups) == 50 and reader.frame_count == 200
    index = reader.group_of_frame(101)
    group = reader.read_group(index)
    assert group.first_frame <= 101 < group.first_frame + group.frame_count
    assert reader.bytes_read - opened <= reader.groups[index].length + 9
    before = reader.bytes_read
    head = reader.read_head(index)
    assert (head.config, head.units[0].length) == (b"cfg", 10240) and reader.bytes_read - before == 4096
    assert reader.read_unit(index, head.units[0]) == group.units[0].payload
    before = reader.bytes_read
    assert len(list(reader.iter_packets())) == 50 and reader.bytes_read - before < 50 * 50


def test_read_head_longer_than_the_first_look(tools) -> None:
    units = [Unit(0, 4, (), b"")] + [Unit(0, 0, (), b"x")] * 3000
    file = io.BytesIO()
    with Writer(file, tools.header) as writer:
        writer.write_group(tools.group(0, units=units))
    assert len(Reader(file).read_head(0).units) == 3001


def test_chain(small_file: bytes) -> None:
    reader = Reader(io.BytesIO(small_file + small_file))
    assert [reader.chain(i) for i in range(6)] == [[0], [0, 1], [2], [3], [3, 4], [5]]
    with pytest.raises(IndexError):
        reader.group_of_frame(24)


def test_concatenated(small_file: bytes, tools) -> None:
    three = small_file + tools.file(1) + small_file
    for data, truncated in [(three, False), (small_file[:-60] + small_file, True), (three[:-1], True)]:
        reader = Reader(io.BytesIO(data))
        assert reader.truncated is truncated and not reader.damage and len(reader.tracks) == 1
        pts = [moment for group in reader.iter_groups() for moment in group.pts]
        assert pts == list(range(reader.frame_count))
        assert [entry.first_frame for entry in reader.groups] == list(range(0, reader.frame_count, 4))
        assert [entry.pts_first for entry in reader.groups] == pts[::4]
        stream = Reader.from_stream(io.BytesIO(data))
        assert list(stream.iter_groups()) == list(reader.iter_groups())
    reader = Reader(io.BytesIO(three))
    seconds = [packet.pts * Fraction(1, 48000) for packet in reader.iter_packets()]
    assert seconds[3] == Fraction(12, 30) and seconds[4] == Fraction(16, 30)
    assert reader.passthrough_bytes == sum(
        Reader(io.BytesIO(f)).passthrough_bytes for f in [small_file] * 2 + [tools.file(1)]
    )


def test_unlike_sequences(small_file: bytes, tools) -> None:
    other = replace(tools.header, format=replace(tools.header.format, width=80))
    reader = Reader(io.BytesIO(small_file + tools.file(2, header=other)))
    assert len(reader.groups) == 5 and [h.format.width for h in reader.headers] == [64, 80]
    assert reader.read_group(2).number == 2
    with pytest.raises(UnsupportedError, match="width 64 / 80"):
        reader.read_group(3)


def test_tracks_of_joined_files(small_file: bytes, tools) -> None:
    file = io.BytesIO()
    with Writer(file, tools.header) as writer:
        writer.write_track(Track("subtitle", "ass", Fraction(1, 1000)))
        writer.write_packets([Packet(0, b"line", 0)])
    reader = Reader(io.BytesIO(small_file + file.getvalue()))
    assert [track.kind for track in reader.tracks] == ["audio", "subtitle"]
    assert [packet.track for packet in reader.iter_packets()] == [0, 0, 0, 1]


@pytest.mark.parametrize("cut", [0, 1, 20, 40, 75, 120])
def test_resume_gives_the_same_bytes(small_file: bytes, tools, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.nvc.part"
    path.write_bytes(small_file[: len(small_file) - cut])
    with path.open("r+b") as file:
        reader = Reader(file)
        with Writer.resume(file, reader) as writer:
            done = sum(row.type == b"PKTS" for row in reader.sequences[-1].chunks)
            for number in range(writer.group_count, 3):
                writer.write_group(tools.group(number, depends_on=number - 1 if number % 2 else None))
            for number in range(done, 3):
                writer.write_packets([Packet(0, b"a%d" % number, 1024 * number, 1024 * number, 1024)])
    assert path.read_bytes() == small_file
    assert writer.bytes_written == len(small_file)
    assert writer.passthrough_bytes == Reader(io.BytesIO(small_file)).passthrough_bytes


def test_resume_the_last_of_two_sequences(small_file: bytes, tools, tmp_path: Path) -> None:
    path = tmp_path / "a.nvc"
    path.write_bytes(small_file + small_file)
    with path.open("r+b") as file, Writer.resume(file, Reader(file)) as writer:
        writer.write_group(tools.group(3))
    reader = Reader(io.BytesIO(path.read_bytes()))
    assert len(reader.groups) == 7 and not reader.truncated and not reader.damage and reader.frame_count == 28
    assert all(result.ok for result in reader.verify())


def test_resume_refuses_damage(small_file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.nvc"
    end = Reader(io.BytesIO(small_file)).groups[0].offset + 20
    path.write_bytes(small_file[:end] + b"?" + small_file[end + 1 : -60])
    with path.open("r+b") as file, pytest.raises(ResumeError):
        Writer.resume(file, Reader(file))


def test_exception_leaves_no_index(tools) -> None:
    file = io.BytesIO()
    with pytest.raises(KeyboardInterrupt), Writer(file, tools.header) as writer:
        writer.write_group(tools.group(0))
        raise KeyboardInterrupt
    reader = Reader(file)
    assert reader.truncated and len(reader.groups) == 1


def test_pipe(small_file: bytes) -> None:
    """Through a real pipe, with items in the order of the file; nothing seeks."""
    source, sink = os.pipe()

    def feed() -> None:
        with os.fdopen(sink, "wb", buffering=0) as file:
            for at in range(0, len(small_file), 7):
                file.write(small_file[at : at + 7])

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(source, "rb", buffering=0) as file:
        reader = Reader.from_stream(file)
        assert reader.tracks and reader.metadata == {"encoder": "nvcodec"} and len(reader.groups) <= 1
        items = list(reader.iter_items())
    thread.join()
    expected = Reader(io.BytesIO(small_file))
    assert items == list(expected.iter_items()) and len(items) == 6
    assert (reader.groups, reader.file_size) == (expected.groups, len(small_file))
    assert reader.passthrough_bytes == expected.passthrough_bytes and not reader.truncated


def test_a_stream_is_written_to_a_pipe(small_file: bytes, tools) -> None:
    class Pipe(io.RawIOBase):
        """Takes at most five bytes at once, and never seeks."""

        def __init__(self) -> None:
            self.got = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.got += bytes(data)[:5]  # type: ignore[call-overload]
            return min(5, len(bytes(data)))  # type: ignore[call-overload]

    pipe = Pipe()
    with Writer(pipe, tools.header) as writer:  # type: ignore[arg-type]
        writer.write_group(tools.group(0))
    assert Reader(io.BytesIO(pipe.got)).read_group(0) == tools.group(0)


def test_not_an_nvc_file() -> None:
    for data in (b"", b"\x00\x00\x00\x18ftypmp42", b"YUV4MPEG2 W64"):
        with pytest.raises(FormatError, match="not an nvc file"):
            Reader(io.BytesIO(data))
    with pytest.raises(TruncatedError):
        Reader.from_stream(io.BytesIO(b"\x89NVC"))
