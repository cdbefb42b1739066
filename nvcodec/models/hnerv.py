"""HNeRV: A Hybrid Neural Representation for Videos (Chen et al., CVPR 2023).

A content-adaptive embedding of each frame (the output of an encoder that is not transmitted) is enlarged to
the frame by stages of convolution and pixel shuffle whose kernels grow and whose widths fall slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, prod, sqrt

import torch
from torch import Tensor, nn

from nvcodec.models.blocks import ConvNeXtBlock, LayerNorm2d, UpBlock
from nvcodec.models.growth import Growth, Stage, Window, grow


@dataclass(frozen=True)
class HNeRVConfig:
    """Shape of an HNeRV decoder and its embedding."""

    grid: tuple[int, int] = (2, 4)  # rows and columns of an embedding
    embedding_channels: int = 16
    width: int = 32  # channels after the first 1x1 convolution
    strides: tuple[int, ...] = (5, 4, 4, 2, 2)
    reduction: float = 1.2  # width of a stage over the next one's
    min_width: int = 12
    first_kernel: int = 1
    max_kernel: int = 5
    out_channels: int = 3
    activation: str = "gelu"

    @property
    def output_size(self) -> tuple[int, int]:
        scale = prod(self.strides)
        return self.grid[0] * scale, self.grid[1] * scale

    def widths(self) -> list[int]:
        """Channels after each stage (HNeRV, sec. 3.2: divided by ``reduction`` with a floor)."""
        widths, current = [], self.width
        for _ in self.strides:
            current = max(round(current / self.reduction), self.min_width)
            widths.append(current)
        return widths

    def growth(self) -> Growth:
        widths = [self.width, *self.widths()]
        stages = zip(widths[:-1], widths[1:], self.strides, self.kernels(), strict=True)
        return Growth(self.grid, tuple(Stage(*s) for s in stages), Stage(widths[-1], self.out_channels, 1, 3))

    def kernels(self) -> list[int]:
        return [min(self.first_kernel + 2 * stage, self.max_kernel) for stage in range(len(self.strides))]


def width_for_size(
    parameters: float,
    strides: tuple[int, ...],
    reduction: float = 1.2,
    embedding_channels: int = 16,
    max_kernel: int = 5,
    first_kernel: int = 1,
) -> int:
    """First width so that the decoder has about ``parameters`` weights (the size rule of HNeRV's recipe)."""
    r = 1.0 / reduction
    kernels = [min(first_kernel + 2 * stage, max_kernel) for stage in range(len(strides))]
    a = r * sum(r ** (2 * i) * s * s * k * k for i, (s, k) in enumerate(zip(strides, kernels, strict=True)))
    b = embedding_channels * 9
    return max(1, floor((-b + sqrt(b * b + 4 * a * max(parameters, 0.0))) / (2 * a)))


class HNeRVDecoder(nn.Module):
    """Embeddings (N, embedding_channels, rows, columns) -> pictures (N, out_channels, H, W) in [0, 1].

    With a ``window``, only the part of the pictures that it grows into; the outer samples, as far as
    :meth:`Growth.halo` reaches, then miss their neighbours.
    """

    def __init__(self, config: HNeRVConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(nn.Conv2d(config.embedding_channels, config.width, 1), nn.GELU())
        widths = [config.width, *config.widths()]
        self.stages = nn.ModuleList(
            UpBlock(c_in, c_out, stride, kernel, config.activation)
            for c_in, c_out, stride, kernel in zip(
                widths[:-1], widths[1:], config.strides, config.kernels(), strict=True
            )
        )
        self.head = nn.Conv2d(widths[-1], config.out_channels, 3, padding=1)

    def forward(self, embedding: Tensor, window: Window | None = None) -> Tensor:
        x = grow(self.stem(embedding), self.stages, window)
        return torch.tanh(self.head(x).float()) * 0.5 + 0.5  # in fp32: bf16 near 1 is as coarse as a grey level


class HNeRVEncoder(nn.Module):
    """Pictures (N, in_channels, H, W) -> embeddings (N, embedding_channels, rows, columns). Never transmitted."""

    def __init__(
        self, strides: tuple[int, ...], embedding_channels: int = 16, width: int = 64, in_channels: int = 3
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for stage, stride in enumerate(strides):
            out = embedding_channels if stage == len(strides) - 1 else width
            layers += [nn.Conv2d(channels, out, stride, stride), LayerNorm2d(out), ConvNeXtBlock(out)]
            channels = out
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers(picture)
