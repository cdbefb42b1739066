"""Passed-through tracks: streams to opaque bytes and back to templates that a muxer takes.

``Track.parameters`` is a short name of a container format, a zero byte, and a file of that format
that has the track's header and no media. The bytes may come from a hostile .nvc: their length is
limited, only three demuxers may see them, and these may open no other file.
"""

from __future__ import annotations

import io
import json
from fractions import Fraction
from typing import Any

import av
from av.container import Flags, InputContainer
from av.stream import AttachmentStream, Stream

from nvcodec.errors import FormatError
from nvcodec.format import Packet, Track

MAX_PARAMETERS = 1 << 20
KINDS = ("audio", "subtitle", "attachment")
_ATTACHMENT = "attachment"
# Matroska and NUT want one packet before their header can be read back; fragmented MOV wants none.
_CARRIERS: dict[str, tuple[dict[str, str], bool]] = {
    "matroska": ({}, True),
    "mov": ({"movflags": "empty_moov+frag_keyframe"}, False),
    "nut": ({}, True),
}
BITEXACT: Any = Flags.bitexact.value  # no random identifiers, no dates: the same input gives the same bytes
_KEPT_METADATA = ("title", "language")


def track_from_stream(stream: Stream) -> tuple[Track | None, list[Packet]]:
    """The track, or None where nothing can carry it; and the packets known at once (attachments)."""
    if isinstance(stream, AttachmentStream):
        return _attachment(stream)
    context: Any = stream.codec_context
    if context is None:  # there is no decoder, and PyAV makes templates of streams with one only
        return None, []
    for carrier in _CARRIERS:
        parameters = _pack(stream, carrier)
        if parameters is not None and _carries(parameters, stream):
            return Track(stream.type, context.name, _timebase(stream), _language(stream), parameters), []
    return None, []


def _attachment(stream: AttachmentStream) -> tuple[Track | None, list[Packet]]:
    about = json.dumps({"name": stream.name or "attachment", "mimetype": stream.mimetype or ""})
    parameters = f"{_ATTACHMENT}\0{about}".encode()
    track = Track(_ATTACHMENT, stream.mimetype or "data", Fraction(1, 1000), "", parameters)
    return track, [Packet(-1, stream.data)]


def _timebase(stream: Stream) -> Fraction:
    return Fraction(stream.time_base or Fraction(1, 1000))


def _language(stream: Stream) -> str:
    language = stream.metadata.get("language", "")
    return "" if language == "und" else language[:16]


def _pack(stream: Stream, carrier: str) -> bytes | None:
    options, wants_packet = _CARRIERS[carrier]
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format=carrier, options=options) as container:
            container.flags |= BITEXACT
            copy = add_template(container, stream)
            container.start_encoding()
            if wants_packet:
                packet = av.Packet(bytes(4))
                packet.pts = packet.dts = 0
                packet.stream, packet.time_base = copy, Fraction(1, 1000)
                container.mux(packet)
    except (av.FFmpegError, ValueError, OSError):
        return None
    parameters = carrier.encode() + b"\0" + buffer.getvalue()
    return parameters if len(parameters) <= MAX_PARAMETERS else None


def _carries(parameters: bytes, stream: Stream) -> bool:
    """Whether the header, read back, says what the stream says."""
    try:
        with open_parameters(parameters) as container:
            return _essence(container.streams[0]) == _essence(stream)
    except FormatError:
        return False


def _essence(stream: Stream) -> tuple[Any, ...]:
    context: Any = stream.codec_context
    if context is None:
        return (stream.type,)
    sound = (context.sample_rate, context.layout.nb_channels) if stream.type == "audio" else ()
    return stream.type, context.name, bytes(context.extradata or b""), *sound


def open_parameters(parameters: bytes) -> InputContainer:
    """Open the header bytes of a track; its only stream is a template. Raises FormatError."""
    if len(parameters) > MAX_PARAMETERS:
        raise FormatError(f"the parameters of a track are over the limit of {MAX_PARAMETERS} bytes")
    name, _, header = parameters.partition(b"\0")
    carrier = name.decode("ascii", "replace")
    if carrier not in _CARRIERS:
        raise FormatError("the parameters of a track are in an unknown format")
    try:
        container = av.open(io.BytesIO(header), "r", format=carrier, io_open=_refuse, metadata_errors="replace")
    except (av.FFmpegError, ValueError, OSError, OverflowError) as error:
        raise FormatError("the parameters of a track cannot be read") from error
    if len(container.streams) != 1 or container.streams[0].type not in KINDS:
        container.close()
        raise FormatError("the parameters of a track hold no single track")
    return container


def _refuse(*_: Any) -> Any:
    raise PermissionError("a track header may open no file")


def parse_attachment(parameters: bytes) -> tuple[str, str]:
    """File name and MIME type of an attachment track. Raises FormatError."""
    name, _, about = parameters[:MAX_PARAMETERS].partition(b"\0")
    try:
        fields = json.loads(about) if name == _ATTACHMENT.encode() else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise FormatError("the parameters of an attachment cannot be read")
    return str(fields.get("name", "attachment"))[:1024], str(fields.get("mimetype", ""))[:255]


def add_template(container: Any, template: Stream, language: str = "") -> Stream:
    """Add a stream like ``template`` to an output container; ValueError where it cannot hold one."""
    stream: Stream = container.add_stream_from_template(template)
    kept = {key: template.metadata[key] for key in _KEPT_METADATA if template.metadata.get(key)}
    if language:
        kept["language"] = language
    stream.metadata.update(kept)
    stream.disposition = template.disposition
    return stream


def to_packet(packet: Packet, stream: Stream, timebase: Fraction) -> av.Packet[Any]:
    """A PyAV packet for muxing into ``stream``."""
    result: av.Packet[Any] = av.Packet(packet.data)
    result.stream = stream
    result.time_base = timebase
    result.pts = packet.pts
    result.dts = packet.dts if packet.dts is not None else packet.pts
    result.duration = packet.duration
    result.is_keyframe = packet.keyframe
    return result


def track_name(index: int, track: Track) -> str:
    """How warnings call a track."""
    language = f", {track.language}" if track.language else ""
    return f"{track.kind} track {index} ({track.codec}{language})"
