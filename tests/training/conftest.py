"""A tiny corpus of real pictures and the smallest model that can be trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nvcodec.models.latent import ClipTerms
from nvcodec.training.corpus import Split, open_corpus, split_corpus
from nvcodec.training.packing import Packing, pack


class ToyModel(nn.Module):
    """8x8 blocks through a square matrix, noise or rounding, a Laplace of learned scale a coefficient."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Parameter(torch.linalg.qr(torch.randn(96, 96))[0])
        self.scale = nn.Parameter(torch.zeros(96))
        self.unused = nn.Parameter(torch.ones(2))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def loss_terms(self, frames, quality):
        y, u, v = (plane.flatten(0, 1)[:, None].float() - 128 for plane in frames)
        parts = [functional.pixel_unshuffle(y, 8), functional.pixel_unshuffle(u, 4), functional.pixel_unshuffle(v, 4)]
        x = torch.cat(parts, 1).permute(0, 2, 3, 1)
        step = (40 * torch.exp2(-quality / 16)).repeat_interleave(frames[0].shape[1])[:, None, None, None]
        latents = x @ self.linear.T / step
        noisy = latents + torch.rand_like(latents) - 0.5 if self.training else latents.round()
        scale = self.scale.exp() * 40 / step
        bits = (noisy.abs() / scale + torch.log(2 * scale)) / np.log(2)
        error = (noisy * step @ self.linear - x).square().mean((1, 2))
        planes = torch.stack([part.mean(1) for part in error.split((64, 16, 16), 1)], 1)
        shape = frames[0].shape[:2]
        return ClipTerms(bits.clamp_min(0).sum((1, 2, 3)).view(shape), planes.view(*shape, 3))


@pytest.fixture(scope="session")
def decoded(bikes: Path, planes_of) -> list:
    return [tuple(planes) for planes in planes_of(bikes, 30)]


@pytest.fixture(scope="session")
def packed(decoded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight sources of two clips of three frames, two stills; pieces of 64x64."""
    folder = tmp_path_factory.mktemp("packed")
    pack(sources(), folder, reader(decoded), Packing(size=64, frames=3))
    return folder


def sources() -> list[Path]:
    return [Path(f"clip{i}.mkv") for i in range(8)] + [Path("a.png"), Path("b.png")]


def reader(decoded: list) -> Callable[[Path], Iterator]:
    """Pretends that files of these names hold pieces of the clip."""

    def read(path: Path) -> Iterator:
        if path.suffix == ".png":
            return iter(decoded[:1])
        first = 3 * int(path.stem[4:])
        return iter(decoded[first : first + 6])

    return read


@pytest.fixture(scope="session")
def split(packed: Path) -> Split:
    return split_corpus(open_corpus(packed), 2)


@pytest.fixture
def toy() -> ToyModel:
    return ToyModel()


@pytest.fixture
def make_toy() -> type[ToyModel]:
    return ToyModel
