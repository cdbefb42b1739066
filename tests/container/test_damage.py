"""Cut, flipped, joined and hostile files: a named error, listed damage or the same result, and nothing else."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.container import Limits, Reader, crc32c, describe
from nvcodec.container import chunk as ch
from nvcodec.container import stream as stream_module
from nvcodec.errors import DamagedError, FormatError, LimitError, NvcodecError, TruncatedError, UnsupportedError


def _group_ends(data: bytes) -> list[int]:
    return [entry.offset + entry.length for entry in Reader(io.BytesIO(data)).groups]


def test_every_prefix(small_file: bytes) -> None:
    whole = list(Reader(io.BytesIO(small_file)).iter_groups())
    ends = _group_ends(small_file)
    for size in range(len(small_file)):
        cut = io.BytesIO(small_file[:size])
        if size < 63:
            with pytest.raises(FormatError if size == 0 else TruncatedError):
                Reader(cut)
            continue
        reader = Reader(cut)
        expected = whole[: sum(end <= size for end in ends)]
        assert list(reader.iter_groups()) == expected and reader.truncated and not reader.damage
        assert reader.frame_count == 4 * len(expected)
        stream = Reader.from_stream(io.BytesIO(small_file[:size]))
        assert list(stream.iter_groups()) == expected and stream.truncated and not stream.damage


@pytest.mark.parametrize("indexed", [True, False])
def test_flip_in_each_byte(small_file: bytes, indexed: bool) -> None:
    data = small_file if indexed else small_file[: _group_ends(small_file)[-1]]
    whole = list(Reader(io.BytesIO(data)).iter_groups())
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        try:
            reader = Reader(io.BytesIO(flipped))
        except NvcodecError:
            assert at < 63
            continue
        report = describe(reader)
        assert report["damage"] or reader.truncated
        found = list(reader.iter_groups())
        assert all(group in whole for group in found) and len(found) >= len(whole) - 1
        if indexed:
            assert len(reader.groups) == len(whole)
        with contextlib.suppress(LimitError):  # a length of more than the limit: a pipe cannot look behind it
            stream = Reader.from_stream(io.BytesIO(flipped))
            found = list(stream.iter_groups())
            assert all(group in whole for group in found) and (stream.damage or stream.truncated)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_crafted_chunks(small_file: bytes, data: st.DataObject) -> None:
    """Bytes changed anywhere with every CRC made right again: only named errors, whatever is asked."""
    crafted = bytearray(small_file)
    at, chunks = 8, []
    while at < len(crafted):
        chunks.append((at, ch.parse_header(crafted[at : at + 9])))
        at += chunks[-1][1].size
    for _ in range(data.draw(st.integers(1, 3))):
        at, header = data.draw(st.sampled_from(chunks))
        crafted[at + data.draw(st.integers(9, 8 + header.length))] = data.draw(st.integers(0, 255))
        if header.type == ch.GRUP:
            end = at + 9 + header.length - len(b"unit")
            crafted[end - 4 : end] = struct.pack("<I", crc32c(crafted[at + 9 : end - 4]))
        end = at + header.size - 4
        crafted[end : end + 4] = struct.pack("<I", crc32c(crafted[at:end]))
    cut = data.draw(st.sampled_from([len(crafted), chunks[-1][0], chunks[-2][0], len(crafted) - 1]))
    with contextlib.suppress(NvcodecError):
        describe(Reader(io.BytesIO(bytes(crafted[:cut]))))
    with contextlib.suppress(NvcodecError):
        list(Reader.from_stream(io.BytesIO(bytes(crafted[:cut]))).iter_items())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes(small_file: bytes, junk: bytes, at: int) -> None:
    for data in (junk, ch.SIGNATURE + junk, small_file[:at] + junk + small_file[at:]):
        with contextlib.suppress(NvcodecError):
            describe(Reader(io.BytesIO(data)))
        with contextlib.suppress(NvcodecError):
            list(Reader.from_stream(io.BytesIO(data)).iter_items())


def test_damaged_group_is_listed_and_named(small_file: bytes) -> None:
    end = _group_ends(small_file)[1]
    data = small_file[: end - 6] + b"?" + small_file[end - 5 :]
    reader = Reader(io.BytesIO(data))
    with pytest.raises(DamagedError, match="GRUP chunk at byte"):
        reader.read_group(1)
    assert [group.number for group in reader.iter_groups()] == [0, 2]
    assert [damage.kind for damage in reader.damage] == ["crc"]
    bad = [result for result in reader.verify() if not result.ok]
    assert [(result.type, result.group) for result in bad] == [("GRUP", 1)]
    scanned = Reader(io.BytesIO(data[: _group_ends(small_file)[2]]))
    assert [entry.damaged for entry in scanned.groups] == [False, True, False]
    assert scanned.frame_count == 12 and scanned.group_of_frame(5) == 1


def test_lost_group_leaves_a_gap(small_file: bytes) -> None:
    first, second, _ = _group_ends(small_file)
    data = small_file[: first + 30] + small_file[second:]
    reader = Reader(io.BytesIO(data))
    assert [entry.number for entry in reader.groups] == [0, 2] and reader.damage
    assert reader.groups[1].first_frame == 8 and reader.group_of_frame(9) == 1
    with pytest.raises(DamagedError, match="frame 5"):
        reader.group_of_frame(5)


def test_declared_sizes_allocate_nothing(small_file: bytes, tools) -> None:
    huge = small_file[: _group_ends(small_file)[2]] + struct.pack("<4sBI", b"GRUP", 1, (1 << 31) - 1) + b"x" * 50
    most = tools.group(0, 65535, first_frame=0)
    from nvcodec.container.group import pack_group
    from nvcodec.container.header import pack_header

    start = ch.SIGNATURE + ch.pack_chunk(ch.HEAD, pack_header(tools.header))
    bomb = start + ch.pack_chunk(ch.GRUP, pack_group(most))
    tracemalloc.start()
    reader = Reader(io.BytesIO(huge))
    assert len(reader.groups) == 3 and reader.truncated
    stream = Reader.from_stream(io.BytesIO(huge), limits=Limits())
    assert len(list(stream.iter_groups())) == 3 and stream.truncated
    with pytest.raises(LimitError, match="bytes in a chunk"):
        list(Reader.from_stream(io.BytesIO(huge)).iter_groups())
    with pytest.raises(LimitError, match="frames a group"):
        Reader(io.BytesIO(bomb)).read_group(0)
    with pytest.raises(LimitError, match="frames a group"):
        list(Reader.from_stream(io.BytesIO(bomb)).iter_groups())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_limits(small_file: bytes) -> None:
    with pytest.raises(LimitError, match="luma samples"):
        Reader(io.BytesIO(small_file), limits=Limits(pixels=64 * 48 - 1))
    with pytest.raises(LimitError, match="bytes in a chunk"):
        Reader(io.BytesIO(small_file), limits=Limits(chunk_bytes=35)).read_group(0)
    with pytest.raises(LimitError, match="frames a group"):
        Reader(io.BytesIO(small_file), limits=Limits(frames=3)).read_head(0)


def test_searches_are_bounded(tools) -> None:
    """Nested fakes, each a chunk that claims all the rest: the bytes read stay a small multiple of the file."""
    start = tools.file(1)[: _group_ends(tools.file(1))[0]]
    fakes = bytearray()
    for left in range(2000, 0, -1):
        fakes += struct.pack("<4sBI", b"META", 0, left * 13 - 13) + b"\0\0\0\0"
    reader = Reader(io.BytesIO(start + bytes(fakes)))
    assert len(reader.groups) == 1 and reader.truncated
    assert reader.bytes_read < 40 * reader.file_size


def test_searches_in_a_pipe_are_bounded(tools, monkeypatch: pytest.MonkeyPatch) -> None:
    start = tools.file(1)[: _group_ends(tools.file(1))[0]]
    rest = b"".join(struct.pack("<4sBI", b"META", 0, left * 13 - 13) + b"\0\0\0\0" for left in range(2000, 0, -1))
    summed = []
    monkeypatch.setattr(stream_module, "crc32c", lambda data, value=0: summed.append(len(data)) or crc32c(data, value))
    reader = Reader.from_stream(io.BytesIO(start + rest))
    assert len(list(reader.iter_groups())) == 1 and reader.truncated and reader.damage
    assert sum(summed) < 40 * len(rest)


def test_unknown_chunks(small_file: bytes) -> None:
    at = _group_ends(small_file)[0]
    head = small_file[:at]
    skippable = Reader(io.BytesIO(head + ch.pack_chunk(b"LATE", b"x", 0) + small_file[at : _group_ends(small_file)[2]]))
    assert len(list(skippable.iter_groups())) == 3 and not skippable.damage
    for open_it in (Reader, lambda file: list(Reader.from_stream(file).iter_groups())):
        with pytest.raises(UnsupportedError, match="LATE"):
            open_it(io.BytesIO(head + ch.pack_chunk(b"LATE", b"x", 1)))
