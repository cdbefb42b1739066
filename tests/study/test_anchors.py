import itertools
import re
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import NvcodecError, UsageError
from nvcodec.format import Colour
from nvcodec.study import anchors, encoders
from nvcodec.study.anchors import AnchorSpec, available, check_available, encode
from nvcodec.study.coded import Source
from nvcodec.study.ffmpeg import Ffmpeg
from nvcodec.study.packets import _demuxed
from nvcodec.video import Reader, probe

pytest.importorskip("ffmpeg")
pytest.importorskip("imageio_ffmpeg")

FASTEST = {"x264": "ultrafast", "x265": "ultrafast", "svtav1": "12", "aom": "8", "vvenc": "faster"}
FASTEST_WITH_B = {**FASTEST, "x264": "superfast"}
FRAMES = 8


def source_of(path, frame_rate=None):
    info = probe(path)
    return Source(
        "a clip.mp4", path, path, info.format, info.frame_count or FRAMES, frame_rate or info.format.frame_rate
    )


def write_y4m(path, pictures, rate="25:1", full=False):
    y = pictures[0][0]
    wide = "p10 XYSCSS=420P10" if y.dtype == np.uint16 else "jpeg"
    tag = f"C420{wide} XCOLORRANGE={'FULL' if full else 'LIMITED'}"
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{y.shape[1]} H{y.shape[0]} F{rate} Ip A1:1 {tag}\n".encode())
        for planes in pictures:
            file.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes))
    return path


def pictures_of(path):
    with Reader(path, audio=False) as reader:
        return [picture.planes for picture in reader]


def same(ours, theirs):
    assert len(ours) == len(theirs)
    return all(np.array_equal(a, b) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True))


def psnr(ours, theirs, peak=255):
    errors = [np.mean((np.asarray(a[0], float) - b[0]) ** 2) for a, b in zip(ours, theirs, strict=True)]
    return 10 * np.log10(peak**2 / max(np.mean(errors), 1e-9))


def needs(name):
    if name not in available():
        pytest.skip(f"this ffmpeg has no {name}")


@pytest.fixture
def lossless(monkeypatch):
    """``lossless(name)``: the anchor with its own lossless mode instead of its rate."""

    def change(name):
        encoder = encoders.ENCODERS[name]
        extra = {"x264": {"qp": "0"}, "x265": {"x265-params": "lossless=1:log-level=error:info=0"},
                 "svtav1": {"svtav1-params": "lossless=1"}, "aom": {"aom-params": "lossless=1"}}[name]  # fmt: skip
        options = {k: v for k, v in encoder.options(encoders.Call(FASTEST[name], 1, True, 1)).items() if k != "crf"}
        fields = {**encoder.__dict__, "options": lambda call: {**options, **extra}}
        monkeypatch.setitem(encoders.ENCODERS, name, encoders.Encoder(**fields))
        return AnchorSpec(name, FASTEST[name], True)

    return change


@pytest.mark.parametrize("structure", ["random-access", "low-delay"])
@pytest.mark.parametrize("name", list(FASTEST))
def test_every_anchor_makes_a_real_file(name, structure, carphone, make_clip, tmp_path):
    needs(name)
    source = source_of(make_clip(carphone, 128, 96, FRAMES))
    spec = AnchorSpec.parse(f"{name}:{FASTEST_WITH_B[name]}:{structure}")
    coded = encode(spec, 30, source, tmp_path)
    ours, theirs = pictures_of(source.pictures), pictures_of(coded.decoded)
    assert 28 < psnr(ours, theirs) < 50
    assert coded.bytes == coded.video_bytes == coded.file.stat().st_size > 500
    assert sum(coded.frame_bits) == 8 * coded.bytes and len(coded.frame_bits) == FRAMES
    assert [(g.first_frame, g.frames) for g in coded.groups] == [(0, FRAMES)]
    assert coded.encoder.startswith(f"{spec.encoder.library} of ffmpeg ")
    for command in (coded.command, coded.decode_command):
        assert command.startswith("ffmpeg ") and str(tmp_path) not in command and "/tmp" not in command
    assert coded.encode.seconds > 0 and coded.decode.peak_bytes > 0
    if structure == "low-delay":
        assert display_order(coded.file, spec.encoder.muxer) == list(range(FRAMES))


def display_order(path, demuxer):
    return _demuxed(path, demuxer, 1).shown


@pytest.mark.parametrize("name", ["x264", "x265"])
def test_random_access_has_b_frames_and_low_delay_has_none(name, carphone, make_clip, tmp_path):
    needs(name)
    source = source_of(make_clip(carphone, 128, 96, FRAMES))
    coded = encode(AnchorSpec(name, "superfast"), 30, source, tmp_path)
    assert display_order(coded.file, AnchorSpec(name, "superfast").encoder.muxer) != list(range(FRAMES))


