"""Which rows are of one clip: cuts, and published figures."""

from dataclasses import replace

import pytest

from nvcodec.study.curves import curves
from nvcodec.study.deltas import bd_table
from nvcodec.study.joining import cuts, joined, told_apart
from nvcodec.study.rows import Row

UVG = "Beauty_1920x1080_120fps_420_8bit_YUV.yuv"


def row(codec, index, clip=UVG, **more):
    given = {"width": 1920, "height": 1080, "frames": 600, "psnr_yuv": 30.0 + index, **more}
    return Row(clip, codec, "", f"q{index}", 0.1 * 2**index, f"{clip} {codec} {index} {more}", **given)


def published(clip="Beauty", **more):
    return row("HM", 1, clip, family="published", **more)


def test_cuts_of_one_clip_are_never_one_curve():
    whole, short = ([row(codec, i, frames=n) for codec in ("a", "b") for i in range(3)] for n in (600, 96))
    rows = [*whole, *short]
    assert cuts(rows) == {UVG: [(1920, 1080, 600), (1920, 1080, 96)]} and cuts(whole) == {}
    names = {f"{UVG} (1920x1080, {n} frames)" for n in (600, 96)}
    found = curves(rows)
    assert len(found) == 4 and all(len(curve.rows) == 3 for curve in found) and {c.clip for c in found} == names
    assert {cell.clip for cell in bd_table(rows, "a").cells} == names
    assert told_apart(told_apart(rows)) == told_apart(rows) and told_apart(whole) == whole


def test_rows_that_failed_or_do_not_say_keep_their_clip():
    rows = [row("a", 1), row("a", 2, frames=96), row("a", 3, error="failed"), row("a", 4, width=None)]
    assert [told.clip == UVG for told in told_apart(rows)] == [False, False, True, True]


@pytest.mark.parametrize("name", ["Beauty", "beauty", UVG])
def test_a_published_figure_joins_the_sequence_of_its_name(name):
    ours = row("a", 1)
    assert joined([ours, published(name)]) == [ours, replace(published(name), clip=UVG)]


@pytest.mark.parametrize("name", ["Beau", "Beauty_1920x1080", "average", "", "Bosphorus"])
def test_other_names_do_not_join(name):
    assert joined([row("a", 1), published(name)]) == [row("a", 1)]


def test_the_very_name_goes_before_its_begin_and_size_must_agree():
    ours, exact = row("a", 1), row("a", 1, "Beauty")
    assert [r.clip for r in joined([ours, exact, published()])] == [UVG, "Beauty", "Beauty"]
    assert joined([ours, published(width=960)]) == [ours]
    unknown = published(width=None, height=None)
    assert len(joined([ours, unknown])) == 2


def test_a_figure_joins_the_cut_of_its_size_and_frames():
    rows = [row("a", 1), row("a", 1, frames=96), row("a", 1, width=960), published()]
    assert [r.clip.split(", ")[-1] for r in joined(rows) if r.family == "published"] == ["600 frames)"]
    assert len(joined([*rows[:2], published(UVG)])) == 3
    assert joined([row("a", 1, frames=96), published()]) == [row("a", 1, frames=96)]


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({}, {"frames": None}, "conditions differ: frames not stated; a paper"),
        ({"frames": None}, {}, "conditions differ: frames not stated; a paper"),
        ({}, {"frames": None, "height": None}, "conditions differ: size and frames not stated; a paper"),
        ({}, {}, "a paper"),
    ],
)
def test_a_figure_of_unknown_pictures_joins_with_a_mark(ours, theirs, said):
    found = joined([row("a", 1, **ours), published(source="a paper", **theirs)])
    assert found[-1].source == said and found[-1].clip == UVG
    assert joined(found) == found


def test_unknown_frames_join_every_cut_and_are_marked():
    found = joined([row("a", 1), row("a", 1, frames=96), published(frames=None)])
    assert [r.source for r in found if r.family == "published"] == ["conditions differ: frames not stated"] * 2


def test_only_published_figures_are_renamed():
    rows = [row("a", 1), row("a", 1, "Beauty")]
    assert joined(rows) == rows
