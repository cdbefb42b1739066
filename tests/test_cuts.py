"""Cuts of scenes in a row of pictures that is read once."""

import numpy as np
import pytest

from nvcodec.cuts import CutFinder


def cuts_of(pictures) -> list[int]:
    finder = CutFinder(pictures[0])
    return [
        t
        for t in range(1, len(pictures))
        if finder.is_cut(pictures[t], pictures[t + 1] if t + 1 < len(pictures) else None)
    ]


@pytest.fixture(scope="module")
def clips(planes_of, carphone, bikes, bunny):
    """10 frames of three clips, 160x128 out of the middle."""

    def middle(planes):
        rows, columns = planes[0].shape
        top, left = (rows - 128) // 2, (columns - 160) // 2
        return (planes[0][top : top + 128, left : left + 160],)

    return [[middle(planes) for planes in planes_of(source, 10)] for source in (carphone, bikes, bunny)]


def test_no_cut_in_a_scene(clips):
    assert [cuts_of(clip) for clip in clips] == [[], [], []]


def test_every_change_of_clips_is_a_cut(clips):
    for a in range(3):
        for b in {0, 1, 2} - {a}:
            assert cuts_of(clips[a] + clips[b]) == [10]
    assert cuts_of(clips[0] + clips[1] + clips[2]) == [10, 20]


def test_the_cuts_of_a_whole_clip(planes_of, bikes):
    pictures = planes_of(bikes)
    assert cuts_of(pictures) == [30, 76, 137, 187, 242]


def test_a_flash_is_no_cut(clips):
    white = (np.full((128, 160), 235, np.uint8),)
    assert cuts_of([*clips[0][:5], white, *clips[0][5:]]) == []


def test_pictures_too_small_to_tell(clips):
    assert cuts_of([(p[0][:32, :32],) for p in clips[0] + clips[1]]) == []


def test_ten_bits_are_cut_alike(clips):
    wide = [(p[0].astype(np.uint16) * 4,) for p in clips[0] + clips[2]]
    assert cuts_of(wide) == [10]
