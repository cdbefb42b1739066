"""Layers whose every number is an integer, held in float32 that stays exact; trained by straight-through gradients.

Activations are integers of at most 255, weights of at most 127 over a power of two, so a layer is a sum of integer
products, a shift to the right that rounds half up, and a clip. Each sum is proven to stay below 2**24, where float32
holds every integer: any order of summing, any number of threads, any device gives the same bits, as long as products
are float32 products (:func:`nvcodec.hardware.exact_fp32`). 1x1 convolutions are matrix products and depthwise ones sums
of shifted products, for libraries compute convolutions by transforms (Winograd, FFT) that are not exact. The idea is
that of Balle et al. (ICLR 2019), "Integer networks for data compression with latent-variable models".

Tensors are (N, h, w, C) here. ``scale`` says which integer stands for 1.0, so that parameters have their usual sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nvcodec.errors import FormatError

ACTIVATION_LIMIT = 255
WEIGHT_LIMIT = 127
EXACT_LIMIT = 1 << 24  # float32 holds every integer below
MIN_SHIFT, MAX_SHIFT = 1, 20
QUALITIES, ANCHORS = 64, 8  # the dial, and where values that depend on it are learned

Integers = Mapping[str, NDArray[Any]]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, exact: Tensor, surrogate: Tensor) -> Tensor:
        return exact.view_as(exact)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        return None, grads[0]


def straight_through(exact: Tensor, surrogate: Tensor) -> Tensor:
    """``exact`` to the last bit, with the gradient of ``surrogate`` (x + (exact - x) would round)."""
    out: Tensor = _StraightThrough.apply(exact, surrogate)
    return out


class _FloorClip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: int, high: int, relu: bool) -> Tensor:
        floor = x.floor()
        out = floor.clamp(low, high)
        ctx.relu = relu
        ctx.save_for_backward(floor != out if relu else floor.sub_(out))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (beyond,) = ctx.saved_tensors
        stopped = beyond if ctx.relu else beyond * grads[0] < 0  # a step of descent would lead further out
        return grads[0].masked_fill(stopped, 0), None, None, None


def floor_clip(x: Tensor, low: int, high: int, relu: bool = False) -> Tensor:
    """Floor, then clip. Gradients pass inside; from beyond a limit only if they lead back, with ``relu`` never."""
    if torch.is_grad_enabled() and x.requires_grad:
        out: Tensor = _FloorClip.apply(x, low, high, relu)
        return out
    return x.floor().clamp_(low, high)


def shift_right(x: Tensor, bits: int, limit: int) -> Tensor:
    """x / 2**bits rounded half up, clipped to +-limit; exact for integers |x| < 2**24 - 2**(bits - 1), bits > 0."""
    return floor_clip(x * 2.0**-bits + 0.5, -limit, limit)


def at_quality(anchors: Tensor, quality: Tensor) -> Tensor:
    """Values at the qualities (N,), 0..63, by linear interpolation of (8, C) anchors at 0, 9, ... 63 -> (N, C)."""
    position = quality.to(anchors.dtype) * (ANCHORS - 1) / (QUALITIES - 1)
    cell = position.floor().clamp(0, ANCHORS - 2)
    low = cell.long()
    return anchors[low] + (anchors[low + 1] - anchors[low]) * (position - cell)[:, None]


def all_qualities(anchors: Tensor) -> Tensor:
    """(8, C) -> (64, C): what :func:`at_quality` gives for each index; (1, C) stays."""
    if len(anchors) == 1:
        return anchors
    return at_quality(anchors, torch.arange(QUALITIES, device=anchors.device, dtype=anchors.dtype))


class IntegerLayer(nn.Module):
    """Weights, biases and shifts of a layer with ``fan_in`` weights an output; subclasses say which sums they take.

    Trained, it holds float parameters and rounds them anew at each call. :meth:`freeze` replaces them by integers:
    the same numbers come out, bit for bit, if the integers are :meth:`export`'s.

    ``gain``: standard deviation of the start's weights times sqrt(fan_in). ``by_quality``: the bias follows the
    quality.
    """

    def __init__(
        self,
        fan_in: int,
        outputs: int,
        in_scale: float | Tensor = 64,
        out_scale: float | Tensor = 64,
        gain: float = 1.0,
        relu: bool = False,
        by_quality: bool = False,
    ) -> None:
        super().__init__()
        self.fan_in, self.outputs, self.relu, self.by_quality = fan_in, outputs, relu, by_quality
        self.frozen = False
        self.weight = nn.Parameter(torch.randn(outputs, fan_in) * (gain / math.sqrt(fan_in)))
        self.bias = nn.Parameter(torch.zeros(ANCHORS if by_quality else 1, outputs))
        out = torch.as_tensor(out_scale, dtype=torch.float32)
        unit = torch.as_tensor(in_scale, dtype=torch.float32)
        self.register_buffer("out_scale", out.expand(outputs).clone(), persistent=False)
        self.register_buffer("in_scale", unit.expand(fan_in).clone(), persistent=False)
        self.out_scale: Tensor
        self.in_scale: Tensor

    def _real(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (outputs, fan_in) and biases (anchors, outputs) between integers, and the shifts (outputs,)."""
        weight = self.weight * (self.out_scale[:, None] / self.in_scale)
        bias = self.bias * self.out_scale
        with torch.no_grad():
            largest = torch.frexp(weight.abs().amax(1)).exponent
            # Half of the limit for the sum leaves the other half for rounding: 255 / 2 a weight, and the shift's.
            total = torch.frexp(weight.abs().sum(1) * ACTIVATION_LIMIT + bias.abs().amax(0)).exponent
            shift = torch.minimum(7 - largest, 23 - total).clamp(MIN_SHIFT, MAX_SHIFT).float()
        return weight, bias, shift

    def operands(self, quality: Tensor | int) -> tuple[Tensor, Tensor]:
        """Weights / 2**shift, (outputs, fan_in), and biases / 2**shift + 1/2, (N or 1, outputs).

        ``quality``: (N,) floats while training, one index once frozen.
        """
        if self.frozen:
            row = int(quality) if self.by_quality else 0
            return self.weight, self.bias[row : row + 1]
        weight, bias, shift = self._real()
        up, down = torch.exp2(shift), torch.exp2(-shift)
        bias = _rounded(bias * up)
        if self.by_quality:  # in float64: a rounding of ninths that float32 could get wrong
            asked = torch.as_tensor(quality, device=bias.device).reshape(-1)
            bias = _rounded(at_quality(bias.double(), asked)).float()
        return _rounded(weight * up[:, None], WEIGHT_LIMIT) * down[:, None], bias * down + 0.5

    def requantise(self, sums: Tensor) -> Tensor:
        """Floor and clip ``sums``, which nobody else may hold: they are written over where no gradient is wanted."""
        low = 0 if self.relu else -ACTIVATION_LIMIT
        if torch.is_grad_enabled() and sums.requires_grad:
            return floor_clip(sums, low, ACTIVATION_LIMIT, self.relu)
        return sums.floor_().clamp_(low, ACTIVATION_LIMIT)

    @torch.no_grad()
    def export(self) -> dict[str, NDArray[Any]]:
        """weight int8 (outputs, fan_in), bias int32 (1 or 8 anchors of quality, outputs), shift uint8 (outputs,).

        Raises ValueError where training ran away: a sum could leave what float32 holds exactly.
        """
        weight, bias, shift = self._real()
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise ValueError("a layer cannot be exported: its parameters are not finite")
        up = torch.exp2(shift)
        made: dict[str, NDArray[Any]] = {
            "weight": _rounded(weight * up[:, None], WEIGHT_LIMIT).cpu().numpy().astype(np.int8),
            "bias": _rounded(bias * up).cpu().numpy().astype(np.int32),
            "shift": shift.cpu().numpy().astype(np.uint8),
        }
        if (why := self._fault(made)) is not None:
            raise ValueError(f"a layer cannot be exported: {why}")
        return made

    def _fault(self, arrays: Integers) -> str | None:
        """Why these arrays are no layer of this shape that stays exact, or None."""
        rows = ANCHORS if self.by_quality else 1
        shapes = {"weight": (self.outputs, self.fan_in), "bias": (rows, self.outputs), "shift": (self.outputs,)}
        for (name, shape), dtype in zip(shapes.items(), (np.int8, np.int32, np.uint8), strict=True):
            if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != dtype:
                return f"{name} is not {np.dtype(dtype).name} {shape}"
        weight, bias, shift = (arrays[name].astype(np.int64) for name in shapes)
        if np.abs(weight).max() > WEIGHT_LIMIT or shift.min() < MIN_SHIFT or shift.max() > MAX_SHIFT:
            return "a weight or a shift is out of range"
        bound = np.abs(weight).sum(1) * ACTIVATION_LIMIT + np.abs(bias).max(0) + (1 << (shift - 1))
        return "a sum could reach 2**24" if bound.max() >= EXACT_LIMIT else None

    def freeze(self, arrays: Integers) -> None:
        """Compute from these integers from now on. Raises FormatError unless they are a layer of this shape that
        stays exact whatever its input."""
        if (why := self._fault(arrays)) is not None:
            raise FormatError(f"integer weights: {why}")
        down = torch.exp2(-torch.from_numpy(arrays["shift"].astype(np.float32)))
        weight = torch.from_numpy(arrays["weight"].astype(np.float32)) * down[:, None]
        bias = all_qualities(torch.from_numpy(arrays["bias"].astype(np.float64))).round().float() * down + 0.5
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)
        self.in_scale = self.out_scale = torch.empty(0)
        self.frozen = True


