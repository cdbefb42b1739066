from dataclasses import replace

import numpy as np
import pytest

from nvcodec.errors import UsageError
from nvcodec.metrics import FrameMetrics, SequenceMetrics, psnr_from_mse, psnr_rgb, psnr_yuv


def planes(seed: int, bits: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bits == 8 else np.uint16
    return tuple(rng.integers(0, 1 << bits, s).astype(dtype) for s in ((8, 12), (4, 6), (4, 6)))  # type: ignore


def test_frame_metrics_equal_the_plain_functions():
    a, b = planes(0), planes(1)
    rgb = tuple(np.random.default_rng(s).integers(0, 256, (8, 12, 3), np.uint8) for s in (2, 3))
    frame = FrameMetrics.of(a, b, rgb=rgb)
    assert frame.psnr_yuv == psnr_yuv(a, b)
    assert frame.psnr_rgb == psnr_rgb(*rgb)
    assert frame.ms_ssim is None


def test_sequence_keeps_both_means():
    sequence = SequenceMetrics()
    for error in (1.0, 9.0):
        sequence.add(FrameMetrics(error, error, error, mse_rgb=error))
    result = sequence.result()
    mean_of_psnr = (psnr_from_mse(1.0) + psnr_from_mse(9.0)) / 2
    assert result.frames == 2
    assert result.psnr_yuv == pytest.approx(mean_of_psnr)
    assert result.psnr_rgb == pytest.approx(mean_of_psnr)
    assert result.psnr_yuv_of_mse == result.psnr_rgb_of_mse == pytest.approx(psnr_from_mse(5.0))
    assert result.psnr_y_of_mse == result.psnr_u_of_mse == result.psnr_v_of_mse == pytest.approx(psnr_from_mse(5.0))
    assert result.ssim is result.ms_ssim is result.ms_ssim_db is None
    assert result.mse_yuv == 5.0
    assert (result.psnr_yuv_min, result.worst_frame) == (psnr_from_mse(9.0), 1)
    assert result.as_dict()["psnr_yuv"] == result.psnr_yuv


def test_ten_bit_errors_come_out_on_the_eight_bit_scale():
    sequence = SequenceMetrics()
    sequence.add(FrameMetrics.of(planes(0, 10), planes(1, 10), bit_depth=10))
    single = FrameMetrics.of(planes(0, 10), planes(1, 10), bit_depth=10)
    assert sequence.result().mse_yuv == pytest.approx((6 * single.mse_y + single.mse_u + single.mse_v) / 8 / 16)


def test_merging_equals_adding():
    frames = [FrameMetrics(e, e / 2, e / 3, mse_rgb=e, ssim=1 - e / 10, ms_ssim=0.9) for e in (1.0, 4.0, 2.0, 7.0, 3.0)]
    whole, first, second = SequenceMetrics(), SequenceMetrics(), SequenceMetrics()
    for i, frame in enumerate(frames):
        whole.add(frame)
        (first if i < 2 else second).add(frame)
    first.merge(second)
    merged, expected = first.result().as_dict(), whole.result().as_dict()
    assert merged == pytest.approx(expected)
    assert merged["worst_frame"] == 3


def test_decibels_are_of_the_mean_ms_ssim():
    sequence = SequenceMetrics()
    for value in (0.98, 1.0):
        sequence.add(FrameMetrics(1.0, 1.0, 1.0, ssim=value - 0.1, ms_ssim=value))
    result = sequence.result()
    assert (result.ssim, result.ms_ssim, result.ms_ssim_db) == pytest.approx((0.89, 0.99, 20.0))


def test_only_what_is_asked_for_is_measured():
    rgb = tuple(np.random.default_rng(s).integers(0, 256, (170, 164, 3), np.uint8) for s in (2, 3))
    yuv = planes(0), planes(1)
    both = FrameMetrics.of(*yuv, rgb=rgb)
    assert both.ssim is not None and both.ms_ssim is not None
    assert FrameMetrics.of(*yuv, rgb=rgb, with_ms_ssim=False) == replace(both, ms_ssim=None)
    assert FrameMetrics.of(*yuv, rgb=rgb, with_ssim=False) == replace(both, ssim=None)
    neither = FrameMetrics.of(*yuv, rgb=rgb, with_ssim=False, with_ms_ssim=False)
    assert neither == replace(both, ssim=None, ms_ssim=None)


def test_a_mean_over_some_frames_only_is_none():
    sequence = SequenceMetrics()
    sequence.add(FrameMetrics(1.0, 1.0, 1.0, mse_rgb=1.0, ms_ssim=0.9))
    sequence.add(FrameMetrics(1.0, 1.0, 1.0))
    assert sequence.result().psnr_rgb is None
    assert sequence.result().ms_ssim is None


def test_refuses_nothing_and_mixtures():
    with pytest.raises(UsageError):
        SequenceMetrics().result()
    sequence, other = SequenceMetrics(), SequenceMetrics()
    sequence.add(FrameMetrics(1.0, 1.0, 1.0))
    ten_bit = FrameMetrics(1.0, 1.0, 1.0, bit_depth=10)
    with pytest.raises(UsageError):
        sequence.add(ten_bit)
    other.add(ten_bit)
    with pytest.raises(UsageError):
        sequence.merge(other)
