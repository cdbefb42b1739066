"""What the slider of a report shows: which pictures of which points, as many as a page may hold, and the first pair."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nvcodec.errors import InputError
from nvcodec.study.curves import METRICS, OURS, finite, natural
from nvcodec.study.report.album import Shot, byte_count, load, shots
from nvcodec.study.report.content import Content
from nvcodec.study.report.text import counted, megabytes, number, printable, significant


@dataclass(frozen=True)
class Picture:
    """A picture of a page. ``side`` is "left" or "right" in the pair that is seen first."""

    frame: int
    name: str  # what it is of, without the clip: "hnerv 10s q32"
    facts: str  # rate and quality
    here: str  # quality of this very frame
    uri: str
    width: int
    height: int
    side: str


@dataclass(frozen=True)
class Slides:
    """All pictures of a page by clip, and what a reader must know about those that it does not hold."""

    clips: tuple[tuple[str, tuple[Picture, ...]], ...]
    notes: tuple[str, ...]


def slides(content: Content) -> Slides:
    """The pictures of a report's rows; those furthest from a clip's common rate are left out first."""
    found, refused = shots(content.rows, content.shelf.folders)
    notes = [f"{counted(refused, 'picture')} left out: no name of a file in a folder of pictures."] if refused else []
    kept, problems, over = _kept(by_importance(found, content), content.shelf.most_bytes)
    if problems:
        notes.append(
            f"{counted(len(problems), 'picture')} left out: {printable(problems[0])}" + " ..." * (len(problems) > 1)
        )
    if over:
        limit = megabytes(content.shelf.most_bytes)
        notes.append(
            f"{over} of {counted(len(found), 'picture')} left out, because a page holds at most {limit} MB of them: "
            "of each curve those furthest from the rate of the first pair."
        )
    groups = [(clip, _pictures([shot for shot in kept if shot.clip == clip], kept, content)) for clip in content.clips]
    return Slides(tuple((clip, pictures) for clip, pictures in groups if pictures), tuple(notes))


def _kept(found: Iterable[Shot], most: int) -> tuple[dict[Shot, str], list[str], int]:
    """Pictures as data: URIs while there is room, why others cannot be shown, and how many have no room."""
    kept: dict[Shot, str] = {}
    problems: list[str] = []
    over = 0
    for shot in found:
        try:
            if (size := -(-byte_count(shot) // 3) * 4) > most:
                over += 1
                continue
            kind, data = load(shot)
        except InputError as error:
            problems.append(str(error))
            continue
        most -= size
        kept[shot] = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return kept, problems, over


def _pictures(found: Sequence[Shot], uris: dict[Shot, str], content: Content) -> tuple[Picture, ...]:
    """Of one clip, by frame; frames of which there is only one picture are left out."""
    order = {label: index for index, label in enumerate(content.labels)}
    first = first_frame(found)
    pictures: list[Picture] = []
    for frame in sorted({shot.frame for shot in found}):
        here = [shot for shot in found if shot.frame == frame]
        if len(here) < 2:
            continue
        pair = first_pair(here, content)
        here.sort(key=lambda s: (-1, 0.0) if s.row is None else (order[s.label], s.row.bpp))
        sides = {pair[0]: "left", pair[1]: "right"} if frame == first else {}
        pictures += [_picture(shot, uris[shot], sides.get(shot, ""), content) for shot in here]
    return tuple(pictures)


def _picture(shot: Shot, uri: str, side: str, content: Content) -> Picture:
    row, metric = shot.row, METRICS[content.metric]
    name, facts, here = "original", "", ""
    if row is not None:
        name = f"{row.label} {row.rate}".strip()
        quality = f"{number(getattr(row, content.metric), metric.digits)} {metric.unit}".rstrip()
        facts = f"{significant(row.bpp)} bpp, {quality}"
        values = row.per_frame.get(content.metric, [])
        if shot.frame < len(values) and (value := finite(values[shot.frame])) is not None:
            here = f"{number(value, metric.digits)} {metric.unit}".rstrip()
    width, height = shot.size
    return Picture(shot.frame, name, facts, here, uri, width or 0, height or 0, side)


def first_frame(found: Sequence[Shot]) -> int:
    """The middle one of the frames that have most pictures; -1 where there is none."""
    counts: dict[int, int] = {}
    for shot in found:
        counts[shot.frame] = counts.get(shot.frame, 0) + 1
    frames = sorted(frame for frame, count in counts.items() if count == max(counts.values()))
    return frames[(len(frames) - 1) // 2] if frames else -1


def first_pair(found: Sequence[Shot], content: Content) -> tuple[Shot, Shot]:
    """Of two pictures or more of one frame: ours at a medium rate, and the anchor's nearest in rate.

    Ours is the curve with the lowest mean BD-rate, or the last one. Where there is none of ours another curve stands
    for it, where there is no anchor another curve or the original.
    """
    coded = [shot for shot in found if shot.row is not None]
    originals = [shot for shot in found if shot.row is None]
    anchors = [shot for shot in coded if shot.label == content.anchor]
    others = [shot for shot in coded if shot.label != content.anchor]
    ours = [shot for shot in others if shot.row is not None and shot.row.family in OURS]
    if not others:
        return (originals[0], _middle(anchors)) if originals else (anchors[0], anchors[-1])
    label = min((shot.label for shot in ours or others), key=lambda label: _rank(label, content))
    left = _middle([shot for shot in others if shot.label == label])
    rest = anchors or [shot for shot in others if shot.label != label] or originals
    rest = rest or [shot for shot in others if shot is not left]
    return left, min(rest, key=lambda shot: _distance(shot, left))


def _middle(found: Sequence[Shot]) -> Shot:
    return sorted(found, key=lambda shot: (_rate(shot), shot.name))[len(found) // 2]


def _rank(label: str, content: Content) -> tuple[bool, float, int]:
    """Curves with a BD-rate first, the lowest before the others; then the last of the report's order."""
    table = content.main.table
    value = table.average(label).rate.by(table.method) if label in table.labels else None
    return value is None, value or 0.0, -content.labels.index(label)


