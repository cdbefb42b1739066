"""The y4m grammar, its limits, and streams through pipes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import InputError
from nvcodec.format import Colour, VideoFormat
from nvcodec.video import Picture, PipeClosedError, Reader, Writer, probe
from nvcodec.video.y4m import MAX_HEADER, Y4mHeader, Y4mReader, format_header, parse_header


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=2000),
    st.fractions(min_value=Fraction(1, 100), max_value=100, max_denominator=2000),
    st.booleans(),
    st.sampled_from([(8, 1), (8, 2), (8, 3), (10, 0)]),
)
def test_a_header_round_trips(
    width: int, height: int, rate: Fraction, aspect: Fraction, full: bool, chroma: tuple[int, int]
) -> None:
    depth, siting = chroma
    fmt = VideoFormat(width, height, depth, siting, Colour(full_range=full), 1 / rate, rate, aspect)
    line = format_header(fmt)
    assert line.endswith(b"\n") and len(line) < MAX_HEADER
    header = parse_header(line[:-1])
    assert (header.width, header.height, header.rate, header.aspect) == (width, height, rate, aspect)
    assert (header.full_range, header.siting, header.sample_bytes) == (full, siting, 1 if depth == 8 else 2)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_an_input_error(data: bytes) -> None:
    for line in (data, b"YUV4MPEG2 " + data, b"YUV4MPEG2 W16 H16 " + data):
        try:
            assert isinstance(parse_header(line), Y4mHeader)
        except InputError as error:
            assert "\n" not in str(error)


@given(st.binary(max_size=400))
def test_any_bytes_after_the_header_give_frames_or_an_input_error(data: bytes) -> None:
    reader = Y4mReader(io.BytesIO(b"YUV4MPEG2 W4 H2 F25:1\n" + data))
    try:
        while reader.read_planes() is not None:
            pass
    except InputError as error:
        assert "frame header" in str(error)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"YUV4MPEG2 W16 H16 It\n", "interlaced"),
        (b"YUV4MPEG2 W16 H16 Im\n", "interlaced"),
        (b"YUV4MPEG2 W16 H16 C411\n", "chroma layout"),
        (b"YUV4MPEG2 W0 H16\n", "width"),
        (b"YUV4MPEG2 W16\n", "height"),
        (b"YUV4MPEG2 W65535 H65535\n", "limit"),
        (b"YUV4MPEG2 W99999999999999999999 H2\n", "width"),
        (b"YUV4MPEG2 W16 H16 F1\n", "ratio"),
        (b"YUV4MPEG2 " + b"X" * 2000 + b"\n", "too long"),
        (b"YUV4MPEG2 W16 H16 F25:1\n", "no frames"),
        (b"", "empty"),
        (b"RIFF", "empty|Invalid|not"),
    ],
)
def test_bad_streams_are_refused_in_one_line(header: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        list(Reader(io.BytesIO(header)))
    assert "\n" not in str(caught.value)


def test_a_lying_header_allocates_only_what_is_there() -> None:
    reader = Y4mReader(io.BytesIO(b"YUV4MPEG2 W16000 H16000\nFRAME\nabc"))
    assert reader.read_planes() is None and reader.truncated


@pytest.mark.parametrize("depth", [8, 10])
def test_odd_sizes_and_range_survive(depth: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    dtype = np.uint8 if depth == 8 else np.uint16
    fmt = VideoFormat(17, 9, depth, 1 if depth == 8 else 0, Colour(full_range=True), frame_rate=Fraction(30000, 1001))
    shapes = ((9, 17), (5, 9), (5, 9))
    pictures = [Picture(*(rng.integers(0, 1 << depth, shape, dtype) for shape in shapes)) for _ in range(3)]
    path = tmp_path / "odd.y4m"
    with Writer(path, fmt) as writer:
        for picture in pictures:
            writer.write(picture)
    info = probe(path)
    assert info.frame_count == 3 and info.format.colour.full_range and info.format.frame_rate == fmt.frame_rate
    with Reader(path) as reader:
        read = list(reader)
        assert reader.format.chroma_siting == fmt.chroma_siting and reader.format.bit_depth == depth
    assert [p.pts for p in read] == [0, 1, 2]
    for ours, theirs in zip(pictures, read, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours.planes, theirs.planes, strict=True))


def test_ffmpeg_reads_what_we_write_and_we_what_it_writes(bikes: Path, tmp_path: Path, planes_of) -> None:
    path = tmp_path / "ours.y4m"
    with Reader(bikes, limit=3) as reader, Writer(path, reader.format) as writer:
        for picture in reader:
            writer.write(picture)
    for ours, theirs in zip(planes_of(path), planes_of(bikes, 3), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(("tag", "planes"), [("422", 2), ("444", 3), ("mono", 1)])
def test_other_layouts_are_converted_with_a_warning(tag: str, planes: int) -> None:
    chroma = {"422": 2 * 8 * 8, "444": 2 * 16 * 8, "mono": 0}[tag]
    luma = bytes(range(128))
    stream = f"YUV4MPEG2 W16 H8 F25:1 C{tag}\nFRAME\n".encode() + luma + bytes([128]) * chroma
    with Reader(io.BytesIO(stream)) as reader:
        (picture,) = reader
        assert len(reader.warnings) == 1 and "4:2:0" in reader.warnings[0]
    assert picture.y.tobytes() == luma
    assert picture.u.shape == (4, 8) and np.all(picture.u == 128)


def test_a_cut_last_frame_is_dropped_with_a_warning(make_clip, bikes: Path) -> None:
    data = make_clip(bikes, 64, 48, 3).read_bytes()
    with Reader(io.BytesIO(data[:-10])) as reader:
        assert len(list(reader)) == 2
        assert "ends inside frame 2" in reader.warnings[0]


_COPY = """
from nvcodec.video import Reader, Writer
with Reader("-") as reader, Writer("-", reader.format) as writer:
    for picture in reader:
        writer.write(picture)
"""


def test_a_pipe_in_and_out(make_clip, bikes: Path) -> None:
    data = make_clip(bikes, 64, 48, 3).read_bytes()
    done = subprocess.run([sys.executable, "-c", _COPY], input=data, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.partition(b"\n")[2] == data.partition(b"\n")[2]


def test_a_named_pipe_can_be_read(make_clip, bikes: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    data = make_clip(bikes, 64, 48, 3).read_bytes()
    feeder = threading.Thread(target=fifo.write_bytes, args=(data,))
    feeder.start()
    with Reader(fifo) as reader:
        assert len(list(reader)) == 3
    feeder.join()


_POUR = """
import sys
import threading
from nvcodec.video import PipeClosedError, Reader, Writer
with Reader(sys.argv[1]) as reader:
    try:
        with Writer("-", reader.format) as writer:
            for picture in list(reader) * 1000:
                writer.write(picture)
    except PipeClosedError as error:
        print(error, file=sys.stderr)
        sys.exit(9)
"""


def test_a_closed_pipe_ends_in_one_line(make_clip, bikes: Path) -> None:
    clip = make_clip(bikes, 64, 48, 3)
    with subprocess.Popen(
        [sys.executable, "-c", _POUR, str(clip)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        message = process.stderr.read().decode()
        assert process.wait() == PipeClosedError.exit_code
    assert message == "-: the reader of the pipe has gone\n"
