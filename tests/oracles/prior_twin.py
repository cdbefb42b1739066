"""The integer prior once more, slowly: numpy int64, from the exported arrays alone; no code of the package."""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
LIMIT = (1 << 17) - 1


def shift_half_up(x: np.ndarray, bits: Any) -> np.ndarray:
    return (x + (1 << (np.asarray(bits) - 1))) >> bits


def at_quality(anchors: np.ndarray, quality: int) -> np.ndarray:
    """Linear between the anchors 0, 9 ... 63, rounded to nearest; ninths have no ties."""
    cell = min(quality // 9, 6)
    part = quality - 9 * cell
    return (2 * (anchors[cell] * (9 - part) + anchors[cell + 1] * part) + 9) // 18


class Twin:
    """(h, w, channels) int64 in and out, one frame."""

    def __init__(self, arrays: Arrays, quality: int) -> None:
        self.arrays = {name: value.astype(np.int64) for name, value in arrays.items()}
        self.quality = quality
        self.largest_sum = 0

    def finish(self, name: str, sums: np.ndarray, low: int, high: int) -> np.ndarray:
        bias, shift = self.arrays[name + ".bias"], self.arrays[name + ".shift"]
        sums = sums + (bias[0] if len(bias) == 1 else at_quality(bias, self.quality))
        self.largest_sum = max(self.largest_sum, int((np.abs(sums) + (1 << (shift - 1))).max()))
        return np.clip(shift_half_up(sums, shift), low, high)

    def linear(self, name: str, x: np.ndarray, low: int = -255, high: int = 255) -> np.ndarray:
        return self.finish(name, x @ self.arrays[name + ".weight"].T, low, high)

    def depthwise(self, name: str, x: np.ndarray) -> np.ndarray:
        weight = self.arrays[name + ".weight"]
        kernel = round(weight.shape[1] ** 0.5)
        around = kernel // 2
        sums = np.zeros_like(x)
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                for dy in range(-around, around + 1):
                    for dx in range(-around, around + 1):
                        if 0 <= i + dy < x.shape[0] and 0 <= j + dx < x.shape[1]:
                            sums[i, j] += x[i + dy, j + dx] * weight[:, (dy + around) * kernel + dx + around]
        return self.finish(name, sums, 0, 255)

    def blocks(self, name: str, x: np.ndarray) -> np.ndarray:
        count = 0
        while f"{name}.{count}.expand.weight" in self.arrays:
            part = f"{name}.{count}"
            inner = self.linear(part + ".expand", x, 0)
            inner = self.linear(part + ".project", self.depthwise(part + ".depthwise", inner))
            x, count = np.clip(x + inner, -255, 255), count + 1
        return x

    def hyper(self, z: np.ndarray, h: int, w: int) -> np.ndarray:
        x = np.clip(z, -255, 255)
        for stage in "12":
            x = self.linear(f"hyper.up{stage}", x, 0)
            rows, columns, four = x.shape
            big = np.zeros((2 * rows, 2 * columns, four // 4), np.int64)
            for place in range(4):
                big[place // 2 :: 2, place % 2 :: 2] = x[..., place * (four // 4) : (place + 1) * (four // 4)]
            x = self.depthwise(f"hyper.smooth{stage}", big)
        return x[:h, :w]

    def features(self, z: np.ndarray, last: np.ndarray | None, older: np.ndarray | None, h: int, w: int) -> np.ndarray:
        width = len(self.arrays["fuse1.shift"])
        history = np.zeros((h, w, width), np.int64)
        if last is not None:
            flag = np.full((h, w, 1), 0 if older is None else 64)
            change = seen(last - older) if older is not None else np.zeros_like(last)
            history = self.linear("temporal_in", np.concatenate([seen(last), change, flag], -1))
            history = self.blocks("temporal", history)
        return self.blocks("blocks1", self.linear("fuse1", np.concatenate([self.hyper(z, h, w), history], -1)))

    def head(self, name: str, x: np.ndarray, parts: int) -> list[np.ndarray]:
        mean, index, *gates = np.split(self.linear(name, x, -32767, 32767), parts, -1)
        return [mean, np.clip(index, 0, 63), *(np.clip(gate, 0, 64) for gate in gates)]

    def first(self, features: np.ndarray, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, index, gate = self.head("head1", features, 3)
        carried = gate * 0 if last is None else shift_half_up(gate * last, 6)
        return np.clip(mean + carried, -LIMIT, LIMIT), index, carried

    def second(
        self,
        features: np.ndarray,
        step: tuple[np.ndarray, np.ndarray, np.ndarray],
        decoded: np.ndarray,
        last: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        inputs = np.concatenate([features, seen(decoded), seen(decoded - step[0])], -1)
        x = self.blocks("blocks2", self.linear("fuse2", inputs))
        mean, index, gate, spatial = self.head("head2", x, 4)
        carried = gate * 0 if last is None else shift_half_up(gate * last, 6)
        mean = mean + carried + shift_half_up(spatial * self.spatial(decoded - step[2]), 6)
        return np.clip(mean, -LIMIT, LIMIT), index

    def spatial(self, missed: np.ndarray) -> np.ndarray:
        """By the definition at 1/8: mirror the checkerboard at the border, look left, right, up and down."""
        board, known = to_board(np.clip(missed, -LIMIT, LIMIT), first=True)
        assert known.sum() * 2 == known.size
        rows, columns, _ = board.shape
        padded = np.pad(board, ((1, 1), (1, 1), (0, 0)), mode="reflect")
        taps = self.arrays["taps"]
        out = np.zeros_like(board)
        for i in range(rows):
            for j in range(columns):
                around = [padded[i + 1, j], padded[i + 1, j + 2], padded[i, j + 1], padded[i + 2, j + 1]]
                out[i, j] = sum(taps[:, k] * value for k, value in enumerate(around))
        self.largest_sum = max(self.largest_sum, int(np.abs(out).max()) + 32)
        return from_board(np.clip(shift_half_up(out, 6), -LIMIT, LIMIT), first=False)


class ResidualTwin(Twin):
    """The prior of predicted frames (bitstream/CONDITIONAL.md, 5); *last* and *older* are the references' latents.

    ``side``: (h, w, 16).
    """

    def __init__(self, arrays: Arrays, quality: int, side: np.ndarray) -> None:
        super().__init__(arrays, quality)
        self.side = side

    def features(self, z: np.ndarray, last: np.ndarray | None, older: np.ndarray | None, h: int, w: int) -> np.ndarray:
        parts = [np.zeros((h, w, 384), np.int64) if y is None else seen(np.abs(y)) for y in (last, older)]
        history = self.blocks("temporal", self.linear("temporal_in", np.concatenate([*parts, self.side], -1)))
        return self.blocks("blocks1", self.linear("fuse1", np.concatenate([self.hyper(z, h, w), history], -1)))

    def first(self, features: np.ndarray, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, index = self.head("head1", features, 2)
        return mean, index, np.zeros_like(mean)

    def second(
        self,
        features: np.ndarray,
        step: tuple[np.ndarray, np.ndarray, np.ndarray],
        decoded: np.ndarray,
        last: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        x = self.linear("fuse2", np.concatenate([features, seen(decoded), seen(decoded - step[0])], -1))
        mean, index, spatial = self.head("head2", self.blocks("blocks2", x), 3)
        return np.clip(mean + shift_half_up(spatial * self.spatial(decoded), 6), -LIMIT, LIMIT), index


def seen(v: np.ndarray) -> np.ndarray:
    half = (np.abs(v) + 1) >> 1
    return np.sign(v) * np.minimum(np.minimum(half, (half + 7 * 128) >> 3), 255)


def is_first(row: int, column: int, channel: int) -> bool:
    """Whether an element at 1/8 is coded in the first step."""
    return (row + column + channel) % 2 == 0


def step_order(channels: int, first: bool) -> list[tuple[int, int]]:
    """(channel, phase) of each channel of a step: even channels' two phases, then odd channels'."""
    order = []
    for odd in (0, 1):
        for phase in range(4):
            if is_first(phase // 2, phase % 2, odd) == first:
                order += [(channel, phase) for channel in range(odd, channels, 2)]
    return order


def to_board(step: np.ndarray, first: bool) -> tuple[np.ndarray, np.ndarray]:
    """A step's (h, w, 2C) on the grid at 1/8, (2h, 2w, C), zeros elsewhere; and where it is."""
    h, w, channels = step.shape[0], step.shape[1], step.shape[2] // 2
    board, known = np.zeros((2, 2 * h, 2 * w, channels), np.int64)
    for place, (channel, phase) in enumerate(step_order(channels, first)):
        board[phase // 2 :: 2, phase % 2 :: 2, channel] = step[..., place]
        known[phase // 2 :: 2, phase % 2 :: 2, channel] = 1
    return board, known


def from_board(board: np.ndarray, first: bool) -> np.ndarray:
    order = step_order(board.shape[2], first)
    return np.stack([board[p // 2 :: 2, p % 2 :: 2, c] for c, p in order], -1)


def random_arrays(config: Any, seed: int, strong: bool = False) -> Arrays:
    """Integers of a prior from numpy's generator, so that they are the same in any release of torch.

    ``strong``: weights as large as the bound of 2**24 on sums allows, which clip most activations.
    """
    rng = np.random.default_rng(seed)
    step, width, hyper = 2 * config.latents, config.width, config.hyper_width
    side = getattr(config, "side", 0)  # of predicted frames, whose heads have a gate less
    shapes: dict[str, tuple[int, int, int]] = {
        "hyper.up1": (4 * hyper, config.hyper, 1),
        "hyper.smooth1": (hyper, 9, 1),
        "hyper.up2": (4 * hyper, hyper, 1),
        "hyper.smooth2": (hyper, 9, 1),
        "temporal_in": (width, 4 * step + (side or 1), 8),
        "fuse1": (width, hyper + width, 8),
        "fuse2": (width, width + 2 * step, 8),
        "head1": ((2 if side else 3) * step, width, 8),
        "head2": ((3 if side else 4) * step, width, 8),
    }
    counts = {"temporal": config.temporal_blocks, "blocks1": config.blocks, "blocks2": config.blocks}
    for name, count in counts.items():
        taps = config.temporal_kernel**2 if name == "temporal" else 9
        for i in range(count):
            shapes[f"{name}.{i}.expand"] = shapes[f"{name}.{i}.project"] = (width, width, 1)
            shapes[f"{name}.{i}.depthwise"] = (width, taps, 1)
    arrays: Arrays = {"taps": rng.integers(-31, 32, (config.latents, 4)).astype(np.int8)}
    for name, (outputs, fan_in, rows) in shapes.items():
        largest = min(127, int((1 << 24) * 0.97 / (255 * fan_in)))
        weight = rng.integers(-largest, largest + 1, (outputs, fan_in))
        if strong:
            weight = np.where(rng.random(weight.shape) < 0.5, largest, -largest)
        room = (1 << 24) - 1 - np.abs(weight).sum(1).max() * 255 - (1 << 12)
        bias = rng.integers(-min(room, 20000), min(room, 20000) + 1, (rows, outputs))
        if strong:  # of all sizes up to the bound
            bias = rng.choice((-1, 1), bias.shape) * (room / 2 ** rng.integers(0, 16, bias.shape)).astype(np.int64)
        shift = rng.integers(2, 4, outputs) if strong else rng.integers(8, 12, outputs)
        if name.startswith("head"):
            shift += 2
        arrays[name + ".weight"] = weight.astype(np.int8)
        arrays[name + ".bias"] = bias.astype(np.int32)
        arrays[name + ".shift"] = shift.astype(np.uint8)
    arrays["z_index"] = rng.integers(0, 64, (2, 64, config.hyper)).astype(np.uint8)
    return arrays
