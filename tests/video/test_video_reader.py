"""Reading: planes as PyAV decodes them, conversions, facts of the stream, refusals."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from nvcodec.errors import InputError, UsageError
from nvcodec.video import Reader, probe
from nvcodec.video.pixels import plan_conversion, to_picture


def encode(path: Path, frames: list[av.VideoFrame], codec: str = "ffv1", **settings: Any) -> Path:
    """Write frames with PyAV alone; ``settings`` are attributes of the codec context."""
    first = frames[0]
    options = settings.pop("options", {})
    with av.open(str(path), "w") as container:
        rate = settings.pop("rate", 25)
        stream = container.add_stream(
            codec, rate, options, width=first.width, height=first.height, pix_fmt=first.format.name
        )
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frames_of(path: Path, pixel_format: str, count: int = 3, width: int = 64, height: int = 48) -> list[av.VideoFrame]:
    """The first frames of a real clip, scaled and in another pixel format."""
    with av.open(str(path)) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(count), strict=False)]
    result = [frame.reformat(width, height, pixel_format) for frame in frames]
    for index, frame in enumerate(result):
        frame.pts, frame.time_base = index, Fraction(1, 25)
    return result


@pytest.mark.parametrize("name", ["bunny", "bikes", "carphone"])
def test_planes_are_those_of_a_direct_decode(name: str, request: pytest.FixtureRequest, planes_of: Callable) -> None:
    path = request.getfixturevalue(name)
    with Reader(path, limit=20) as reader:
        ours = list(reader)
    assert len(ours) == 20
    for picture, planes in zip(ours, planes_of(path, 20), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(picture.planes, planes, strict=True))
    assert ours[0].y.flags.c_contiguous and ours[0].y.dtype == np.uint8


def test_probe_tells_what_the_files_are(bunny: Path, bikes: Path, carphone: Path) -> None:
    info = probe(bunny)
    assert (info.format.width, info.format.height, info.frame_count, info.codec) == (1280, 720, 132, "h264")
    assert [(t.kind, t.codec, t.timebase) for t in info.tracks] == [("audio", "aac", Fraction(1, 48000))]
    with av.open(str(bunny)) as container:
        assert info.passthrough_bytes == sum(p.size for p in container.demux(audio=0))
    assert info.file_size == bunny.stat().st_size and info.pixel_format == "yuv420p" and not info.warnings
    assert (probe(bikes).frame_count, probe(bikes).tracks, probe(bikes).passthrough_bytes) == (250, [], 0)
    phone = probe(carphone)
    assert phone.frame_count == 120
    assert phone.format.frame_rate == Fraction(30000, 1001) and phone.format.sample_aspect == Fraction(128, 117)
    assert phone.format.chroma_siting == 1


def test_start_and_limit_choose_frames_with_their_own_timestamps(carphone: Path) -> None:
    with Reader(carphone) as reader:
        every = list(reader)
    with Reader(carphone, start=37, limit=5) as reader:
        some = list(reader)
    assert [p.pts for p in some] == [p.pts for p in every[37:42]] == [1001 * i for i in range(37, 42)]
    assert np.array_equal(some[0].v, every[37].v)
    with pytest.raises(UsageError):
        Reader(carphone, start=-1)


def test_packets_come_beside_the_pictures(bunny: Path) -> None:
    with av.open(str(bunny)) as container:
        wanted = [(bytes(p), p.pts, p.dts, p.duration) for p in container.demux(audio=0) if p.size]
    taken = []
    with Reader(bunny) as reader:
        for index, _ in enumerate(reader):
            packets = reader.take_packets()
            taken += packets
            assert index == 0 or len(packets) < 60, "packets pile up instead of coming along"
        taken += reader.take_packets()
    assert [(p.data, p.pts, p.dts, p.duration) for p in taken] == wanted
    with Reader(bunny, audio=False, limit=2) as silent:
        list(silent)
        assert silent.tracks == [] and silent.take_packets() == []


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuva420p", "yuvj420p"])
def test_eight_bit_420_is_kept_whatever_its_arrangement(pixel_format: str, bikes: Path, tmp_path: Path) -> None:
    plain = frames_of(bikes, "yuv420p")
    frames = [frame.reformat(format=pixel_format) if pixel_format != "yuvj420p" else frame for frame in plain]
    codec = "ffv1" if pixel_format != "nv12" else "rawvideo"
    settings = {"color_range": 2} if pixel_format == "yuvj420p" else {}
    path = encode(tmp_path / ("a.mkv" if codec == "ffv1" else "a.nut"), frames, codec, **settings)
    with Reader(path) as reader:
        pictures = list(reader)
        assert reader.format.colour.full_range == (pixel_format == "yuvj420p")
        assert reader.warnings == (["alpha is dropped"] if pixel_format == "yuva420p" else [])
    for picture, frame in zip(pictures, plain, strict=True):
        assert np.array_equal(picture.y, frame.to_ndarray()[:48])
        assert picture.u.tobytes() == np.frombuffer(frame.planes[1], np.uint8).reshape(24, -1)[:, :32].tobytes()


def test_ten_bit_is_kept(bikes: Path, tmp_path: Path) -> None:
    plain = frames_of(bikes, "yuv420p10le")
    with Reader(encode(tmp_path / "a.mkv", plain)) as reader:
        picture = next(iter(reader))
        assert reader.format.bit_depth == 10 and picture.y.dtype == np.uint16 and not reader.warnings
    rows = np.frombuffer(plain[0].planes[0], np.uint8).reshape(48, -1)[:, :128]
    assert np.array_equal(picture.y, np.ascontiguousarray(rows).view("<u2"))
    plan = plan_conversion("p010le")  # what hardware decoders give; no container here holds it raw
    again = to_picture(plain[0].reformat(format="p010le"), plan, False, 0, 1)
    assert all(np.array_equal(a, b) for a, b in zip(picture.planes, again.planes, strict=True))


@pytest.mark.parametrize(
    ("pixel_format", "depth"),
    [("yuv422p", 8), ("yuv444p", 8), ("bgr0", 8), ("yuv422p10le", 10), ("gray", 8), ("yuv420p12le", 10), ("bgra", 8)],
)
def test_other_formats_are_converted_with_a_warning(pixel_format: str, depth: int, bikes: Path, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", frames_of(bikes, pixel_format))
    with Reader(path) as reader:
        picture = next(iter(reader))
        assert reader.format.bit_depth == depth
        assert any(f"{depth}-bit 4:2:0" in warning for warning in reader.warnings)
        assert ("alpha is dropped" in reader.warnings) == (pixel_format == "bgra")
        assert reader.format.colour.matrix == (1 if pixel_format in ("bgr0", "bgra") else 2)
    assert picture.y.shape == (48, 64) and picture.u.shape == (24, 32)
    luma = frames_of(bikes, "yuv420p")[0].to_ndarray()[:48].astype(int)
    if pixel_format.startswith("yuv4"):
        assert np.abs((picture.y >> (depth - 8)).astype(int) - luma).max() <= 1


def test_rgb_becomes_bt709_limited_range(bikes: Path, tmp_path: Path) -> None:
    frames = frames_of(bikes, "gbrp", 1)
    rgb = frames[0].to_ndarray(format="rgb24").astype(float)
    with Reader(encode(tmp_path / "a.mkv", [frame.reformat(format="bgr0") for frame in frames])) as reader:
        (picture,) = reader
    luma = 16 + 219 / 255 * (rgb @ np.array([0.2126, 0.7152, 0.0722]))  # ITU-R BT.709, item 3
    assert np.abs(picture.y - luma).max() < 1.01
    blue = 128 + 224 / 255 * (rgb @ np.array([-0.114572, -0.385428, 0.5]))
    mean = blue.reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(picture.u - mean).mean() < 1


def test_a_grey_picture_has_neutral_chroma(bikes: Path, tmp_path: Path) -> None:
    frames = frames_of(bikes, "gray", 1)
    with Reader(encode(tmp_path / "a.mkv", frames)) as reader:
        (picture,) = reader
    assert np.array_equal(picture.y, frames[0].to_ndarray()) and np.all(picture.u == 128) and np.all(picture.v == 128)


def test_interlaced_video_is_refused_with_a_hint(bikes: Path, tmp_path: Path) -> None:
    options = {"x264-params": "tff=1", "preset": "ultrafast"}
    path = encode(tmp_path / "a.mkv", frames_of(bikes, "yuv420p"), "libx264", options=options)
    with pytest.raises(InputError, match="deinterlace"), Reader(path) as reader:
        list(reader)


def test_a_size_that_changes_is_refused(bikes: Path, tmp_path: Path) -> None:
    small = encode(tmp_path / "a.h264", frames_of(bikes, "yuv420p"), "libx264")
    large = encode(tmp_path / "b.h264", frames_of(bikes, "yuv420p", width=80), "libx264")
    both = tmp_path / "c.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(InputError, match="size changes from 64x48 to 80x48"), Reader(both) as reader:
        list(reader)


def test_missing_timestamps_are_made_up(bikes: Path, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.h264", frames_of(bikes, "yuv420p", 8), "libx264")
    with Reader(path) as reader:
        pictures = list(reader)
        step = 1 / (25 * reader.format.timebase)
    assert len(pictures) == 8
    gaps = np.diff([picture.pts for picture in pictures])
    assert np.all(gaps > 0) and abs(gaps.mean() - step) < step / 2


def test_damage_in_the_middle_costs_frames_not_the_video(bikes: Path, tmp_path: Path) -> None:
    data = bytearray(bikes.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    with Reader(path) as reader:
        assert len(list(reader)) > 200
        assert any("damaged" in warning for warning in reader.warnings)


def test_what_cannot_be_read_gives_one_line(bikes: Path, tmp_path: Path) -> None:
    empty, text, audio = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "audio.wav"
    empty.write_bytes(b"")
    text.write_text("no video here\n" * 10)
    with av.open(str(audio), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000)
        sound = av.AudioFrame("s16", "stereo", 800)
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(bikes.read_bytes()[:2000])
    for path, words in (
        (empty, "empty"),
        (text, "Invalid"),
        (audio, "no video"),
        (cut, "Invalid"),
        (tmp_path, "folder"),
        (tmp_path / "none.mp4", "no such file"),
    ):
        for attempt in (Reader, probe):
            with pytest.raises(InputError, match=words) as caught:
                attempt(path)
            assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_object_will_do(bikes: Path) -> None:
    with Reader(io.BytesIO(bikes.read_bytes()), limit=2) as reader:
        assert len(list(reader)) == 2


def test_a_sound_file_with_audio_gives_no_warning(bunny: Path) -> None:
    with Reader(bunny) as reader:
        assert sum(1 for _ in reader) == 132
        assert reader.tracks and not reader.warnings


def test_chapters_and_title_are_missed_aloud(bikes: Path, tmp_path: Path) -> None:
    frames = frames_of(bikes, "yuv420p")
    for count, title, wanted in (
        (2, "A film", "2 chapters and the title"),
        (1, "", "1 chapter"),
        (0, "B", "the title"),
    ):
        path = tmp_path / f"{count}.mkv"
        with av.open(str(path), "w") as container:
            every = [(i, {"title": f"Part {i}"}) for i in range(count)]
            container.set_chapters(
                [
                    {"id": i, "start": 40 * i, "end": 40 * i + 40, "time_base": Fraction(1, 1000), "metadata": about}
                    for i, about in every
                ]
            )
            container.metadata.update({"title": title} if title else {})
            stream = container.add_stream("ffv1", 25, width=64, height=48, pix_fmt="yuv420p")
            for frame in [*frames, None]:
                container.mux(stream.encode(frame))
        assert probe(path).warnings == [f"{wanted} of the file cannot be kept: dropped"]


@pytest.mark.parametrize(("codec", "show_frame", "name"), [("libvpx", 0x10, "b.webm"), ("libvpx-vp9", 0x02, "b.nut")])
def test_frames_that_are_not_shown_are_not_counted(
    codec: str, show_frame: int, name: str, bikes: Path, tmp_path: Path
) -> None:
    """VP8 and VP9 hold alternate references in packets of their own: here, copies of frames marked as not shown."""
    options = {"cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
    path = encode(tmp_path / "a.webm", frames_of(bikes, "yuv420p", 9), codec, options=options)
    with av.open(str(path)) as source, av.open(str(tmp_path / name), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if not packet.size:
                continue
            packet.stream = stream
            hidden = av.Packet(bytes([bytes(packet)[0] & ~show_frame]) + bytes(packet)[1:])
            hidden.stream, hidden.pts, hidden.dts = stream, packet.pts + 1, packet.dts + 1
            hidden.time_base = packet.time_base
            target.mux(packet)
            if index in (2, 4, 6, 7):
                target.mux(hidden)
    for copy, packets in ((path, 9), (tmp_path / name, 13)):
        with av.open(str(copy)) as container:
            assert sum(1 for p in container.demux(video=0) if p.size) == packets
        with Reader(copy) as reader:
            assert sum(1 for _ in reader) == probe(copy).frame_count == 9