def _rounded(x: Tensor, limit: int = EXACT_LIMIT) -> Tensor:
    """Rounded to integers within the limit; gradients as if it were not."""
    return straight_through(x.round().clamp(-limit, limit), x)


class IntegerLinear(IntegerLayer):
    """A 1x1 convolution: (N, h, w, fan_in) integers -> (N, h, w, outputs) integers."""

    def sums(self, x: Tensor, quality: Tensor | int = 0) -> Tensor:
        """Multiples of 2**-shift, 1/2 included, whose floors are the layer's integers before clipping."""
        weight, bias = self.operands(quality)
        if len(bias) == 1:
            return nn.functional.linear(x, weight, bias[0])
        return nn.functional.linear(x, weight) + bias[:, None, None]

    def forward(self, x: Tensor, quality: Tensor | int = 0) -> Tensor:
        return self.requantise(self.sums(x, quality))


class IntegerDepthwise(IntegerLayer):
    """A depthwise convolution of odd ``kernel``, zeros around: (N, h, w, C) integers -> the same shape."""

    def __init__(self, channels: int, kernel: int, relu: bool = False) -> None:
        super().__init__(kernel * kernel, channels, relu=relu)
        self.kernel = kernel
        with torch.no_grad():
            self.weight.mul_(0.5)[:, kernel * kernel // 2] += 1

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.operands(0)
        sums: Tensor = _ShiftedSums.apply(x, weight, bias[0], self.kernel)
        return self.requantise(sums)


class _ShiftedSums(torch.autograd.Function):
    """bias + sum over a kernel of weight[:, k] * x shifted by k: exact forward, a library's convolution backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kernel: int) -> Tensor:
        ctx.kernel = kernel
        ctx.save_for_backward(x, weight)
        height, width, around = x.shape[1], x.shape[2], kernel // 2
        padded = nn.functional.pad(x, (0, 0, around, around, around, around))
        taps = weight.t().contiguous()
        total = bias.expand_as(x).clone(memory_format=torch.contiguous_format)  # a copy even at a single place
        for k in range(kernel * kernel):
            row, column = divmod(k, kernel)
            total.addcmul_(padded[:, row : row + height, column : column + width], taps[k])
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        channels, kernel, pad = len(weight), ctx.kernel, [ctx.kernel // 2] * 2
        given = grads[0].permute(0, 3, 1, 2), x.permute(0, 3, 1, 2), weight.view(channels, 1, kernel, kernel)
        grad, by_weight, by_bias = torch.ops.aten.convolution_backward(
            *given, [channels], [1, 1], pad, [1, 1], False, [0, 0], channels, [True, True, True]
        )
        return grad.permute(0, 2, 3, 1), by_weight.reshape(channels, -1), by_bias, None