@pytest.mark.parametrize("name", list(FASTEST))
@pytest.mark.parametrize("low_delay", [False, True])
def test_key_interval(name, low_delay, carphone, make_clip, tmp_path):
    needs(name)
    source = source_of(make_clip(carphone, 128, 96, 12))
    coded = encode(AnchorSpec(name, FASTEST[name], low_delay), 40, source, tmp_path, keyint=4)
    assert max(group.frames for group in coded.groups) <= 2 * 4 and len(coded.groups) >= 3
    if low_delay:
        assert [group.first_frame for group in coded.groups] == [0, 4, 8]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("name", "rate"),
    [("x264", "30000:1001"), ("x264", "12:1"), ("x265", "30000:1001"), ("svtav1", "15:1"), ("aom", "50:1")],
)
def test_the_very_pictures_reach_the_encoder(name, full, rate, crop, lossless, tmp_path):
    needs(name)
    pictures = crop(128, 96, FRAMES)
    source = source_of(write_y4m(tmp_path / "in.y4m", pictures, rate, full))
    coded = encode(lossless(name), 1, source, tmp_path)
    assert same(pictures, pictures_of(coded.decoded))
    found = probe(coded.decoded).format
    assert (found.colour.full_range, found.frame_rate) == (full, Fraction(rate.replace(":", "/")))


def test_jpeg_frames_keep_their_range_and_their_pace(crop, lossless, tmp_path):
    """Pictures of FFmpeg's pixel format yuvj420p, with timestamps of a variable rate."""
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", 10, {"q": "2"}, width=64, height=48, pix_fmt="yuvj420p")
        for index, planes in enumerate(crop(64, 48, FRAMES)):
            frame = av.VideoFrame(64, 48, "yuvj420p")
            for target, plane in zip(frame.planes, planes, strict=True):
                target.update(b"".join(row.tobytes().ljust(target.line_size, b"\0") for row in plane))
            frame.pts, frame.time_base = index * index * 100, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = source_of(path, Fraction(10))
    assert source.format.colour.full_range
    coded = encode(lossless("x264"), 1, source, tmp_path)
    assert same(pictures_of(path), pictures_of(coded.decoded))


@pytest.mark.parametrize("size", [(127, 95), (64, 47)])
def test_odd_sizes_are_padded_for_the_encoder_and_cropped_again(size, crop, lossless, tmp_path):
    pictures = crop(*size, 3)
    source = source_of(write_y4m(tmp_path / "in.y4m", pictures))
    coded = encode(lossless("x264"), 1, source, tmp_path)
    assert same(pictures, pictures_of(coded.decoded))
    assert "mergeplanes" in coded.command and f"crop={size[0]}:{size[1]}" in coded.decode_command


@pytest.mark.parametrize("name", list(FASTEST))
def test_odd_sizes_and_ten_bits(name, crop, tmp_path):
    needs(name)
    pictures = [tuple(plane.astype(np.uint16) * 4 + 1 for plane in planes) for planes in crop(127, 95, 3)]
    source = source_of(write_y4m(tmp_path / "in.y4m", pictures))
    coded = encode(AnchorSpec(name, FASTEST[name]), 20, source, tmp_path)
    theirs = pictures_of(coded.decoded)
    assert theirs[0][0].dtype == np.uint16 and psnr(pictures, theirs, 1023) > 36


@pytest.mark.parametrize("full", [False, True])
def test_eight_bits_through_an_encoder_of_ten_are_shifted_and_rounded(full, crop, tmp_path):
    needs("vvenc")
    pictures = crop(128, 96, 2)
    source = source_of(write_y4m(tmp_path / "in.y4m", pictures, full=full))
    coded = encode(AnchorSpec("vvenc", "faster"), 1, source, tmp_path)
    theirs = pictures_of(coded.decoded)
    worst = max(
        int(np.abs(a.astype(int) - b).max())
        for x, y in zip(pictures, theirs, strict=True)
        for a, b in zip(x, y, strict=True)
    )
    assert theirs[0][0].dtype == np.uint8 and worst <= 3 and psnr(pictures, theirs) > 50


def test_the_file_holds_no_messages_and_the_colour_of_the_source(carphone, make_clip, tmp_path):
    source = source_of(make_clip(carphone, 128, 96, FRAMES))
    source = replace(source, format=replace(source.format, colour=Colour(9, 16, 9, False)))
    coded = encode(AnchorSpec("x264", "superfast"), 30, source, tmp_path)
    units = re.split(b"\0\0\1", coded.file.read_bytes())[1:]
    assert {unit[0] & 31 for unit in units} == {1, 5, 7, 8}  # slices and parameter sets
    assert probe(coded.file).format.colour == Colour(9, 16, 9, False)


def test_colours_that_ffmpeg_cannot_convert_pass_all_the_same(carphone, make_clip, tmp_path):
    source = source_of(make_clip(carphone, 64, 48, 1))
    for colour in (Colour(1, 1, 8), Colour(9, 16, 14, True), Colour(3, 0, 200), Colour(22, 255, 0)):
        tagged = replace(source, format=replace(source.format, colour=colour))
        coded = encode(AnchorSpec("x264", "ultrafast"), 20, tagged, tmp_path)
        assert coded.frame_bits == [8 * coded.bytes] and coded.groups[0].frames == 1
        assert psnr(pictures_of(source.pictures), pictures_of(coded.decoded)) > 35


