import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.study.coded import GroupBits
from nvcodec.study.packets import StreamBits, _groups, stream_bits


@pytest.fixture(scope="module")
def coded(tmp_path_factory, carphone, planes_of):
    """``coded(codec, suffix, **options)``: 12 small frames by PyAV's own encoder."""
    folder = tmp_path_factory.mktemp("packets")

    def make(codec, suffix, size=(96, 80), **options):
        path = folder / f"{codec}{len(list(folder.iterdir()))}{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, 25, options, width=size[0], height=size[1], pix_fmt="yuv420p")
            for planes in planes_of(carphone, 12):
                whole = av.VideoFrame(176, 144, "yuv420p")
                for target, plane in zip(whole.planes, planes, strict=True):
                    target.update(_lines(plane, target))
                container.mux(stream.encode(whole.reformat(*size)))
            container.mux(stream.encode(None))
        return path

    return make


def _lines(plane, target):
    return b"".join(row.tobytes().ljust(target.line_size, b"\0") for row in plane)


def kinds(path):
    """Types of the frames in display order, by a decode of their own."""
    with av.open(str(path)) as container:
        return ["?IPB"[frame.pict_type] for frame in container.decode(video=0)]


@pytest.mark.parametrize("suffix", [".h264", ".mp4", ".mkv"])
def test_bits_are_in_display_order_and_sum_to_the_file(coded, suffix):
    path = coded("libx264", suffix, preset="fast", crf="26", b_strategy="0", bf="2", g="6")
    bits, types = stream_bits(path), kinds(path)
    assert sum(bits.frames) == 8 * path.stat().st_size
    assert len(bits.frames) == 12 and "B" in types
    smallest_p = min(size for size, kind in zip(bits.frames, types, strict=True) if kind == "P")
    b_frames = [size for size, kind in zip(bits.frames, types, strict=True) if kind == "B"]
    assert min(b_frames) < smallest_p
    assert all(bits.frames[i] > 2 * max(b_frames) for i, kind in enumerate(types) if kind == "I")


def test_groups_go_from_key_frame_to_key_frame(coded):
    path = coded("libx264", ".h264", preset="fast", crf="30", g="5", bf="2", sc_threshold="0")
    bits = stream_bits(path, "h264", threads=2)
    assert [(group.first_frame, group.frames) for group in bits.groups] == [(0, 5), (5, 5), (10, 2)]
    assert [group.bits for group in bits.groups] == [sum(bits.frames[a:b]) for a, b in ((0, 5), (5, 10), (10, 12))]


def test_a_temporal_unit_is_one_frame(coded):
    path = coded("libsvtav1", ".obu", preset="12", crf="40")
    bits = stream_bits(path, "obu")
    assert len(bits.frames) == 12 and sum(bits.frames) == 8 * path.stat().st_size
    assert bits.frames[0] == max(bits.frames) and bits.groups == [GroupBits(0, 12, sum(bits.frames))]


def test_frames_before_the_first_key_frame_belong_to_it():
    assert _groups([1, 2, 4, 8], [False, True, False, True]) == [GroupBits(0, 3, 7), GroupBits(3, 1, 8)]
    assert _groups([1, 2], [False, False]) == [GroupBits(0, 2, 3)]


def test_what_is_no_video_has_no_bits(tmp_path):
    assert stream_bits(tmp_path / "absent") == StreamBits()
    (tmp_path / "text.h264").write_text("hello " * 100)
    assert stream_bits(tmp_path / "text.h264", "h264") == StreamBits()


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_a_damaged_stream_still_sums_or_says_nothing(coded_bytes, tmp_path_factory, data):
    raw = bytearray(coded_bytes)
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    path = tmp_path_factory.mktemp("damaged") / "x.h264"
    path.write_bytes(raw)
    bits = stream_bits(path, "h264")
    assert sum(bits.frames) == (8 * len(raw) if bits.frames else 0)
    assert sum(group.bits for group in bits.groups) == sum(bits.frames)


@pytest.fixture(scope="module")
def coded_bytes(coded):
    return coded("libx264", ".h264", preset="fast", crf="34", g="5", bf="2").read_bytes()
