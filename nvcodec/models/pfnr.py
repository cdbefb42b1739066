"""PFNR: Progressive Fourier Neural Representation for sequential video compilation (Kang et al., ICLR 2024).

A network of time alone as NeRV's, with one stage that convolves in the frequency domain, too: its *Fourier
sub-operator*. Several videos share its large weights, each by a mask of its own; :func:`is_shared` says which weights.
Of all frequencies of a map only the lowest are weighted, so that there are few weights however large the map is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nvcodec.models.blocks import UpBlock, make_activation, positional_encoding
from nvcodec.models.growth import Growth, Window, grow
from nvcodec.models.nerv import NeRVConfig


@dataclass(frozen=True)
class PFNRConfig(NeRVConfig):
    """Shape of the shared network."""

    min_width: int = 12
    fourier_stage: int = 1  # which stage has the sub-operator
    modes: int = 2  # frequencies of each direction, 0 among them; 0: no sub-operator

    @property
    def fourier_shape(self) -> tuple[int, int, int, int]:
        """Of the weights' real parts, and of their imaginary ones."""
        stage = self.growth().stages[self.fourier_stage]
        return stage.c_out, stage.c_in, 2 * self.modes - 1, self.modes

    def growth(self) -> Growth:
        return replace(super().growth(), windows=not self.modes)


def is_shared(name: str) -> bool:
    """Whether videos share a parameter, each by a mask: biases and the head are every video's own."""
    return not name.startswith("head.") and not name.endswith(".bias")


def waves(frequencies: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of ``2 pi f x / cells``: (F,) -> (F, cells) float32 each."""
    places = torch.arange(cells, dtype=torch.float64, device=frequencies.device)
    angles = frequencies[:, None].double() * places * (2 * math.pi / cells)
    return angles.cos().float(), angles.sin().float()


def _across(weight: Tensor, spectrum: Tensor) -> Tensor:
    """Each wave's channels by its matrix: (c_out, c_in, K, L), (N, c_in, K, L) -> (N, c_out, K, L)."""
    return torch.einsum("ockl,nckl->nokl", weight, spectrum)


class FourierOperator(nn.Module):
    """A map's lowest frequencies, weighted across channels by complex numbers, as a larger map (PFNR, sec. 3.3).

    (N, c_in, h, w) -> (N, c_out, h * stride, w * stride). Frequencies are -modes < k < modes by rows and
    0 <= l < modes by columns.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, modes: int) -> None:
        super().__init__()
        self.stride, self.modes = stride, modes
        shape = c_out, c_in, 2 * modes - 1, modes
        self.real, self.imaginary = (nn.Parameter(torch.empty(shape)) for _ in range(2))
        bound = (1.5 / c_in) ** 0.5
        for part in (self.real, self.imaginary):
            nn.init.uniform_(part, -bound, bound)  # not normal: on device "meta" that would import a compiler

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        real, imaginary = self._spectrum(x)
        shown = _across(self.real, real) - _across(self.imaginary, imaginary)
        turned = _across(self.real, imaginary) + _across(self.imaginary, real)
        return self._map(shown, turned, rows * self.stride, columns * self.stride)

    def _waves(self, like: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        up = torch.arange(1 - self.modes, self.modes, device=like.device)
        along = torch.arange(self.modes, device=like.device)
        cos_r, sin_r, cos_c, sin_c = (w.to(like.dtype) for w in (*waves(up, rows), *waves(along, columns)))
        return cos_r, sin_r, cos_c, sin_c

    def _spectrum(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts of the means of ``x`` times each wave, (N, c_in, 2 modes - 1, modes)."""
        rows, columns = x.shape[-2:]
        cos_r, sin_r, cos_c, sin_c = self._waves(x, rows, columns)
        even, odd = x @ cos_c.T / columns, x @ sin_c.T / columns  # (N, c_in, rows, modes)
        return (cos_r @ even - sin_r @ odd) / rows, -(sin_r @ even + cos_r @ odd) / rows

    def _map(self, real: Tensor, imaginary: Tensor, rows: int, columns: int) -> Tensor:
        """The real part of the sum of all waves."""
        cos_r, sin_r, cos_c, sin_c = self._waves(real, rows, columns)
        even, odd = real @ cos_c - imaginary @ sin_c, real @ sin_c + imaginary @ cos_c
        return cos_r.T @ even - sin_r.T @ odd


class FourierBlock(UpBlock):
    """An :class:`UpBlock` with a Fourier sub-operator beside its convolution."""

    def __init__(self, c_in: int, c_out: int, stride: int, modes: int, activation: str) -> None:
        super().__init__(c_in, c_out, stride, 3, activation)
        self.fourier = FourierOperator(c_in, c_out, stride, modes)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.shuffle(self.conv(x)) + self.fourier(x))


class PFNR(nn.Module):
    """Times (N,) in [0, 1) -> pictures (N, out_channels, H, W) in [0, 1]; ``window`` only without modes."""

    def __init__(self, config: PFNRConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(
            nn.Linear(2 * config.pe_levels, config.hidden),
            make_activation(config.activation),
            nn.Linear(config.hidden, math.prod(config.grid) * config.width),
            make_activation(config.activation),
        )
        self.stages = nn.ModuleList(self._stages())
        self.head = nn.Conv2d(config.widths()[-1], config.out_channels, 1)

    def _stages(self) -> list[nn.Module]:
        config = self.config
        out: list[nn.Module] = []
        for number, stage in enumerate(config.growth().stages):
            shape = stage.c_in, stage.c_out, stage.stride
            fourier = config.modes and number == config.fourier_stage
            block = FourierBlock(*shape, config.modes, config.activation) if fourier else None
            out.append(block or UpBlock(*shape, 3, config.activation))
        return out

    def forward(self, t: Tensor, window: Window | None = None) -> Tensor:
        code = positional_encoding(t, self.config.pe_base, self.config.pe_levels).to(self.head.weight.dtype)
        x = self.stem(code).view(-1, self.config.width, *self.config.grid)
        x = grow(x.contiguous(memory_format=torch.channels_last), self.stages, window)
        return torch.tanh(self.head(x).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level