def _rate(shot: Shot) -> float:
    return max(shot.row.bpp, 1e-9) if shot.row is not None else math.inf


def _distance(shot: Shot, other: Shot) -> float:
    """Between two rates, as a ratio; originals have none and are next to everything."""
    return 0.0 if shot.row is None or other.row is None else abs(math.log(_rate(shot) / _rate(other)))


def by_importance(found: Sequence[Shot], content: Content) -> list[Shot]:
    """First the pair and the original of every clip, then of each curve the point nearest to the pair's rate, the next
    nearest, and so on; a clip's other frames are two places behind its first one.
    """
    ranked: list[tuple[tuple[object, ...], Shot]] = []
    for clip in content.clips:
        of_clip = [shot for shot in found if shot.clip == clip]
        first = first_frame(of_clip)
        frames = sorted({shot.frame for shot in of_clip}, key=lambda frame: (abs(frame - first), frame))
        for late, frame in enumerate(frames):
            here = [shot for shot in of_clip if shot.frame == frame]
            if len(here) < 2:
                continue
            for shot, place in _places(here, first_pair(here, content)).items():
                ranked.append(((place + 2 * late, natural(clip), clip, late, natural(shot.label), shot.name), shot))
    return [shot for _, shot in sorted(ranked, key=lambda item: item[0])]


def _places(found: Sequence[Shot], pair: tuple[Shot, Shot]) -> dict[Shot, int]:
    """0 for the pair and the original, then each curve's points by their distance from the pair."""
    places: dict[Shot, int] = {}
    counts: dict[str, int] = {}
    for shot in sorted(found, key=lambda shot: (_distance(shot, pair[0]), shot.name)):
        counts[shot.label] = counts.get(shot.label, 0) + 1
        places[shot] = 0 if shot.row is None or shot in pair else counts[shot.label]
    return places
