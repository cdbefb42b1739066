"""Which rows are of one clip: cuts of it told apart, published figures joined to what was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from nvcodec.study.rows import Row

PUBLISHED = "published"
DIFFER = "conditions differ"  # begins the source of a figure that does not say what pictures it is of


def cuts(rows: Iterable[Row]) -> dict[str, list[tuple[int, int, int]]]:
    """Width, height and frames that rows of a clip were measured at, for every clip that has more than one of them."""
    found: dict[str, dict[tuple[int, int, int], None]] = {}
    for row in rows:
        if row.family != PUBLISHED and not row.error and (shape := _shape(row)) is not None:
            found.setdefault(row.clip, {})[shape] = None
    return {clip: list(shapes) for clip, shapes in found.items() if len(shapes) > 1}


def told_apart(rows: Iterable[Row]) -> list[Row]:
    """The rows; where those of a clip are of different pictures (``--frames``, ``--crop``), its name says which."""
    rows = list(rows)
    several = cuts(rows)

    def named(row: Row) -> Row:
        shape = _shape(row) if row.clip in several and row.family != PUBLISHED and not row.error else None
        return row if shape is None else replace(row, clip=f"{row.clip} ({cut_text(*shape)})")

    return [named(row) for row in rows] if several else rows


def cut_text(width: int, height: int, frames: int) -> str:
    """ "352x288, 21 frames"."""
    return f"{width}x{height}, {frames} frame{'' if frames == 1 else 's'}"


def _shape(row: Row) -> tuple[int, int, int] | None:
    if row.width is None or row.height is None or row.frames is None:
        return None
    return row.width, row.height, row.frames


def joined(rows: Iterable[Row]) -> list[Row]:
    """All rows, `told_apart`; published figures under the names of the clips that were measured here, others left out.

    A published figure is of a clip with its very name, or, where there is none, of every clip whose name begins with it
    as in ``Beauty_1920x1080_120fps_420_8bit_YUV.yuv``; not of one of another size or of another number of frames. Where
    size or frames are not known, the figure's ``source`` begins with `DIFFER`. Where nothing was measured, all rows
    are given.
    """
    rows = told_apart(rows)
    measured = {row.clip: row for row in rows if row.family != PUBLISHED}
    if not measured:
        return rows
    found: list[Row] = []
    for row in rows:
        if row.family != PUBLISHED:
            found.append(row)
        else:
            found += [_marked(replace(row, clip=clip), measured[clip]) for clip in _homes(row, measured)]
    return found


def _marked(figure: Row, beside: Row) -> Row:
    """The figure, with `DIFFER` before its source where it cannot be known whether it is of the same pictures."""
    sides = {"size": ("width", "height"), "frames": ("frames",)}
    unknown = [
        what for what, names in sides.items() if any(None in (getattr(r, n) for r in (figure, beside)) for n in names)
    ]
    if not unknown or figure.source.startswith(DIFFER):
        return figure
    mark = f"{DIFFER}: {' and '.join(unknown)} not stated"
    return replace(figure, source=f"{mark}; {figure.source}" if figure.source else mark)


def _homes(figure: Row, measured: Mapping[str, Row]) -> list[str]:
    """Clips that a published figure is of."""

    def same_pictures(row: Row) -> bool:
        sides = ((figure.width, row.width), (figure.height, row.height), (figure.frames, row.frames))
        return all(None in pair or pair[0] == pair[1] for pair in sides)

    same = [clip for clip, row in measured.items() if same_pictures(row)]
    exact = [clip for clip in same if clip == figure.clip or clip.startswith(f"{figure.clip} (")]
    return exact or [clip for clip in same if re.split(r"[_.]", clip)[0].casefold() == figure.clip.casefold()]
