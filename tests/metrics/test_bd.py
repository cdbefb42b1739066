import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import UsageError
from nvcodec.metrics import bd_psnr, bd_rate
from nvcodec.metrics.bd import METHODS, PiecewiseCubic

X265 = ([0.0312, 0.0587, 0.1104, 0.2153, 0.4022], [31.9, 34.1, 36.2, 38.3, 40.1])
OURS = ([0.0281, 0.0566, 0.1201, 0.2340, 0.4407], [32.2, 34.4, 36.6, 38.2, 40.3])


@pytest.mark.parametrize("method", METHODS)
def test_agrees_with_the_bjontegaard_package(method):
    oracle = pytest.importorskip("bjontegaard")
    options = {"method": method, "require_matching_points": False, "min_overlap": 0}
    assert bd_rate(*X265, *OURS, method).value == pytest.approx(oracle.bd_rate(*X265, *OURS, **options), abs=1e-3)
    assert bd_psnr(*X265, *OURS, method).value == pytest.approx(oracle.bd_psnr(*X265, *OURS, **options), abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_interpolation_agrees_with_scipy(method, seed):
    interpolate = pytest.importorskip("scipy.interpolate")
    rng = np.random.default_rng(seed)
    x, y = np.cumsum(rng.uniform(0.1, 2, 7)), rng.normal(size=7)
    theirs = {"akima": interpolate.Akima1DInterpolator, "pchip": interpolate.PchipInterpolator}[method](x, y)
    ours = PiecewiseCubic(x, y, method)
    at = np.linspace(x[0], x[-1], 101)
    np.testing.assert_allclose(ours(at), theirs(at), atol=1e-10)
    low, high = x[0] + 0.3 * (x[1] - x[0]), x[-2] + 0.1
    assert ours.integral(low, high) == pytest.approx(float(theirs.integrate(low, high)), abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_factor_is_found_exactly(method):
    rate, quality = X265
    cheaper = [0.9 * r for r in rate]
    delta = bd_rate(rate, quality, cheaper, quality, method)
    assert delta.value == pytest.approx(-10, abs=1e-9)
    assert (delta.overlap, delta.low, delta.high) == (1.0, quality[0], quality[-1])
    assert bd_rate(rate, quality, rate, quality, method).value == pytest.approx(0, abs=1e-12)
    better = [q + 0.5 for q in quality]
    assert bd_psnr(rate, quality, rate, better, method).value == pytest.approx(0.5, abs=1e-9)


def test_overlap_is_reported():
    rate, quality = [1.0, 2.0, 4.0], [30.0, 32.0, 34.0]
    delta = bd_rate(rate, quality, rate, [33.0, 35.0, 37.0])
    assert delta.overlap == pytest.approx(1 / 7)
    assert (delta.low, delta.high) == (33.0, 34.0)


@pytest.mark.parametrize("method", METHODS)
@given(st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.05, 3)), min_size=2, max_size=8))
def test_passes_through_the_points_and_pchip_stays_monotone(method, steps):
    x, y = (np.cumsum([s[i] for s in steps]) for i in (0, 1))
    curve = PiecewiseCubic(x, y, method)
    np.testing.assert_allclose(curve(x), y, atol=1e-8)
    if method == "pchip":
        assert (np.diff(curve(np.linspace(x[0], x[-1], 57))) >= -1e-9).all()


@pytest.mark.parametrize(
    ("rate", "quality"),
    [
        ([1, 2], [30, 31]),
        ([1, 2, 3], [30, 31]),
        ([0, 1, 2], [30, 31, 32]),
        ([1, 2, 3], [30, 29, 32]),
        ([1, 1, 3], [30, 31, 32]),
        ([1, 2, 3], [30, float("nan"), 32]),
        ([1, 2, 3], [50, 51, 52]),
    ],
)
def test_refuses_what_has_no_delta(rate, quality):
    with pytest.raises(UsageError):
        bd_rate(*X265, rate, quality)


def test_refuses_an_unknown_method():
    with pytest.raises(UsageError):
        bd_rate(*X265, *OURS, method="spline")