def test_what_an_encoder_refuses_is_said_in_its_own_words(crop, tmp_path):
    source = source_of(write_y4m(tmp_path / "in.y4m", crop(4, 4, 1)))
    with pytest.raises(NvcodecError, match=r"^ffmpeg: .*small.*\(exit code"):
        encode(AnchorSpec("x265", "ultrafast"), 20, source, tmp_path)


def test_lost_frames_are_an_error(carphone, make_clip, tmp_path):
    source = replace(source_of(make_clip(carphone, 128, 96, FRAMES)), frames=FRAMES + 1)
    with pytest.raises(NvcodecError, match=r"x264 gave 8 frames of a clip\.mp4, which has 9"):
        encode(AnchorSpec("x264", "ultrafast"), 30, source, tmp_path)
    short = replace(source, frames=5)
    assert len(pictures_of(encode(AnchorSpec("x264", "ultrafast"), 30, short, tmp_path).decoded)) == 5


def test_names_of_configurations():
    names = {
        "x264": "medium",
        "x265:veryslow": "veryslow",
        "x265:low-delay": "medium low-delay",
        "x265:low-delay:slow": "slow low-delay",
        "svtav1": "preset 6",
        "aom:8:random-access": "cpu-used 8",
        "vvenc:faster": "faster",
    }
    assert names == {text: AnchorSpec.parse(text).configuration for text in names}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x256", "did you mean x265.*there are: x264"),
        ("", "there are: x264, x265, svtav1, aom, vvenc"),
        ("x265:verslow", "did you mean veryslow"),
        ("x265:lowdelay", "did you mean low-delay"),
        ("x265:slow:fast", "NAME"),
        ("x265:low-delay:random-access", "NAME"),
        ("svtav1:slow", "there are: 0, 1"),
        ("x265:", "has no preset ''"),
    ],
)
def test_what_is_no_anchor(text, said):
    with pytest.raises(UsageError, match=said):
        AnchorSpec.parse(text)


@given(st.text(max_size=40) | st.lists(st.sampled_from(["x264", "medium", "low-delay", "4", ""])).map(":".join))
def test_any_text_is_an_anchor_or_one_line(text):
    try:
        spec = AnchorSpec.parse(text)
    except UsageError as error:
        assert "\n" not in str(error) or "\n" in text
    else:
        assert spec.codec in encoders.ENCODERS and spec.preset in spec.encoder.presets


@pytest.mark.parametrize("name", list(FASTEST))
def test_ladders_keep_their_ends(name):
    spec = AnchorSpec.parse(name)
    first, last = spec.encoder.ladder
    for points in (2, 3, 6, 20, 31):
        ladder = spec.ladder(points)
        assert (ladder[0], ladder[-1], len(set(ladder))) == (first, last, points)
        assert ladder == sorted(ladder)
        for rate in ladder:
            spec.check_rate(rate)
    assert first < spec.ladder(1)[0] < last
    with pytest.raises(UsageError, match="points"):
        spec.ladder(1000)


def test_rates_that_an_encoder_lacks():
    AnchorSpec.parse("x264").check_rate(28.25)
    for name, rate in (("x264", 52), ("x264", -1), ("aom", 30.5), ("vvenc", 64), ("svtav1", 0)):
        with pytest.raises(UsageError, match=name):
            AnchorSpec.parse(name).check_rate(rate)


def test_an_ffmpeg_without_the_encoder(monkeypatch):
    program = Ffmpeg("/nowhere/ffmpeg", "5.1")
    program.__dict__["encoders"] = frozenset({"libx264"})
    monkeypatch.setattr(anchors, "find_ffmpeg", lambda: program)
    assert available() == ["x264"]
    with pytest.raises(UsageError, match=r"ffmpeg 5\.1 has no libvvenc.*has: x264"):
        check_available(AnchorSpec.parse("vvenc"))


def test_a_bit_depth_that_the_build_lacks(monkeypatch, crop, tmp_path):
    source = source_of(write_y4m(tmp_path / "in.y4m", crop(64, 48, 1, 10)))
    monkeypatch.setattr(Ffmpeg, "pixel_formats", lambda self, encoder: frozenset({"yuv420p"}))
    with pytest.raises(UsageError, match="cannot code 10 bits"):
        encode(AnchorSpec.parse("x264"), 30, source, tmp_path)


@pytest.mark.parametrize("name", list(FASTEST))
def test_threads_and_rate_are_in_the_options(name):
    encoder = encoders.ENCODERS[name]
    text = " ".join(itertools.chain(*encoder.options(encoders.Call(encoder.default, 33, False, 7, 50)).items()))
    assert "33" in text and "50" in text
    assert ("lp=4" if name == "svtav1" else "7") in text
