import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.errors import UsageError
from nvcodec.metrics import PSNR_CAP, bpp, mse, peak_value, psnr, psnr_from_mse, psnr_rgb, psnr_yuv


def picture(shape: tuple[int, ...], seed: int, bits: int = 8) -> np.ndarray:
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(seed).integers(0, 1 << bits, shape).astype(dtype)


def test_mse_does_not_wrap_unsigned_samples():
    dark, bright = np.zeros((4, 6), np.uint8), np.full((4, 6), 255, np.uint8)
    assert mse(dark, bright) == mse(bright, dark) == 255**2
    assert mse(np.zeros((2, 2), np.uint16), np.full((2, 2), 1023, np.uint16)) == 1023**2


def test_mse_is_exact_over_many_strips():
    a, b = picture((1500, 1501), 0), picture((1500, 1501), 1)
    exact = int(((a.astype(np.int64) - b.astype(np.int64)) ** 2).sum())
    assert mse(a, b) == exact / a.size


def test_mse_of_strided_views():
    a, b = picture((8, 10, 3), 0), picture((8, 10, 3), 1)
    assert mse(a[..., 1], b[..., 1]) == mse(a[..., 1].copy(), b[..., 1].copy())


def test_psnr_known_values():
    a = np.zeros((10, 10), np.uint8)
    assert psnr(a, a + 1) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(a.astype(np.uint16), (a + 4).astype(np.uint16), 10) == pytest.approx(
        20 * math.log10(1023 / 4), abs=1e-9
    )
    assert psnr(a, a) == PSNR_CAP == 100.0
    assert psnr_from_mse(1e-12) == PSNR_CAP


def test_psnr_yuv_weights_planes_six_one_one():
    y, u, v = np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8)
    worse = (y + 1, u + 2, v)
    expected = (6 * psnr(y, worse[0]) + psnr(u, worse[1]) + 100.0) / 8
    assert psnr_yuv((y, u, v), worse) == pytest.approx(expected, abs=1e-12)
    assert psnr_yuv((y, u, v), (y, u, v)) == 100.0


def test_psnr_rgb_pools_the_channels():
    a = np.zeros((4, 4, 3), np.uint8)
    b = a.copy()
    b[..., 0] = 3
    assert psnr_rgb(a, b) == pytest.approx(psnr_from_mse(3.0))
    with pytest.raises(UsageError):
        psnr_rgb(a[..., 0], b[..., 0])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)),
        (np.zeros((0, 2), np.uint8), np.zeros((0, 2), np.uint8)),
    ],
)
def test_mse_refuses(a, b):
    with pytest.raises(UsageError):
        mse(a, b)


@given(st.integers(1, 16))
def test_peak(bits):
    assert peak_value(bits) == 2**bits - 1


def test_peak_refuses_impossible_depths():
    with pytest.raises(UsageError):
        peak_value(0)


def test_bpp():
    assert bpp(1000, 10, 10, 8) == 10.0
    assert bpp(0, 10, 10, 8) == 0.0
    for bad in ((1, 0, 1, 1), (1, 1, 1, 0), (-1, 1, 1, 1)):
        with pytest.raises(UsageError):
            bpp(*bad)
