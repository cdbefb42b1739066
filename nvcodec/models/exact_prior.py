"""The entropy model as encoder and decoder run it: from integers, exact on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nvcodec.errors import FormatError
from nvcodec.hardware import exact_fp32
from nvcodec.models.integer import ACTIVATION_LIMIT, QUALITIES, Integers
from nvcodec.models.latents import LATENT_LIMIT, merge_steps, quantise, reconstruct, split_steps
from nvcodec.models.prior_network import TABLES, History, PriorConfig, Step, hyper_size

Previous = History | tuple[Tensor | None, Tensor | None]


class ExactPrior:
    """Means and table indices from decoded integers. ``arrays`` as :meth:`nvcodec.models.prior.Prior.export` makes.

    Raises FormatError unless the arrays have the shapes of ``config`` and keep every sum exact for every input; then
    no latents or z, hostile ones included, can make two machines differ.
    """

    def __init__(self, config: PriorConfig, arrays: Integers, device: str = "cpu") -> None:
        if (why := config.fault()) is not None:
            raise FormatError(f"integer weights: {why}")
        self.config, self.device = config, device
        with torch.device("meta"):
            self.network = config.network()
        self.network.freeze(arrays)
        known = {f"{name}.{key}" for name, _ in self.network.layers() for key in ("weight", "bias", "shift")}
        if odd := set(arrays) - known - {"taps", "z_index"}:
            raise FormatError(f"integer weights: there is no place for {min(odd)}")
        self.network.to(device).eval()
        z_index = arrays.get("z_index")
        shape = (2, QUALITIES, config.hyper)
        if z_index is None or z_index.dtype != np.uint8 or z_index.shape != shape or z_index.max() >= TABLES:
            raise FormatError(f"integer weights: z_index is not {shape} numbers of tables")
        self._z_index = torch.from_numpy(z_index.copy())

    def z_indices(self, quality: int, size: tuple[int, int], inter: bool = False) -> Tensor:
        """Tables of z for latents of ``size`` (h, w): uint8 (1, hyper, ceil(h/4), ceil(w/4)) on the CPU.

        ``inter``: of a frame that has one before it.
        """
        row = self._z_index[int(inter), _checked(quality)]
        return row[None, :, None, None].expand(1, self.config.hyper, *hyper_size(size))

    @torch.no_grad()
    def begin(self, z: Tensor, previous: Previous, quality: int, size: tuple[int, int]) -> ExactFrame:
        """Read a frame's z, int32 (N, hyper, ceil(h/4), ceil(w/4)), and the decoded latents of the two frames before.

        ``previous``: int32 (N, 4 * latents, h, w) in sixteenths one and two frames ago, None where there is none; and
        int32 (N, side, h, w) where the prior reads such. Values out of range are clipped. Raises ValueError for other
        shapes.
        """
        _checked(quality)
        rows, columns = hyper_size(size)
        self._check(z, (len(z), self.config.hyper, rows, columns))
        last, older, side = History(*previous)
        for latents in (last, older):
            if latents is not None:
                self._check(latents, (len(z), 4 * self.config.latents, *size))
        if side is not None:
            self._check(side, (len(z), self.config.side_channels, *size))
            side = self._inner(side, ACTIVATION_LIMIT)
        last, older = (None if p is None else self._inner(p, LATENT_LIMIT) for p in (last, older))
        with exact_fp32(self.device):
            history = History(last, older, side)
            features = self.network.features(self._inner(z, ACTIVATION_LIMIT), history, quality, size)
            steps = (None, None) if last is None else split_steps(last)
            return ExactFrame(self, features, quality, steps, self.network.first(features, steps[0], quality))

    def _check(self, x: Tensor, shape: tuple[int, ...]) -> None:
        if tuple(x.shape) != shape or x.dtype != torch.int32:
            raise ValueError(f"expected int32 {shape}, not {x.dtype} {tuple(x.shape)}")

    def _inner(self, x: Tensor, limit: int) -> Tensor:
        """int32 (N, C, h, w) -> float32 (N, h, w, C) within the limit."""
        return x.to(self.device).permute(0, 2, 3, 1).clamp(-limit, limit).float().contiguous()


@dataclass
class ExactFrame:
    """A frame whose z is known: :meth:`first`, decode its symbols, :meth:`second`, decode, :meth:`merge`.

    Tensors of a step are (N, 2 * latents, h, w) in channels-last memory; ``means`` int32 in sixteenths, ``indices``
    uint8 below 64.
    """

    prior: ExactPrior
    features: Tensor
    quality: int
    last: tuple[Tensor | None, Tensor | None]  # of the two steps, one frame ago
    step: Step  # the first

    def first(self) -> tuple[Tensor, Tensor]:
        """(means, indices) of the first step."""
        return _outer(self.step)

    @torch.no_grad()
    def second(self, first: Tensor) -> tuple[Tensor, Tensor]:
        """(means, indices) of the second step, given the first's decoded latents, int32 as :meth:`decoded` makes."""
        n, h, w, _ = self.features.shape
        self.prior._check(first, (n, self.prior.config.step_channels, h, w))
        decoded = self.prior._inner(first, LATENT_LIMIT)
        with exact_fp32(self.prior.device):
            return _outer(self.prior.network.second(self.features, self.step, decoded, self.last[1], self.quality))


def split(latents: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 4C, h, w), latents of any type, -> the two steps' (N, 2C, h, w)."""
    first, second = split_steps(latents.permute(0, 2, 3, 1))
    return first.permute(0, 3, 1, 2), second.permute(0, 3, 1, 2)


def merge(first: Tensor, second: Tensor) -> Tensor:
    """The inverse of :func:`split`."""
    return merge_steps(first.permute(0, 2, 3, 1), second.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def symbols(latents: Tensor, means: Tensor) -> Tensor:
    """For encoders: int32 symbols nearest to float latents in quantisation steps, given int32 means in sixteenths."""
    return quantise(latents.float(), means.float()).to(torch.int32)


def decoded(symbols: Tensor, means: Tensor) -> Tensor:
    """int32 symbols and means -> int32 latents in sixteenths of a step, limited whatever the symbols."""
    return reconstruct(symbols, means)


def _outer(step: Step) -> tuple[Tensor, Tensor]:
    means, indices = step.means.to(torch.int32), step.indices.to(torch.uint8)
    return means.permute(0, 3, 1, 2), indices.permute(0, 3, 1, 2)


def _checked(quality: int) -> int:
    if not 0 <= quality < QUALITIES:
        raise ValueError(f"quality is 0..{QUALITIES - 1}, not {quality}")
    return quality
