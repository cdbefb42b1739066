"""``nvcodec.info`` and ``nvcodec.verify``: what a file says, and whether it is whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from nvcodec.api import files
from nvcodec.api.groups import GroupOpener
from nvcodec.api.settings import OnProgress, Progress
from nvcodec.codecs.registry import codec_name, get_codec
from nvcodec.container import GroupEntry, Library, is_library, open_library
from nvcodec.container import Reader as NvcReader
from nvcodec.container.describe import describe_header, describe_track
from nvcodec.container.limits import UNLIMITED
from nvcodec.errors import FormatError, NvcodecError, UnsupportedError
from nvcodec.hardware import tune_allocator


def info(source: str | Path) -> dict[str, Any]:
    """What ``source`` says of itself, as plain data for JSON; reads no payload, so no limit
    holds: what is too costly to decode can still be listed. Raises FormatError and its kin.

    A library of several videos has ``videos``, a list of what one video would say, and what is true of them all.
    """
    files.check_source(source, pipe=False)
    with files.open_source(source) as file, files.named(source):
        if not is_library(file):
            return {"path": str(source), **_facts(NvcReader(file, limits=UNLIMITED))}
        library = open_library(file, limits=UNLIMITED)
        videos = [_facts(library.video(header.video or 0)) for header in library.videos]
        if len(library) == 1:
            return {"path": str(source), **videos[0]}
        return {
            "path": str(source),
            "codec": videos[0]["codec"],
            "file_size": library.file_size,
            "videos": [{"number": h.video, **facts} for h, facts in zip(library.videos, videos, strict=True)],
            "truncated": library.truncated,
            "damage": [asdict(damage) for damage in library.damage],
        }


def _facts(reader: NvcReader) -> dict[str, Any]:
    """Of one video."""
    header = reader.header
    try:
        codec = codec_name(header.codec_id)
    except UnsupportedError:
        codec = f"unknown ({header.codec_id})"
    samples = header.format.width * header.format.height * reader.frame_count
    video_bytes = reader.file_size - reader.passthrough_bytes
    rate = header.format.frame_rate
    return {
        "codec": codec,
        "frames": reader.frame_count,
        "duration": float(reader.frame_count / rate) if rate else None,  # seconds
        "file_size": reader.file_size,
        "video_bytes": video_bytes,
        "bpp": 8 * video_bytes / samples if samples else None,
        "format": describe_header(header),
        "groups": [_group(reader, index, entry) for index, entry in enumerate(reader.groups)],
        "tracks": [describe_track(track) for track in reader.tracks],
        "metadata": reader.metadata,
        "truncated": reader.truncated,
        "damage": [asdict(damage) for damage in reader.damage],
    }


def _group(reader: NvcReader, index: int, entry: GroupEntry) -> dict[str, Any]:
    out: dict[str, Any] = {
        "number": entry.number, "first_frame": entry.first_frame, "frame_count": entry.frame_count,
        "depends_on": entry.depends_on, "bytes": entry.length, "damaged": entry.damaged,
    }  # fmt: skip
    try:
        config = reader.read_head(index).config
        codec = get_codec(codec_name(reader.header.codec_id))
        cost = codec.cost(config, reader.header.format, entry.frame_count)
        describe = getattr(codec, "describe", None)  # a codec need not tell
        network = describe(config, reader.header.format, entry.frame_count) if describe else {}
    except FormatError as error:
        return out | {"error": str(error)}
    return out | {"parameters": cost.parameters, "macs_per_pixel": cost.macs_per_pixel, "network": network}


@dataclass
class VerifyReport:
    """What :func:`verify` found. ``pictures_differ`` lists groups whose pictures are not the encoder's to the bit;
    those without a picture hash are neither there nor in ``pictures_ok``.

    A difference is no error: float rounding differs between machines (bitstream/SPEC.md states the tolerance).
    """

    chunks: int = 0
    groups: int = 0
    symbols_ok: int = 0
    pictures_ok: int = 0
    pictures_differ: list[int] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    truncated: bool = False
    unreadable: list[str] = field(default_factory=list)  # what this program lacks: a codec, weights

    @property
    def ok(self) -> bool:
        return not self.damage and not self.truncated and not self.unreadable


def verify(source: str | Path, on_progress: OnProgress | None = None) -> VerifyReport:
    """Check every CRC, every symbol hash and every picture hash of ``source``.

    Groups of a codec or of weights that are not here are ``unreadable``, which is no damage. Raises FormatError for a
    file that is none.
    """
    files.check_source(source, pipe=False)
    tune_allocator()
    report = VerifyReport()
    with files.open_source(source) as file:
        with files.named(source):
            library = open_library(file) if is_library(file) else None
            readers = _videos(file, library, report)
        opener = GroupOpener()
        for reader in readers:
            _verify_video(reader, opener, report, on_progress)
            opener.next_video()
    report.damage = list(dict.fromkeys(report.damage))
    report.unreadable = list(dict.fromkeys(report.unreadable))
    return report


def _videos(file: BinaryIO, library: Library | None, report: VerifyReport) -> list[NvcReader]:
    """Readers of all videos; what is known to be lost of a library is reported."""
    if library is None:
        return [NvcReader(file)]
    report.damage += [damage.message for damage in library.damage]
    return [library.video(header.video or 0) for header in library.videos]


def _verify_video(
    reader: NvcReader, opener: GroupOpener, report: VerifyReport, on_progress: OnProgress | None
) -> None:
    report.chunks += sum(1 for _ in reader.verify())
    first, report.groups = report.groups, report.groups + len(reader.groups)
    for index in range(len(reader.groups)):
        _verify_group(reader, index, opener, report, on_progress, first)
    report.damage[:0] = [d.message for d in reader.damage]
    report.truncated |= reader.truncated


def _verify_group(
    reader: NvcReader,
    index: int,
    opener: GroupOpener,
    report: VerifyReport,
    on_progress: OnProgress | None,
    first: int,  # group of the video, among all that are verified
) -> None:
    entry = reader.groups[index]
    if on_progress is not None:
        on_progress(Progress(entry.first_frame, reader.frame_count, index))
    if entry.damaged or any(damage.offset == entry.offset for damage in reader.damage):
        return
    try:
        opened = opener.open(reader.header, reader.read_group(index))
    except UnsupportedError as error:
        report.unreadable.append(str(error))
        return
    except NvcodecError as error:
        report.damage.append(str(error))
        return
    report.symbols_ok += 1
    if not any(opened.group.picture_hash):  # all zeros: none was given
        opened.picture_hash()  # they can be decoded, at least
    elif opened.picture_hash() == opened.group.picture_hash:
        report.pictures_ok += 1
    else:
        report.pictures_differ.append(first + index)
