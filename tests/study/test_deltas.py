from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvcodec.errors import UsageError
from nvcodec.metrics.bd import METHODS
from nvcodec.study.deltas import bd_table
from nvcodec.study.rows import Row
from nvcodec.study.times import time_deltas, time_points

RATES, PSNRS = (0.0312, 0.0587, 0.1104, 0.2153, 0.4022), (31.9, 34.1, 36.2, 38.3, 40.1)
OTHER = ((0.0281, 0.0566, 0.1201, 0.2340, 0.4407), (32.2, 34.4, 36.6, 38.2, 40.3))


def points(label, rates=RATES, psnrs=PSNRS, clip="a", seconds=None, **more):
    codec, _, configuration = label.partition(" ")
    return [
        Row(clip, codec, configuration, f"q{i}", rate, psnr_yuv=psnr, frames=10, encode_seconds=seconds, **more)
        for i, (rate, psnr) in enumerate(zip(rates, psnrs, strict=True))
    ]


@pytest.mark.parametrize("method", METHODS)
def test_per_sequence_then_averaged_as_the_bjontegaard_package(method):
    oracle = pytest.importorskip("bjontegaard")
    options = {"method": method, "require_matching_points": False, "min_overlap": 0}
    second = ([1.3 * r for r in OTHER[0]], [p - 0.4 for p in OTHER[1]])
    rows = [*points("x265 medium"), *points("x265 medium", clip="b"), *points("ours 2m", *OTHER),
            *points("ours 2m", *second, clip="b")]  # fmt: skip
    table = bd_table(rows, "x265 medium", "psnr_yuv", method)
    assert (table.clips, table.labels) == (("a", "b"), ("ours 2m",))
    expected = [oracle.bd_rate(RATES, PSNRS, *curve, **options) for curve in (OTHER, second)]
    found = [table.cell(clip, "ours 2m").rate.by(method) for clip in "ab"]
    assert found == pytest.approx(expected, abs=1e-3)
    average = table.average("ours 2m")
    assert average.rate.by(method) == pytest.approx(sum(expected) / 2, abs=1e-3) and average.clips == average.of == 2
    decibels = [oracle.bd_psnr(RATES, PSNRS, *curve, **options) for curve in (OTHER, second)]
    assert average.quality.by(method) == pytest.approx(sum(decibels) / 2, abs=1e-4)


def test_a_clip_without_overlap_is_named_and_left_out():
    low = [p - 20 for p in PSNRS]
    rows = [*points("x265 medium"), *points("x265 medium", clip="b"), *points("x265 medium", clip="c"),
            *points("ours", [0.9 * r for r in RATES]), *points("ours", psnrs=low, clip="b")]  # fmt: skip
    average = (table := bd_table(rows, "x265 medium")).average("ours")
    assert average.rate.akima == pytest.approx(-10) and (average.clips, average.of) == (1, 3)
    assert average.missing == (("b", "no shared quality"), ("c", "no points"))
    assert table.cell("b", "ours").quality.akima == pytest.approx(-20)  # at equal rate there is a range
    assert (average.quality_clips, average.rate.overlap) == (2, 1.0)


def test_published_curves_join_where_they_give_the_metric():
    paper = points("paper", [0.5 * r for r in RATES], family="published")
    rows = [*points("x265 medium"), *paper, *points("elsewhere", clip="z", family="published")]
    table = bd_table(rows, "x265 medium")
    assert (table.clips, table.labels) == (("a",), ("paper",))
    assert table.cell("a", "paper").rate.akima == pytest.approx(-50)
    assert bd_table(rows, "x265 medium", "vmaf").labels == ()


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("ours", "only 1 point, and 3 are needed"),
        ("x265 medium", "the anchor has only 1 point, and 3 are needed"),
    ],
)
def test_too_few_points_are_said(label, said):
    rows = [*points("x265 medium"), *points("ours")]
    few = [row for row in rows if row.label != label or row.rate == "q0"]
    assert bd_table(few, "x265 medium").cell("a", "ours").rate.why == said
    falling = [replace(row, psnr_yuv=30 - row.bpp) if row.label == label else row for row in rows]
    why = bd_table(falling, "x265 medium").cell("a", "ours").rate.why
    assert why.startswith("only 1 of ") and why.endswith("5 points rise in quality with rate; 3 must")


def test_interpolations_that_disagree():
    shape = ((0.011, 0.037, 0.2155), (37.38, 41.11, 41.85))
    rows = [*points("x265 medium", (0.003, 0.005, 0.012, 0.033), (35.4, 40.25, 44.9, 49.3)), *points("ours", *shape)]
    assert bd_table(rows, "x265 medium").cell("a", "ours").rate.disputed
    rows = [*points("x265 medium"), *points("ours", *OTHER)]
    assert not bd_table(rows, "x265 medium").cell("a", "ours").rate.disputed


def test_failed_rows_do_not_count():
    rows = [*points("x265 medium"), *points("ours", [0.9 * r for r in RATES])]
    broken = Row("c", "ours", "", "q0", 0.0, error="it failed")
    assert bd_table([*rows, broken], "x265 medium") == bd_table(rows, "x265 medium")


