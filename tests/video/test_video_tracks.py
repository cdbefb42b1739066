"""Passed-through tracks: packets byte for byte, timestamps, and headers that travel as bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import FormatError
from nvcodec.format import Packet, Track
from nvcodec.video import Reader, Writer, probe
from nvcodec.video.tracks import MAX_PARAMETERS, open_parameters, parse_attachment


def copy(source: Path, target: Path, limit: int | None = None) -> tuple[list[Track], list[Packet], list[str]]:
    """Source to target through Reader and Writer, packets interleaved as they come."""
    kept: list[Packet] = []
    with Reader(source, limit=limit) as reader, Writer(target, reader.format, tracks=reader.tracks) as writer:
        for picture in reader:
            packets = reader.take_packets()
            kept += packets
            writer.write_packets(packets)
            writer.write(picture)
        packets = reader.take_packets()
        writer.write_packets(packets)
    return reader.tracks, kept + packets, writer.warnings


def packets_of(path: Path, kind: str) -> list[tuple[bytes, Fraction]]:
    """(data, seconds) of each packet of the first track of a kind, by PyAV alone."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [(bytes(p), p.pts * p.time_base) for p in container.demux(stream) if p.size]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.nut"])
def test_audio_arrives_untouched(name: str, bunny: Path, tmp_path: Path) -> None:
    tracks, packets, warnings = copy(bunny, tmp_path / name, 25)
    assert warnings == [] and len(tracks) == 1 and len(packets) > 40
    there = packets_of(tmp_path / name, "audio")
    assert [data for data, _ in there] == [p.data for p in packets]
    exact = 0 if name != "a.mkv" else Fraction(1, 2000)  # Matroska counts in milliseconds
    for (_, seconds), packet in zip(there, packets, strict=True):
        assert packet.pts is not None and abs(seconds - packet.pts * tracks[0].timebase) <= exact
    with av.open(str(tmp_path / name)) as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.sample_rate, context.layout.name) == ("aac", 48000, "5.1")
        assert sum(frame.samples for frame in container.decode(audio=0)) > 40 * 1024


def test_packets_are_the_same_after_two_generations(bunny: Path, tmp_path: Path) -> None:
    _, first, _ = copy(bunny, tmp_path / "a.mkv", 10)
    _, second, _ = copy(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert [p.data for p in second] == [p.data for p in first]
    assert packets_of(tmp_path / "b.mp4", "audio")[0][0] == first[0].data


def with_audio(path: Path, video: Path, codec: str, layout: str = "stereo", rate: int = 48000) -> Path:
    """A short file with the video of a real clip and a tone coded by ``codec``."""
    with av.open(str(video)) as source, av.open(str(path), "w") as target:
        picture = target.add_stream_from_template(source.streams.video[0], opaque=True)
        sound = target.add_stream(codec, rate)
        sound.codec_context.layout = layout
        sound.codec_context.open()
        size = sound.codec_context.frame_size or 1024
        packets = [p for p, _ in zip(source.demux(video=0), range(12), strict=False)]
        for packet in packets:
            packet.stream = picture
            target.mux(packet)
        tone = (8000 * np.sin(np.arange(10 * size) / 20)).astype(np.float32) / 32768
        for start in range(0, len(tone), size):
            frame = av.AudioFrame.from_ndarray(np.stack([tone[start : start + size]] * 2), "fltp", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            frame = av.AudioResampler(sound.codec_context.format, layout, rate).resample(frame)[0]
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "source", "target"),
    [
        ("libmp3lame", "a.mkv", "b.mp4"),
        ("ac3", "a.mkv", "b.mp4"),
        ("flac", "a.mkv", "b.mkv"),
        ("libopus", "a.mkv", "b.nut"),
        ("pcm_s16le", "a.mov", "b.mkv"),
        ("pcm_s24le", "a.mkv", "b.mov"),
        ("mp2", "a.ts", "b.mkv"),
        ("ac3", "a.ts", "b.mp4"),
    ],
)
def test_many_audio_codecs_pass(codec: str, source: str, target: str, carphone: Path, tmp_path: Path) -> None:
    with_audio(tmp_path / source, carphone, codec)
    tracks, packets, warnings = copy(tmp_path / source, tmp_path / target)
    assert warnings == [] and [track.kind for track in tracks] == ["audio"] and packets
    got = packets_of(tmp_path / target, "audio")
    assert b"".join(data for data, _ in got) == b"".join(packet.data for packet in packets)
    with av.open(str(tmp_path / target)) as container:
        assert container.streams.audio[0].codec_context.name.removesuffix("float") == tracks[0].codec.removesuffix(
            "float"
        )
        assert sum(frame.samples for frame in container.decode(audio=0)) > 5000


