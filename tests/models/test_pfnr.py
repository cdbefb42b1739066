"""PFNR's network: the Fourier sub-operator is a convolution of the lowest frequencies; published counts."""

import pytest
import torch

from nvcodec.models.pfnr import PFNR, FourierOperator, PFNRConfig, is_shared


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
def test_the_operator_is_a_product_of_spectra(stride, size):
    torch.manual_seed(0)
    modes, (rows, columns) = 3, size
    operator = FourierOperator(4, 5, stride, modes)
    x = torch.randn(2, 4, rows, columns)
    spectrum = torch.fft.fft2(x.double()) / (rows * columns)
    high, wide = rows * stride, columns * stride
    shown = torch.zeros(2, 5, high, wide, dtype=torch.complex128)
    weight = torch.complex(operator.real.double(), operator.imaginary.double())
    for k in range(1 - modes, modes):
        for j in range(modes):
            product = torch.einsum("oc,nc->no", weight[:, :, k + modes - 1, j], spectrum[:, :, k, j])
            shown[:, :, k, j] += product
    wanted = (torch.fft.ifft2(shown) * high * wide).real
    assert torch.allclose(operator(x).double(), wanted, atol=1e-5)


def test_the_published_backbone():
    """NeRV-L of 720p (PFNR, sec. 4: grid 9x16, 112 channels, strides 5 2 2 2 2, floor 96), without the operator."""
    config = PFNRConfig((9, 16), 112, (5, 2, 2, 2, 2), 96, 1, 512, 1.25, 40, 3, "silu", 1, 0)
    with torch.device("meta"):
        network = PFNR(config)
    assert sum(p.numel() for p in network.parameters()) == 12_524_563
    assert config.growth().windows


def test_what_is_shared():
    with torch.device("meta"):
        network = PFNR(PFNRConfig((2, 3), 8, (2, 2)))
    own = [name for name, _ in network.named_parameters() if not is_shared(name)]
    assert own == ["stem.0.bias", "stem.2.bias", "stages.0.conv.bias", "stages.1.conv.bias", "head.weight", "head.bias"]
    assert not network.config.growth().windows
