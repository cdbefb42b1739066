"""Published figures of other people's codecs, as rows of a study; what each file holds is in anchors/README.md.

A file of `eval/anchors` has ``dataset``, ``source``, ``licence``, ``conditions``, and two lists: ``curves``, points
with a rate, and ``regressions``, fits without one. An entry holds its points in columns of equal length, and
whatever differs from the file's own ``source`` and ``confidence``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nvcodec.errors import InputError
from nvcodec.study.rows import Row

FOLDER = Path(__file__).with_name("anchors")
AVERAGE = "average"  # the clip of figures that are means over a dataset's sequences
CONFIDENCE = ("primary", "digitised", "recalled")  # read in a source; off a chart, about 0.1 dB; from memory

_MEASURES = ("psnr_y", "psnr_u", "psnr_v", "psnr_yuv", "psnr_rgb")
_POINTS = ("rate", "bpp", "kbps", *_MEASURES, *(f"{name}_of_mse" for name in _MEASURES), "ms_ssim", "encode_minutes")
_FITS = ("parameters", "epochs", "psnr_rgb", "encode_hours")
_WORDS = ("clip", "codec", "configuration", "source", "confidence", "encode_gpu")
_SIZES = ("width", "height", "frames")


@dataclass(frozen=True)
class Regression:
    """A published fit without rate: how well a network of ``parameters`` shows a clip after ``epochs``."""

    clip: str
    codec: str
    width: int
    height: int
    frames: int | None
    parameters: int
    epochs: int
    psnr_rgb: float  # dB
    encode_hours: float | None
    source: str
    confidence: str


def datasets() -> list[str]:
    """The names that figures can be had for."""
    return sorted({str(document["dataset"]) for document in _documents()})


def published_rows(dataset: str) -> list[Row]:
    """All points with a rate of "bunny" or "uvg"; of UVG by sequence, and means over the seven under `AVERAGE`.

    The picture's size stands first in ``configuration``, what was not read in its source last, in brackets. RGB and
    YUV measures are in fields of their own, as are means of frames and PSNRs of mean errors.

    Raises:
        InputError: no such dataset, or a file of figures is broken.
    """
    return [row for document in _of(dataset) for entry in document.get("curves", []) for row in _rows(document, entry)]


def published_regressions(dataset: str) -> list[Regression]:
    """All fits without a rate.

    Raises:
        InputError: as `published_rows`.
    """
    found = []
    for document in _of(dataset):
        for entry in document.get("regressions", []):
            facts: dict[str, Any] = {name: entry.get(name, document.get(name)) for name in ("source", "confidence")}
            facts |= {name: entry[name] for name in ("clip", "codec", "width", "height")}
            facts |= {"frames": entry.get("frames"), "encode_hours": None}
            found += [Regression(**{**facts, **point}) for point in _points(entry, _FITS)]
    return found


def _of(dataset: str) -> list[Mapping[str, Any]]:
    found = [document for document in _documents() if document["dataset"] == dataset]
    if not found:
        raise InputError(f"no published figures of {dataset!r}; there are: {', '.join(datasets())}")
    return found


@cache
def _documents() -> tuple[Mapping[str, Any], ...]:
    return tuple(read_document(path) for path in sorted(FOLDER.glob("*.json")))


def read_document(path: Path) -> dict[str, Any]:
    """One file of figures, checked: every entry has its words, and columns of equal length.

    Raises:
        InputError: it is something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise InputError(f"{path.name}: not a file of JSON") from None
    if not isinstance(document, dict):
        raise InputError(f"{path.name}: not a file of published figures")
    for name in ("dataset", "source", "licence", "conditions"):
        if not isinstance(document.get(name), str):
            raise InputError(f"{path.name}: {name} is missing")
    for part, columns in (("curves", _POINTS), ("regressions", _FITS)):
        entries = document.get(part, [])
        for entry in entries if isinstance(entries, list) else [entries]:
            if (why := _wrong(entry, columns, document)) is not None:
                raise InputError(f"{path.name}: {why}")
    return document


def _wrong(entry: Any, columns: tuple[str, ...], document: Mapping[str, Any]) -> str | None:
    """Why this is no entry with these columns, or None."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in ("clip", "codec")):
        return f"an entry lacks its clip or codec: {entry!s:.60}"
    if unknown := entry.keys() - {*columns, *_WORDS, *_SIZES}:
        return f"{sorted(unknown)[0]!r} is nothing that an entry has"
    if entry.get("confidence", document.get("confidence")) not in CONFIDENCE:
        return f"the confidence of {entry['codec']!r} is none of {', '.join(CONFIDENCE)}"
    given = [entry[name] for name in columns if name in entry]
    if not given or not all(isinstance(column, list) and len(column) == len(given[0]) for column in given):
        return f"the columns of {entry['codec']!r} are not lists of one length"
    return None


def _points(entry: Mapping[str, Any], columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    names = [name for name in columns if name in entry]
    for values in zip(*(entry[name] for name in names), strict=True):
        yield dict(zip(names, values, strict=True))


def _rows(document: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[Row]:
    dataset, confidence = document["dataset"], entry.get("confidence", document.get("confidence"))
    size = f"{entry['width']}x{entry['height']}" if "width" in entry else ""
    said = (size, entry.get("configuration", ""), "" if confidence == "primary" else f"[{confidence}]")
    facts: dict[str, Any] = {name: entry[name] for name in _SIZES if name in entry}
    facts |= {"clip": entry["clip"], "codec": entry["codec"], "configuration": ", ".join(filter(None, said))}
    facts["source"] = "; ".join(filter(None, (document["source"], entry.get("source"), document["conditions"])))
    for point in _points(entry, _POINTS):
        point.pop("encode_minutes", None)  # on hardware of their own: no curve to lay beside ours
        rate = point.setdefault("rate", f"{point['bpp']:g} bpp")
        point.update(_weighed(point))
        key = f"published {dataset} {entry['clip']} {entry['codec']} {facts['configuration']} {rate}"
        yield Row.from_dict({**facts, **point, "family": "published", "key": key})


def _weighed(point: Mapping[str, Any]) -> dict[str, float]:
    """6:1:1 of the planes where a source gives the planes only."""
    out = {}
    for kind in ("", "_of_mse"):
        planes = [point.get(f"psnr_{plane}{kind}") for plane in "yuv"]
        if f"psnr_yuv{kind}" not in point and all(isinstance(value, (int, float)) for value in planes):
            y, u, v = (float(value) for value in planes if value is not None)
            out[f"psnr_yuv{kind}"] = (6 * y + u + v) / 8
    return out
