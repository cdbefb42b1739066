"""One finished point of a study: a line of JSON, whose fields docs/studies.md explains."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nvcodec.errors import InputError

SCHEMA = 1
FAMILIES = ("fitted", "trained", "classical", "published")


@dataclass(frozen=True)
class Row:
    """A codec at one rate on one clip. Rows of one ``clip`` and one ``label`` are a rate-distortion curve.

    Means over frames are of the frames' values; ``*_of_mse`` are PSNRs of the mean error. None: not measured, or not
    defined (MS-SSIM below 161 pixels, times of a published figure). ``per_frame`` holds a list a measure, by index.
    """

    clip: str
    codec: str  # "hnerv", "x265", or a published name
    configuration: str  # all that tells two curves of one codec apart: "fast", "2m", "medium random-access"
    rate: str  # the dial's setting: "q32", "crf28"
    bpp: float  # 8 x video_bytes / (width x height x frames); 0 of a point that failed
    key: str = ""
    schema: int = SCHEMA
    family: str = "classical"
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: float | None = None
    bit_depth: int | None = None
    bytes: int | None = None
    video_bytes: int | None = None
    kbps: float | None = None
    psnr_y: float | None = None
    psnr_u: float | None = None
    psnr_v: float | None = None
    psnr_yuv: float | None = None  # (6Y + U + V) / 8
    psnr_rgb: float | None = None
    psnr_y_of_mse: float | None = None
    psnr_u_of_mse: float | None = None
    psnr_v_of_mse: float | None = None
    psnr_yuv_of_mse: float | None = None
    psnr_rgb_of_mse: float | None = None
    psnr_yuv_min: float | None = None
    worst_frame: int | None = None
    ssim: float | None = None  # RGB
    ms_ssim: float | None = None  # RGB
    ms_ssim_db: float | None = None  # -10 log10(1 - ms_ssim)
    vmaf: float | None = None
    encode_seconds: float | None = None  # wall clock from process start
    decode_seconds: float | None = None  # the same, a fresh process that writes raw pictures
    decode_fps: float | None = None
    encode_peak_bytes: int | None = None
    decode_peak_bytes: int | None = None
    measure_seconds: float | None = None
    threads: int | None = None  # of encoder and decoder
    jobs: int | None = None  # points that ran at once: times of rows with more than one are not for citing
    encoder: str = ""
    command: str = ""
    decode_command: str = ""
    commit: str = ""
    version: str = ""
    machine: str = ""
    started: str = ""  # UTC, ISO 8601
    source: str = ""  # of a published figure
    notes: str = ""  # what the encoder warned of
    error: str = ""  # why the point failed; such a row has no measures
    per_frame: dict[str, list[float | None]] = field(default_factory=dict)  # psnr_y ... vmaf, and "bits"
    groups: list[dict[str, int]] = field(default_factory=list)  # first_frame, frames, bits
    pictures: dict[str, str] = field(default_factory=dict)  # frame index: file, relative to the folder of the results
    source_pictures: dict[str, str] = field(default_factory=dict)  # the original's, in the same way

    @property
    def label(self) -> str:
        """The curve's name: codec and configuration."""
        return f"{self.codec} {self.configuration}".strip()

    def as_dict(self) -> dict[str, Any]:
        """All fields that say something, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "", [], {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """The inverse; fields that a later version added are left out.

        Raises:
            InputError: a field is missing or of another type than it must be.
        """
        known = {f.name: f for f in fields(cls)}
        given = {name: value for name, value in values.items() if name in known}
        if missing := [n for n in ("clip", "codec") if n not in given]:
            raise InputError(f"a row of results lacks {missing[0]!r}")
        given = {"configuration": "", "rate": "", "bpp": 0.0, **given}
        for name, value in given.items():
            if not _fits(str(known[name].type), value):
                raise InputError(f"{name} of a row of results cannot be {value!r:.60}")
        return cls(**given)


def _fits(annotation: str, value: Any) -> bool:
    if value is None:
        return "None" in annotation
    if annotation.startswith("float"):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation.startswith("int"):
        return isinstance(value, int) and not isinstance(value, bool)
    kinds: dict[str, type] = {"str": str, "dict": dict, "list": list}
    return isinstance(value, next(kind for name, kind in kinds.items() if annotation.startswith(name)))


def read_rows(paths: Iterable[str | Path]) -> list[Row]:
    """The rows of JSON-lines files, failed points left out, the last row of a key only.

    Lines that a killed run cut short, which are no JSON, are passed over; the points are run again by the next call.

    Raises:
        InputError: a file is missing, holds no rows, or holds something else.
    """
    return [row for row, _ in _read(paths).values() if not row.error]


def read_folders(paths: Iterable[str | Path]) -> dict[str, Path]:
    """The folder of the file that the row of each key stands in, as `read_rows` takes it.

    Raises:
        InputError: as `read_rows`.
    """
    return {row.key: path.parent for row, path in _read(paths).values() if row.key}


def _read(paths: Iterable[str | Path]) -> dict[str, tuple[Row, Path]]:
    found: dict[str, tuple[Row, Path]] = {}
    for path in map(Path, paths):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: {getattr(error, 'strerror', None) or 'not a text file'}") from None
        torn = 0
        for number, line in enumerate(lines, 1):
            row = _parse(line, f"{path}:{number}")
            torn += row is None
            if row is not None:
                found[row.key or f"{path}:{number}"] = row, path
        if torn == len(lines):
            raise InputError(f"{path}: holds no row of results")
    return found


def _parse(line: str, where: str) -> Row | None:
    """The row of a line, or None of one that is no JSON."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        raise InputError(f"{where}: not a row of results")
    try:
        return Row.from_dict(values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