def test_aac_from_a_transport_stream_keeps_its_sound(bunny: Path, tmp_path: Path) -> None:
    with av.open(str(bunny)) as source, av.open(str(tmp_path / "a.ts"), "w") as target:
        streams = [target.add_stream_from_template(s, opaque=True) for s in source.streams]
        for packet in source.demux():
            if packet.size and packet.pts * packet.time_base < 0.3:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    with av.open(str(bunny)) as source:
        bare = [bytes(p) for p in source.demux(audio=0)][:10]
    for name in ("b.mp4", "b.mkv"):
        _, _, warnings = copy(tmp_path / "a.ts", tmp_path / name)
        assert warnings == []
        assert [data for data, _ in packets_of(tmp_path / name, "audio")][:10] == bare  # without transport headers
        with av.open(str(tmp_path / name)) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > 8000


SUBTITLES = "1\n00:00:00,040 --> 00:00:00,400\nA bunny.\n\n2\n00:00:00,500 --> 00:00:00,900\n<i>Still</i> a bunny.\n\n"


@pytest.fixture(scope="session")
def rich(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Matroska file with video, German subtitles with a title, and an attached font of 1.5 MB."""
    path = tmp_path_factory.mktemp("rich") / "rich.mkv"
    text = path.with_suffix(".srt")
    text.write_text(SUBTITLES)
    with av.open(str(carphone)) as source, av.open(str(text)) as words, av.open(str(path), "w") as target:
        picture = target.add_stream_from_template(source.streams.video[0], opaque=True)
        lines = target.add_stream_from_template(words.streams[0])
        lines.metadata.update(language="ger", title="Für alle")
        target.add_attachment("font.ttf", "application/x-truetype-font", bytes(range(250)) * 6000)
        for container, stream in ((words, lines), (source, picture)):
            for packet in container.demux():
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
    return path


def test_subtitles_and_attachments_pass(rich: Path, tmp_path: Path) -> None:
    info = probe(rich)
    assert [(t.kind, t.language) for t in info.tracks] == [("subtitle", "ger"), ("attachment", "")]
    assert info.passthrough_bytes == 1_500_000 + len("A bunny.") + len("<i>Still</i> a bunny.")
    _, _, warnings = copy(rich, tmp_path / "b.mkv", 30)
    assert warnings == []
    wanted = [("A bunny.", Fraction(40, 1000)), ("<i>Still</i> a bunny.", Fraction(500, 1000))]
    assert [(data.decode(), at) for data, at in packets_of(tmp_path / "b.mkv", "subtitle")] == wanted
    with av.open(str(tmp_path / "b.mkv")) as container:
        lines = container.streams.subtitles[0]
        assert (lines.metadata["language"], lines.metadata["title"]) == ("ger", "Für alle")
        (font,) = (s for s in container.streams if s.type == "attachment")
        assert (font.name, font.mimetype) == ("font.ttf", "application/x-truetype-font")
        assert font.data == bytes(range(250)) * 6000


def test_what_a_container_cannot_hold_is_dropped_by_name(rich: Path, bunny: Path, tmp_path: Path) -> None:
    _, _, warnings = copy(rich, tmp_path / "b.mp4", 3)
    assert len(warnings) == 2 and all("dropped" in warning for warning in warnings)
    assert "subtitle track 0 (subrip, ger)" in warnings[0] or "subtitle track 0 (srt, ger)" in warnings[0]
    assert "attachment track 1" in warnings[1]
    _, _, warnings = copy(bunny, tmp_path / "b.webm", 3)
    assert warnings == ["audio track 0 (aac) is dropped: a webm file cannot hold it"]
    _, _, warnings = copy(bunny, tmp_path / "b.y4m", 3)
    assert warnings == ["audio track 0 (aac) is dropped: y4m holds no tracks"]


def test_parameters_are_the_same_bytes_every_time(bunny: Path) -> None:
    assert probe(bunny).tracks == probe(bunny).tracks
    assert len(probe(bunny).tracks[0].parameters) < 700


def test_packets_after_a_start_in_the_middle_of_time(bunny: Path, tmp_path: Path) -> None:
    """Video and audio keep one clock when the source does not start at zero."""
    with av.open(str(bunny)) as source, av.open(str(tmp_path / "late.mkv"), "w") as target:
        streams = [target.add_stream_from_template(s, opaque=True) for s in source.streams]
        for packet in source.demux():
            if packet.size and packet.pts * packet.time_base < Fraction(3, 10):
                late = int(Fraction(3) / packet.time_base)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    with Reader(tmp_path / "late.mkv") as reader:
        first = next(iter(reader))
        assert first.pts * reader.format.timebase == 3
        assert reader.take_packets()[0].pts == 3000
    copy(tmp_path / "late.mkv", tmp_path / "b.mp4")
    assert packets_of(tmp_path / "b.mp4", "audio")[0][1] == 3
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert next(container.decode(video=0)).time == 3


@pytest.fixture(scope="session")
def parameters(bunny: Path) -> bytes:
    return probe(bunny).tracks[0].parameters


def test_hostile_parameters_give_a_format_error(parameters: bytes) -> None:
    playlist = b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"
    for bad in (
        b"",
        b"\0",
        parameters[:40],
        b"hls\0" + playlist,
        b"concat\0ffconcat version 1.0\nfile /etc/passwd\n",
        b"mov\0" + playlist,
        parameters + bytes(MAX_PARAMETERS),
    ):
        with pytest.raises(FormatError) as caught:
            open_parameters(bad)
        assert "\n" not in str(caught.value)
    for bad in (b"attachment\0", b"attachment\0[]", b"attachment\0{", b"other\0{}", b"attachment\0" + b"[" * 100000):
        with pytest.raises(FormatError):
            parse_attachment(bad)


@given(st.data())
def test_changed_parameters_open_or_give_a_format_error(parameters: bytes, data: st.DataObject) -> None:
    changed = bytearray(parameters)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        open_parameters(bytes(changed)).close()
    except FormatError as error:
        assert "\n" not in str(error)


def bad_tracks() -> Sequence[Track]:
    return [Track("audio", "aac", Fraction(1, 48000), "", b"nonsense"), Track("attachment", "x", Fraction(1), "", b"")]


def test_tracks_with_bad_parameters_are_dropped_with_a_warning(carphone: Path) -> None:
    file = io.BytesIO()
    with (
        Reader(carphone, limit=2) as reader,
        Writer(file, reader.format, tracks=bad_tracks(), container="matroska") as writer,
    ):
        writer.write_packets([Packet(0, b"x", 0), Packet(1, b"x", 0)])
        for picture in reader:
            writer.write(picture)
        with pytest.raises(FormatError, match="track 7"):
            writer.write_packets([Packet(7, b"x", 0)])
    assert len(writer.warnings) == 2 and all("dropped" in warning for warning in writer.warnings)
