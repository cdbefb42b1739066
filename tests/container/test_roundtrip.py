"""Whatever the writer takes, the reader gives back; what the format cannot hold is refused by name."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.container import Group, Reader, SequenceHeader, Unit, Writer
from nvcodec.container.extras import pack_metadata, pack_packets, parse_metadata, parse_packets
from nvcodec.container.group import pack_group, parse_head, split_payload
from nvcodec.container.header import pack_header, parse_header
from nvcodec.errors import FormatError, OutputError
from nvcodec.format import Colour, ContentLight, MasteringDisplay, Packet, Track, VideoFormat

U16, U32 = st.integers(0, 65535), st.integers(0, 2**32 - 1)
POINT = st.tuples(U16, U16)
RATIO = st.builds(Fraction, st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))
HEADERS = st.builds(
    SequenceHeader,
    st.builds(
        VideoFormat,
        st.integers(1, 65535),
        st.integers(1, 65535),
        st.sampled_from([8, 10]),
        st.integers(0, 6),
        st.builds(Colour, *[st.integers(0, 255)] * 3, st.booleans()),
        RATIO,
        st.one_of(st.just(Fraction(0)), RATIO),
        RATIO,
        st.sampled_from([0, 90, 180, 270]),
        st.none() | st.builds(MasteringDisplay, st.tuples(POINT, POINT, POINT), POINT, U32, U32),
        st.none() | st.builds(ContentLight, U16, U16),
    ),
    st.integers(1, 65535),
)


@given(HEADERS, st.none() | U16)
def test_header(header: SequenceHeader, video: int | None) -> None:
    header = replace(header, video=video)
    assert parse_header(pack_header(header)) == header


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """Groups with any cover of their frames by units, any references, any times."""
    runs = draw(st.lists(st.integers(0, 5), min_size=1, max_size=8).filter(any))
    firsts = [sum(runs[:i]) if run else 0 for i, run in enumerate(runs)]
    shown = draw(st.permutations(list(zip(firsts, runs, strict=True))))
    units = []
    for index, (first, run) in enumerate(shown):
        refs = draw(st.lists(st.integers(0, index - 1), unique=True, max_size=16)) if index else []
        units.append(Unit(first, run, tuple(refs), draw(st.binary(max_size=20))))
    count = sum(runs)
    steps = draw(st.lists(st.integers(0, 2000), min_size=count, max_size=count))
    start = draw(st.integers(-(2**40), 2**40))
    pts = [start + sum(steps[:i]) for i in range(count)]
    durations = draw(st.sampled_from([steps, [7] * count, steps[::-1]]))
    number = draw(st.integers(0, 2**40))
    leans = draw(st.none() | st.integers(0, number - 1)) if number else None
    hashes = draw(st.binary(min_size=8, max_size=8)), draw(st.binary(min_size=8, max_size=8))
    return Group(
        number, draw(st.integers(0, 2**40)), count, leans, draw(st.binary(max_size=200)), units, *hashes, pts, durations
    )


@given(groups())
def test_group(group: Group) -> None:
    payload = pack_group(group)
    assert split_payload(parse_head(payload), payload) == group
    back = replace(group, depends_on=-1)
    payload = pack_group(back, leans_back=True)
    assert split_payload(parse_head(payload, leans_back=True), payload) == back
    for forbidden in (lambda: pack_group(back), lambda: parse_head(payload)):
        with pytest.raises(FormatError):
            forbidden()


TICKS = st.none() | st.integers(-(2**50), 2**50)
PACKETS = st.builds(
    Packet, st.integers(0, 3), st.binary(max_size=30), TICKS, TICKS, st.integers(0, 2**40), st.booleans()
)


@given(st.lists(PACKETS, min_size=1, max_size=12))
def test_packets(packets: list[Packet]) -> None:
    assert parse_packets(pack_packets(packets), 4) == packets


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=10))
def test_metadata(entries: dict[str, str]) -> None:
    assert parse_metadata(pack_metadata(entries)) == entries


@settings(max_examples=30, deadline=None)
@given(HEADERS.filter(lambda h: h.format.width * h.format.height < 1 << 25), st.lists(groups(), max_size=5), st.data())
def test_file(header: SequenceHeader, drawn: list[Group], data: st.DataObject) -> None:
    file, first, written = io.BytesIO(), 0, []
    with Writer(file, header) as writer:
        writer.write_metadata({"k": "v"})
        track = writer.write_track(Track("audio", "opus", Fraction(1, 48000)))
        packets = [replace(p, track=track) for p in data.draw(st.lists(PACKETS, max_size=5))]
        for number, group in enumerate(drawn):
            leans = data.draw(st.none() | st.integers(0, number - 1)) if number else None
            written.append(replace(group, number=number, first_frame=first, depends_on=leans))
            writer.write_group(written[-1])
            first += group.frame_count
        writer.write_packets(packets)
    reader = Reader(io.BytesIO(file.getvalue()))
    assert (reader.header, reader.metadata, reader.frame_count) == (header, {"k": "v"}, first)
    assert list(reader.iter_groups()) == written and list(reader.iter_packets()) == packets
    assert not reader.truncated and not reader.damage and all(result.ok for result in reader.verify())
    assert reader.file_size == writer.bytes_written and reader.passthrough_bytes == writer.passthrough_bytes
    if first:
        frame = data.draw(st.integers(0, first - 1))
        entry = reader.groups[reader.group_of_frame(frame)]
        assert entry.first_frame <= frame < entry.first_frame + entry.frame_count
    stream = Reader.from_stream(io.BytesIO(file.getvalue()))
    assert list(stream.iter_groups()) == written and not stream.truncated and not stream.damage


BAD_GROUPS = [
    {"frame_count": 5}, {"frame_count": 0, "pts": [], "durations": [], "units": []}, {"symbol_hash": b""},
    {"units": []}, {"units": [Unit(0, 4, (0,), b"")]}, {"units": [Unit(0, 3, (), b"")]}, {"depends_on": 0},
    {"units": [Unit(0, 4, (), b""), Unit(3, 1, (), b"")]}, {"units": [Unit(0, 4, (), b""), Unit(1, 0, (), b"")]},
    {"units": [Unit(0, 5, (), b""), Unit(4, -1, (), b"")]}, {"pts": [3, 2, 1, 0]}, {"durations": [1, 1, 1, -1]},
    {"pts": [0, 1, 2, 1 << 62]}, {"config": bytes(70000)}, {"first_frame": 4}, {"durations": [1]},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD_GROUPS)
def test_refused_groups(tools, changes: dict[str, object]) -> None:
    writer = Writer(io.BytesIO(), tools.header)
    before = writer.bytes_written
    with pytest.raises(FormatError):
        writer.write_group(tools.group(0, **changes))
    assert writer.bytes_written == before


BAD_FORMATS = [
    {"width": 0}, {"height": 65536}, {"bit_depth": 12}, {"chroma_siting": 7}, {"rotation": 45},
    {"timebase": Fraction(0)}, {"timebase": Fraction(1, 1 << 32)}, {"frame_rate": Fraction(-1)},
    {"sample_aspect": Fraction(0)}, {"colour": Colour(256)}, {"content_light": ContentLight(70000, 0)},
    {"width": 1024, "height": 1024},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD_FORMATS)
def test_refused_headers(tools, changes: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        Writer(io.BytesIO(), replace(tools.header, format=replace(tools.header.format, **changes)))


@pytest.mark.parametrize("video", [-1, 65536])
def test_refused_video(tools, video: int) -> None:
    with pytest.raises(FormatError, match="video"):
        Writer(io.BytesIO(), replace(tools.header, video=video))


def test_refused_items(tools) -> None:
    writer = Writer(io.BytesIO(), tools.header)
    with pytest.raises(FormatError):
        writer.write_packets([Packet(0, b"")])
    with pytest.raises(FormatError):
        writer.write_track(Track("video", "x", Fraction(1)))
    with pytest.raises(FormatError):
        writer.write_metadata({"": "x"})
    writer.close()
    writer.close()
    with pytest.raises(FormatError):
        writer.write_metadata({"a": "x"})


def test_full_disk(tools) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        Writer(Full(), tools.header)


def test_many_packets_become_several_chunks(tools) -> None:
    file = io.BytesIO()
    packets = [Packet(0, bytes([i]) * 300_000, i) for i in range(8)]
    with Writer(file, tools.header) as writer:
        writer.write_track(tools.audio)
        writer.write_packets(packets)
        writer.write_packets([])
    reader = Reader(io.BytesIO(file.getvalue()))
    assert list(reader.iter_packets()) == packets
    assert sum(row.type == b"PKTS" for row in reader.sequences[0].chunks) == 3


@pytest.mark.parametrize("mastering", [False, True])
def test_overhead(tools, mastering: bool) -> None:
    """At most 128 bytes a file and 64 a group beside units, config, timestamps, metadata and index."""
    video = tools.header.format
    if mastering:
        display = MasteringDisplay(((1, 2), (3, 4), (5, 6)), (7, 8), 9, 10)
        video = replace(video, mastering=display, content_light=ContentLight(1000, 400))
    file = io.BytesIO()
    with Writer(file, replace(tools.header, format=video)):
        pass
    index = 13 + 2
    assert len(file.getvalue()) - index == (116 if mastering else 88)
    late = tools.group(1 << 20, 4095, payload=b"u" * 100_000, depends_on=(1 << 20) - 1, first_frame=1 << 31)
    for group in (tools.group(0, 1, b""), late):
        coded = len(group.config) + sum(len(unit.payload) for unit in group.units)
        timing = 1 + 1 + (1 if group.pts[0] == 0 else 5)
        assert 40 <= len(pack_group(group)) + 13 - coded - timing + 2 <= 64
    chained = [Unit(i, 1, (i - 1,) if i else (), b"x" * 500) for i in range(4)]
    grown = len(pack_group(tools.group(0, units=chained))) - len(
        pack_group(tools.group(0, units=[Unit(0, 4, (), b"x" * 500)]))
    )
    assert grown <= 3 * (500 + 2 + 2)
