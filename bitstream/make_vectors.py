#!/usr/bin/env python3
"""Makes the test vectors of SPEC.md section 11: ``vectors/{good,bad,truncated}/NAME.nvc`` with ``NAME.json``.

Those of FITTED.md section 9, ``vectors/fitted/NAME.json``, are fitted_vectors.py's.

    python3 bitstream/make_vectors.py           write them all
    python3 bitstream/make_vectors.py --check   compare with what is there; exit code 1 if anything differs

Expectations come from the package's reader; tests hold the second reader, ``nvc_reader.py``, to the same ones.
"""

from __future__ import annotations

import io
import json
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bitstream.fitted_vectors import fitted_files
from nvcodec.container import Group, SequenceHeader, Unit, Writer, crc32c, describe_file
from nvcodec.container import chunk as ch
from nvcodec.container.group import pack_group
from nvcodec.container.header import pack_header
from nvcodec.container.index import TAIL_SIZE, ChunkRow, GroupRow, pack_index, pack_tail
from nvcodec.errors import NvcodecError
from nvcodec.format import Colour, ContentLight, MasteringDisplay, Packet, Track, VideoFormat

FOLDER = Path(__file__).resolve().parent / "vectors"
FORMAT = VideoFormat(6, 4, timebase=Fraction(1, 25), frame_rate=Fraction(25))
HEADER = SequenceHeader(FORMAT, codec_id=65535, level=1)
AUDIO = Track("audio", "opus", Fraction(1, 48000), "eng", b"OpusHead")
Files = Iterator[tuple[str, bytes]]