@pytest.mark.parametrize(("arguments", "said"), [
    (("x265 medum",), "did you mean x265 medium"), (("x265 medium", "psnr"), "no metric 'psnr'"),
    (("x265 medium", "vmaf", "spline"), "unknown interpolation"),
])  # fmt: skip
def test_what_there_is_not_is_said(arguments, said):
    with pytest.raises(UsageError, match=said):
        bd_table(points("x265 medium"), *arguments)


steps = st.lists(st.tuples(st.floats(1.05, 4), st.floats(0.05, 5)), min_size=3, max_size=8)


@given(steps, st.floats(1e-4, 1), st.sampled_from(METHODS))
@settings(max_examples=50, deadline=None)
def test_a_curve_that_is_a_tenth_smaller_gives_minus_ten_percent(found, start, method):
    rates, psnrs = [start], [30.0]
    for factor, rise in found:
        rates.append(rates[-1] * factor)
        psnrs.append(psnrs[-1] + rise)
    rows = [*points("x265 medium", rates, psnrs), *points("ours", [0.9 * r for r in rates], psnrs)]
    cell = bd_table(rows, "x265 medium", method=method).cell("a", "ours")
    assert cell.rate.by(method) == pytest.approx(-10, abs=1e-6) and cell.rate.overlap == 1.0


numbers = st.one_of(st.none(), st.floats(), st.floats(0, 60), st.sampled_from([0.1, 0.1 + 1e-17, 1.0, 10**400, -1]))


@given(st.lists(st.tuples(numbers, numbers, numbers, st.sampled_from(["x265 medium", "ours 1m", "ours 2m"]))))
@settings(max_examples=100, deadline=None)
def test_degenerate_curves_never_raise(found):
    rows = [replace(points(label)[0], rate=f"q{i}", bpp=0.0 if bpp is None else bpp, psnr_yuv=psnr, encode_seconds=time)
            for i, (bpp, psnr, time, label) in enumerate(found)]  # fmt: skip
    rows.append(points("x265 medium")[0])
    for cell in bd_table(rows, "x265 medium").cells:
        for delta in (cell.rate, cell.quality):
            assert (delta.akima is None) == (delta.pchip is None) == bool(delta.why)
    for delta in time_deltas(rows, "x265 medium"):
        assert (delta.value is None) == bool(delta.why)


def efforts(codec, timed, clip="a", **more):
    """Labels of one codec, each as (seconds a frame, rate at equal quality / the anchor's)."""
    return [row for i, (seconds, ratio) in enumerate(timed) for row in
            points(f"{codec} e{i}", [ratio * r for r in RATES], clip=clip, seconds=10 * seconds, **more)]  # fmt: skip


def test_rate_saved_at_equal_encode_seconds():
    anchor = points("x265 medium", seconds=10 * 1.0)
    ours = efforts("ours", [(1, 4.0), (100, 1.0)], family="fitted")  # log ratio falls by 0.301 a decade
    theirs = efforts("theirs", [(10, 2.0), (1000, 2.0)], family="fitted")
    found = {(d.codec, d.reference, d.clip): d for d in time_deltas([*anchor, *ours, *theirs], "x265 medium")}
    delta = found["ours", "theirs", "a"]
    # shared time: 10 to 100 s; there ours goes from 2.0 to 1.0, theirs stays at 2.0: a mean of sqrt(1/2)
    assert delta.value == pytest.approx(100 * (0.5**0.5 - 1)) and (delta.low, delta.high) == pytest.approx((10, 100))
    assert delta.overlap == pytest.approx(1 / 3)
    single = found["ours", "x265", "a"]  # x265 has one effort, at a time that ours covers
    assert single.value == pytest.approx(300) and (single.overlap, single.low) == (0.0, pytest.approx(1.0))
    assert found["theirs", "x265", "a"].why == "no shared time" == found["theirs", "x265", ""].why
    assert found["ours", "theirs", ""].value == pytest.approx(delta.value)


def test_mean_over_clips_of_time_deltas():
    rows = [row for clip, ratio in (("a", 2.0), ("b", 4.0)) for row in (
        *points("x265 medium", clip=clip, seconds=10), *efforts("ours", [(0.5, ratio), (2, ratio)], clip))]  # fmt: skip
    rows += [*points("x265 medium", clip="c", seconds=10), *efforts("ours", [(2, 1.0), (4, 1.0)], "c")]
    mean = [delta for delta in time_deltas(rows, "x265 medium") if not delta.clip]
    assert [(d.codec, d.reference, d.clips, d.of) for d in mean] == [("ours", "x265", 2, 3)]
    assert mean[0].value == pytest.approx(200)


def test_low_delay_is_another_codec_and_no_effort():
    rows = [*points("x265 medium", seconds=10), *points("x265 medium low-delay", [2 * r for r in RATES], seconds=10)]
    found = time_points(rows, "x265 medium")
    assert [(p.codec, p.label, p.ratio) for p in found] == [
        ("x265", "x265 medium", 1.0), ("x265 low-delay", "x265 medium low-delay", pytest.approx(2.0))]  # fmt: skip
    (delta, mean) = time_deltas(rows, "x265 medium")
    assert (delta.codec, delta.reference, delta.value) == ("x265", "x265 low-delay", pytest.approx(-50))
    assert mean.clips == 1
