import subprocess
import sys

import pytest

from nvcodec.errors import UsageError
from nvcodec.study.curves import (
    clips,
    curves,
    default_anchor,
    finite,
    labels,
    newest,
    seconds_a_frame,
)
from nvcodec.study.joining import joined
from nvcodec.study.rows import Row


def row(codec, configuration, rate, bpp, psnr, clip="a.mp4", **more):
    return Row(clip, codec, configuration, rate, bpp, psnr_yuv=psnr, **{"frames": 10, **more})


def test_points_are_sorted_and_beaten_ones_dropped():
    rows = [row("x265", "medium", f"crf{i}", bpp, psnr)
            for i, (bpp, psnr) in enumerate([(0.4, 39), (0.1, 34), (0.2, 33.5), (0.2, 37), (0.3, 37)])]  # fmt: skip
    (curve,) = curves(rows)
    assert (curve.clip, curve.label, curve.codec, curve.family) == ("a.mp4", "x265 medium", "x265", "classical")
    assert (curve.rates, curve.qualities) == ([0.1, 0.2, 0.4], [34.0, 37.0, 39.0])
    assert [(r.bpp, r.psnr_yuv) for r in curve.dropped] == [(0.2, 33.5), (0.3, 37)]


def test_what_is_no_point_is_on_no_curve():
    rows = [row("x265", "medium", "crf1", 0.1, None), row("x265", "medium", "crf2", 0.0, 30.0),
            row("x265", "medium", "crf3", float("nan"), 30.0), row("x265", "medium", "crf4", 0.1, float("inf")),
            row("x265", "medium", "crf5", 0.1, 30.0, error="it failed")]  # fmt: skip
    assert curves(rows) == []


def test_the_last_row_of_a_point_counts():
    rows = [row("x265", "medium", "crf28", 0.1, 30.0), row("x265", "medium", "crf28", 0.11, 31.0, machine="another")]
    assert newest(rows) == rows[1:]
    published = [row("HM", "", "", bpp, 30 + bpp, family="published") for bpp in (1.0, 2.0)]
    assert newest(published) == published


def test_order_of_labels_and_clips():
    rows = [row("x265", "veryslow", "a", 1, 1, encode_seconds=90), row("published", "", "a", 1, 1, family="published"),
            row("x265", "medium", "a", 1, 1, encode_seconds=9), row("hnerv", "2m", "a", 1, 1, "b10", family="fitted",
            encode_seconds=120), row("hnerv", "fast", "a", 1, 1, "b9", family="fitted", encode_seconds=20)]  # fmt: skip
    assert labels(rows) == ["hnerv fast", "hnerv 2m", "x265 medium", "x265 veryslow", "published"]
    assert clips(rows) == ["a.mp4", "b9", "b10"]
    assert default_anchor(rows) == "x265 medium"
    assert default_anchor(rows[:1]) == "x265 veryslow"
    assert default_anchor(rows[3:]) == "hnerv fast"
    assert default_anchor([row("x264", "medium", "a", 1, 1), rows[3]]) == "x264 medium"
    assert default_anchor([row("x265", "medium random-access", "a", 1, 1), rows[0]]) == "x265 medium random-access"
    with pytest.raises(UsageError):
        default_anchor([])


def test_published_figures_join_where_their_clip_was_measured():
    size = {"width": 8, "height": 8}
    ours, same = row("hnerv", "fast", "q1", 1, 1, **size), row("HM", "", "", 1, 1, family="published", **size)
    other = row("HM", "", "", 1, 1, "Beauty", family="published", **size)
    assert joined([ours, same, other]) == [ours, same]
    assert joined([same, other]) == [same, other]


def test_time_of_a_curve_is_the_geometric_mean():
    rows = [row("x265", "medium", str(i), i, i, encode_seconds=seconds) for i, seconds in ((1, 10.0), (2, 40.0))]
    assert curves(rows)[0].seconds_a_frame == pytest.approx(2.0)
    assert curves([*rows, row("x265", "medium", "3", 3, 3)])[0].seconds_a_frame is None
    assert seconds_a_frame(row("x265", "medium", "3", 3, 3, encode_seconds=0.0)) is None


def test_numbers_that_are_none():
    assert finite(3) == 3.0 and isinstance(finite(3), float)
    assert finite(0) == 0.0
    assert [finite(value) for value in (None, True, "3", float("nan"), float("-inf"), 10**400, 1e300, 1e-300)] == [
        None
    ] * 8


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean psnr_yuv"):
        curves([], "psnr_yuf")


def test_curves_need_neither_torch_nor_matplotlib():
    code = "import sys, nvcodec.study.curves; sys.exit(bool({'torch', 'matplotlib', 'av'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