def group(number: int = 0, count: int = 2, first: int | None = None, **changes: object) -> Group:
    """A group of ``count`` frames in as many units, each after the one before."""
    first = number * count if first is None else first
    units = [Unit(i, 1, (i - 1,) if i else (), b"unit %d.%d" % (number, i)) for i in range(count)]
    pts = list(range(first, first + count))
    made = Group(
        number, first, count, None, b"\x01", units, b"symbols%d" % number, b"picture%d" % number, pts, [1] * count
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def video(*items: object, header: SequenceHeader = HEADER) -> bytes:
    """A whole file of groups, metadata (dict), tracks and lists of packets."""
    file = io.BytesIO()
    with Writer(file, header) as writer:
        for item in items:
            if isinstance(item, Group):
                writer.write_group(item)
            elif isinstance(item, Track):
                writer.write_track(item)
            elif isinstance(item, dict):
                writer.write_metadata(item)
            elif isinstance(item, list):
                writer.write_packets(item)
    return file.getvalue()


def assemble(*chunks: bytes, head: bytes | None = None, index: bool = True) -> bytes:
    """A file of ready chunks, with signature, HEAD, index and tail; the chunks may break every rule."""
    out = ch.SIGNATURE + (ch.pack_chunk(ch.HEAD, pack_header(HEADER)) if head is None else head)
    rows = []
    for data in chunks:
        kind = data[:4]
        row = GroupRow(0, 0, 1, None, 0) if kind == ch.GRUP else None
        rows.append(ChunkRow(kind, bool(data[4] & 1), len(out), len(data), row))
        out += data
    last = ch.pack_chunk(ch.INDX, pack_index(rows, 0)) if index else b""
    return out + last + ch.pack_chunk(ch.TAIL, pack_tail(len(last), len(out) + len(last) + TAIL_SIZE))


def raw_group(payload: bytes) -> bytes:
    return ch.pack_chunk(ch.GRUP, payload)


def sealed(head: bytes, payloads: bytes = b"") -> bytes:
    """A GRUP chunk with a right head_crc around whatever ``head`` says."""
    return raw_group(head + struct.pack("<I", crc32c(head)) + payloads)


def offset_of(data: bytes, kind: bytes, nth: int = 0) -> int:
    at = 8
    while True:
        header = ch.parse_header(data[at : at + 9])
        if header.type == kind and (nth := nth - 1) < 0:
            return at
        at += header.size


def flip(data: bytes, at: int, mask: int = 0x40) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def sample() -> bytes:
    """Three groups, a track with packets, metadata."""
    packets = [[Packet(0, b"audio%d" % i, 960 * i, 960 * i, 960)] for i in range(3)]
    return video({"encoder": "test"}, AUDIO, group(0), packets[0], group(1), packets[1], group(2), packets[2])


def library_header(number: int | None, width: int = 6, height: int = 4) -> SequenceHeader:
    return replace(HEADER, video=number, format=replace(FORMAT, width=width, height=height))


def library() -> list[bytes]:
    """Three videos of different sizes: the second has tracks and leans on the first, the third on the second."""
    packets = [Packet(0, b"audio", 0, 0, 960), Packet(1, b"Hi", 40, None, 2000)]
    tracks = [AUDIO, Track("subtitle", "ass", Fraction(1, 1000))]
    return [
        video({"title": "zero"}, group(0), group(1, depends_on=0), header=library_header(0)),
        video(*tracks, group(0, depends_on=-1), packets, group(1, depends_on=0), header=library_header(1, 8, 6)),
        video({"title": "two"}, AUDIO, group(0, 3, depends_on=-1), group(1, 3, depends_on=-1), packets[:1],
              header=library_header(2, 16, 2)),
    ]  # fmt: skip


def good() -> Files:
    hidden = [Unit(0, 0, (), b"shared"), Unit(3, 1, (0,), b"d"), Unit(0, 1, (0, 1), b""), Unit(1, 2, (2, 1, 0), b"bc")]
    hdr = replace(
        FORMAT, width=65535, height=2, bit_depth=10, chroma_siting=3, colour=Colour(9, 16, 9, True), rotation=270,
        timebase=Fraction(1001, 60000), frame_rate=Fraction(60000, 1001), sample_aspect=Fraction(4, 3),
        mastering=MasteringDisplay(((34000, 16000), (13250, 34500), (7500, 3000)), (15635, 16450), 10**7, 50),
        content_light=ContentLight(1000, 400),
    )  # fmt: skip
    yield "walkthrough", video({"encoder": "demo"}, group(0))
    yield "empty", video()
    yield "colour", video(group(0, 1), header=SequenceHeader(hdr, 65280))
    yield (
        "timing",
        video(
            group(0, 3, pts=[-50, -25, 0], durations=[25, 25, 25]),
            group(1, 3, pts=[25, 58, 92], durations=[33, 34, 33]),
            group(2, 3, pts=[125, 125, 1 << 40], durations=[0, 7, (1 << 40) - 1]),
        ),
    )
    yield "units", video(group(0, 4, units=hidden), group(1, 4, depends_on=0), group(2, 4, depends_on=0))
    yield "one_unit", video(group(0, 200, units=[Unit(0, 200, (), b"net")]))
    yield "metadata", video({"a": "1", "b": ""}, group(0), {"b": "2", "é": "漢字\n"})
    yield "tracks", video(
        AUDIO, Track("subtitle", "ass", Fraction(1, 1000)), group(0),
        [Packet(0, b"x" * 9, -312, -312, 960), Packet(1, b"Hi", 40, None, 2000, False), Packet(0, b"", 648, 600, 960)],
        Track("attachment", "ttf", Fraction(1), "", b"font"), [Packet(2, b"data"), Packet(0, b"z", None, 5)],
    )  # fmt: skip
    yield "sample", sample()
    yield "unknown_skippable", assemble(ch.pack_chunk(b"xTRA", b"private", 0), ch.pack_chunk(b"ABCD", b"", 0xF0))
    newer = ch.pack_chunk(ch.HEAD, pack_header(replace(HEADER, minor=1)) + b"new field")
    yield "newer_minor", assemble(ch.pack_chunk(ch.META, b"\0later"), raw_group(pack_group(group(0, 1))), head=newer)
    yield "no_index", assemble(raw_group(pack_group(group(0, 1))), index=False)
    yield (
        "concatenated",
        sample() + video({"encoder": "other", "b": "2"}, AUDIO, group(0), [Packet(0, b"p", 0, 0, 960)]),
    )
    yield "concatenated_later", video(group(0)) + video(group(0, pts=[100, 101]))
    yield "library", b"".join(library())
    yield "library_of_one", library()[0]


def damaged() -> Files:
    """Files with damage that a reader lists."""
    data = sample()
    second = offset_of(data, ch.GRUP, 1)
    yield "payload_of_group", flip(data, second + ch.parse_header(data[second : second + 9]).size - 6)
    yield "head_of_group", flip(data, second + 12)
    cut = data[: offset_of(data, ch.INDX)]
    yield "payload_of_group_no_index", flip(cut, second + ch.parse_header(data[second : second + 9]).size - 6)
    yield "head_of_group_no_index", flip(cut, second + 12)
    yield "length_of_group_no_index", flip(cut, second + 5, 8)
    yield "type_of_group_no_index", flip(cut, second + 1, 0x80)
    yield "lost_bytes", data[: second + 20] + data[second + 25 :]
    yield "metadata", flip(data, offset_of(data, ch.META) + 12)
    yield "track", flip(data, offset_of(data, ch.TRAK) + 12)
    lost = video(AUDIO, replace(AUDIO, language="deu"), [Packet(1, b"B", 0), Packet(0, b"A", 0)], group(0))
    first = offset_of(lost, ch.TRAK)
    yield "first_of_two_tracks", flip(lost, first + 12)
    yield "first_of_two_tracks_no_index", lost[:first] + lost[first + 20 : offset_of(lost, ch.INDX)]
    yield "packets", flip(data, offset_of(data, ch.PKTS, 1) + 20)
    yield "index", flip(data, offset_of(data, ch.INDX) + 12)
    yield "tail", flip(data, offset_of(data, ch.TAIL) + 12)
    yield "junk_behind", data + b"junk that is no chunk at all"
    yield "second_header", data + flip(data, 20)
    yield "wrong_index", assemble(raw_group(pack_group(group(0, 2))), index=True)[:-TAIL_SIZE]
    videos = library()
    yield "library_lost_video", videos[0] + flip(videos[1], 25) + videos[2]
    yield "library_group", videos[0] + flip(videos[1], offset_of(videos[1], ch.GRUP) + 12) + videos[2]
    yield "library_index", videos[0] + flip(videos[1], offset_of(videos[1], ch.INDX) + 12) + videos[2]
    yield "library_junk_between", videos[0] + b"junk that is no chunk at all" + videos[1]


def refused() -> Files:
    """Files that a reader refuses by name."""
    head = pack_header(HEADER)

    def with_head(at: int, *values: int) -> bytes:
        return assemble(head=ch.pack_chunk(ch.HEAD, head[:at] + bytes(values) + head[at + len(values) :]))

    start = b"\0\0\1\0" + bytes(16)  # number, first frame, one frame, alone, hashes
    times, unit = b"\0\0\1", b"\1\3\0\0"  # constant rate; one unit showing one frame, no references, empty
    yield "empty_file", b""
    yield "not_nvc", b"RIFF\x24\0\0\0AVI LIST"
    yield "text_mode", sample().replace(b"\r\n", b"\n")
    yield "header_crc", flip(sample(), 25)
    yield "major_2", with_head(0, 2)
    yield "major_0", with_head(0, 0)
    yield "codec_0", with_head(2, 0, 0)
    yield "level_6", with_head(4, 6)
    yield "width_0", with_head(5, 0, 0)
    yield "chroma_444", with_head(9, 3)
    yield "bit_depth_9", with_head(10, 9)
    yield "timebase_2_50", with_head(17, 2, 0, 0, 0, 50)
    yield "aspect_0", with_head(33, 0)
    yield "long_header", assemble(head=ch.pack_chunk(ch.HEAD, head + b"\0"))
    yield "picture_over_limits", assemble(head=ch.pack_chunk(ch.HEAD, head[:4] + b"\0\xff\xff\xff\xff" + head[9:]))
    yield "picture_over_level", assemble(head=ch.pack_chunk(ch.HEAD, head[:5] + b"\0\x10\0\x10" + head[9:]))
    yield "unknown_critical", assemble(ch.pack_chunk(b"NEWS", b"", 1))
    yield "unknown_critical_no_index", assemble(ch.pack_chunk(b"NEWS", b"", 1), index=False)
    yield "skippable_group", assemble(ch.pack_chunk(ch.GRUP, pack_group(group(0, 1)), 0))
    yield "reserved_flag", assemble(ch.pack_chunk(ch.META, b"\0", 2))
    yield "wrong_order", assemble(raw_group(pack_group(group(1, 1))), index=False)
    yield "second_head", assemble(ch.pack_chunk(ch.HEAD, head), index=False)
    yield "index_of_other_group", assemble(raw_group(pack_group(group(0, 2))))
    yield "zero_frames", assemble(sealed(b"\0\0\0\0" + bytes(16) + times + b"\0" + unit))
    yield "number_overlong", assemble(sealed(b"\x80\0" + start[1:] + times + b"\0" + unit), index=False)
    yield "number_too_long", assemble(sealed(b"\xff" * 9 + b"\1" + start[1:] + times + b"\0" + unit), index=False)
    yield "leans_on_later", assemble(sealed(b"\0\0\1\1" + bytes(16) + times + b"\0" + unit), index=False)
    yield "timing_mode_3", assemble(sealed(start + b"\3\0\1" + b"\0" + unit))
    yield "time_out_of_range", assemble(sealed(start + b"\0" + b"\xff" * 8 + b"\x7f\1" + b"\0" + unit))
    yield "config_over_payload", assemble(sealed(start + times + b"\xff\x7f" + unit))
    yield "unit_over_payload", assemble(sealed(start + times + b"\0" + b"\1\3\0\5", b"abc"))
    yield "bytes_behind_units", assemble(sealed(start + times + b"\0" + unit, b"abc"))
    yield "frame_twice", assemble(sealed(start + times + b"\0" + b"\2\3\0\0\2\0\0\0"))
    yield "frame_missing", assemble(sealed(b"\0\0\2\0" + start[4:] + times + b"\0" + unit))
    yield "reference_forward", assemble(sealed(start + times + b"\0" + b"\1\3\1\1\0"))
    yield "reference_before_first", assemble(sealed(start + times + b"\0" + b"\1\7\0"))
    yield "unit_reserved_flag", assemble(sealed(start + times + b"\0" + b"\1\x0b\0\0"))
    yield "head_crc_of_group", assemble(raw_group(start + times + b"\0" + unit + bytes(4)))
    many = group(0, 257, units=[Unit(0, 257, (), b"")])
    yield "frames_over_level", assemble(raw_group(pack_group(many)), index=False)
    free = ch.pack_chunk(ch.HEAD, pack_header(replace(HEADER, level=0)))
    most = group(0, 65535, units=[Unit(0, 65535, (), b"")])
    yield "frames_over_limits", assemble(raw_group(pack_group(most)), head=free, index=False)
    yield "metadata_key_twice", assemble(ch.pack_chunk(ch.META, b"\2\1a\0\1a\0"))
    yield "metadata_not_utf8", assemble(ch.pack_chunk(ch.META, b"\1\1\xff\0"))
    yield "metadata_over_payload", assemble(ch.pack_chunk(ch.META, b"\1\1a\x7f"))
    yield "packet_of_no_track", assemble(ch.pack_chunk(ch.PKTS, b"\1\0\0\0\0"))
    yield "track_1_first", assemble(ch.pack_chunk(ch.TRAK, b"\1\1\1\0\0\0\1\0\0\0" + bytes(3)))
    yield "track_kind_0", assemble(ch.pack_chunk(ch.TRAK, bytes(2) + b"\1\0\0\0\1\0\0\0" + bytes(3)))
    yield from refused_libraries()
    yield "unlike_sequences", video(group(0)) + video(group(0), header=replace(HEADER, codec_id=65280))


def refused_libraries() -> Files:
    first, second, third = library()
    yield "library_number_jumps", first + third
    yield "library_number_twice", first + first
    yield "library_number_back", first + second + first
    yield "library_begins_at_2", third
    yield "library_mixed", first + video(group(0))
    yield "library_mixed_later", video(group(0)) + first
    yield "library_other_codec", first + video(group(0), header=replace(library_header(1), codec_id=65280))
    leans = [
        sealed(bytes([0, 0, 1, depends]) + bytes(16) + b"\0\0\1" + b"\0" + b"\1\3\0\0") for depends in (0, 1, 2)
    ]
    heads = [ch.pack_chunk(ch.HEAD, pack_header(library_header(number))) for number in (0, 1)]
    yield "library_first_leans_back", assemble(leans[1], head=heads[0], index=False)
    before = assemble(leans[0], head=heads[0], index=False)
    yield "library_leans_too_far", before + assemble(leans[2], head=heads[1], index=False)
    head = pack_header(library_header(0))
    yield "library_header_without_number", assemble(head=ch.pack_chunk(ch.HEAD, head[:-2]))
    yield "extras_8", assemble(head=ch.pack_chunk(ch.HEAD, head[:41] + b"\x08"))


def truncated() -> Files:
    data = sample()
    videos = library()
    whole = b"".join(videos)
    yield "library_last_without_tail", whole[:-TAIL_SIZE]
    last = offset_of(videos[2], ch.GRUP, 1)
    yield "library_in_last_group", b"".join(videos[:2]) + videos[2][: last + 30]
    yield "library_in_last_header", b"".join(videos[:2]) + videos[2][:40]
    yield "library_middle_cut", videos[0] + videos[1][: offset_of(videos[1], ch.INDX)] + videos[2]
    yield "library_cut_and_lost", videos[0][:-TAIL_SIZE] + videos[2]
    yield "in_signature", data[:5]
    yield "in_header", data[:40]
    yield "after_header", data[: offset_of(data, ch.META)]
    yield "in_first_group", data[: offset_of(data, ch.GRUP) + 30]
    yield "after_second_group", data[: offset_of(data, ch.PKTS, 1)]
    yield "in_packets", data[: offset_of(data, ch.PKTS, 2) + 15]
    yield "before_index", data[: offset_of(data, ch.INDX)]
    yield "in_index", data[: offset_of(data, ch.TAIL) - 2]
    yield "before_tail", data[: offset_of(data, ch.TAIL)]
    yield "in_tail", data[:-1]
    yield (
        "two_gigabytes_declared",
        data[: offset_of(data, ch.INDX)] + struct.pack("<4sBI", b"GRUP", 1, (1 << 31) - 1) + b"x",
    )
    yield "zeros_behind", data[: offset_of(data, ch.GRUP, 2) + 30] + bytes(60)
    yield "cut_then_whole", data[: offset_of(data, ch.GRUP, 2) + 30] + data


def expectation(data: bytes) -> object:
    """What the package's reader says of a file: a report, or the name of its error."""
    try:
        return describe_file(io.BytesIO(data))
    except NvcodecError as error:
        return {"error": type(error).__name__}


def all_files() -> dict[str, bytes]:
    """Every vector and expectation, by its path under ``vectors``."""
    out = fitted_files()
    for folder, makers in {"good": [good], "bad": [damaged, refused], "truncated": [truncated]}.items():
        for maker in makers:
            for name, data in maker():
                text = json.dumps(expectation(data), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
                out[f"{folder}/{name}.nvc"] = data
                out[f"{folder}/{name}.json"] = (text.replace('},{"', '},\n{"') + "\n").encode()
    return out


def main() -> int:
    made = all_files()
    there = {str(p.relative_to(FOLDER)): p for p in FOLDER.glob("*/*") if p.is_file()}
    if "--check" in sys.argv[1:]:
        names = sorted(set(made) | set(there))
        wrong = [n for n in names if n not in made or n not in there or there[n].read_bytes() != made[n]]
        print("\n".join(wrong) or f"all {len(made)} files are as they should be")
        return bool(wrong)
    for name in set(there) - set(made):
        there[name].unlink()
    for name, data in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_bytes(data)
    print(f"{len(made)} files, {sum(map(len, made.values()))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
