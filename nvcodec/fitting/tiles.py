"""What one optimiser step sees: a few small frames, or a tile of a large one.

Many small steps fit better than a few large ones of the same samples, as long as the optimiser's own time does not
prevail. A tile costs the early, small stages in full and the late ones in part.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from nvcodec.models.growth import Growth, Window

CHANNEL_COST = 64  # multiply-adds that take as long as moving one activation


@dataclass(frozen=True)
class Tile:
    """A rectangle of the picture (in half-size samples), and how the network gets there."""

    rows: slice  # of the picture
    columns: slice
    window: Window | None = None
    top: int = 0  # where the rectangle starts in what the window grows into
    left: int = 0


def _spans(cells: int, count: int) -> list[tuple[int, int]]:
    """``count`` nearly equal spans of ``cells``."""
    edges = [cells * i // count for i in range(count + 1)]
    return list(pairwise(edges))


def _stage_costs(growth: Growth) -> list[float]:
    """Cost of each stage for the whole picture, the head's last."""
    costs = []
    for done, stage in enumerate((*growth.stages, growth.head)):
        rows, columns = growth.cells(min(done + 1, len(growth.stages)))
        costs.append(rows * columns * stage.c_out * (1 + stage.macs_a_value / CHANNEL_COST))
    return costs


def _tiles_at(growth: Growth, stage: int, rows: int, columns: int, samples: int) -> list[Tile]:
    """Tiles of about ``samples`` of a ``rows`` x ``columns`` picture, cut after ``stage`` stages."""
    scale, halo, all_cells = growth.scale_after(stage), growth.halo(stage), growth.cells(stage)
    shown = -(-rows // scale), -(-columns // scale)
    side = max(1, round(samples**0.5 / scale))
    tiles = []
    for top, bottom in _spans(shown[0], max(1, round(shown[0] / side))):
        first, last = max(0, top - halo), min(all_cells[0], bottom + halo)
        for left, right in _spans(shown[1], max(1, round(shown[1] / side))):
            start, stop = max(0, left - halo), min(all_cells[1], right + halo)
            window = Window(stage, first, start, last - first, stop - start)
            area = slice(top * scale, min(rows, bottom * scale)), slice(left * scale, min(columns, right * scale))
            tiles.append(Tile(*area, window, (top - first) * scale, (left - start) * scale))
    return tiles


def _price(growth: Growth, stage: int, tiles: list[Tile]) -> float:
    """Cost of showing the whole picture tile by tile."""
    costs, (rows, columns) = _stage_costs(growth), growth.cells(stage)
    share = sum(t.window.rows * t.window.columns for t in tiles if t.window) / (rows * columns)
    return len(tiles) * sum(costs[:stage]) + share * sum(costs[stage:])


def plan_tiles(growth: Growth, rows: int, columns: int, samples: int) -> list[Tile]:
    """Tiles that cover the picture, about ``samples`` each, cut where that is cheapest; one for a small picture."""
    whole = [Tile(slice(0, rows), slice(0, columns))]
    if rows * columns < 1.5 * samples:
        return whole
    options = [(_tiles_at(growth, s, rows, columns, samples), s) for s in range(len(growth.stages))]
    return min(options, key=lambda option: _price(growth, option[1], option[0]))[0] or whole


class StepOrder:
    """(frames, tile) of each step: every tile of every frame once an epoch, in random order.

    Frames that are one tile are taken ``frames_a_step`` at a time.
    """

    def __init__(self, frames: int, tiles: int, frames_a_step: int, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._tiles, self._items, self._size = tiles, frames * tiles, min(frames_a_step, frames) if tiles == 1 else 1
        self._left: list[int] = []

    def next(self) -> tuple[list[int], int]:
        while len(self._left) < self._size:
            self._left += torch.randperm(self._items, generator=self._generator).tolist()
        items, self._left = self._left[: self._size], self._left[self._size :]
        return [item // self._tiles for item in items], items[0] % self._tiles


def frames_a_step(frame_samples: int, frames: int, samples: int) -> int:
    """How many whole frames make about ``samples``; at least one."""
    return max(1, min(frames, samples // frame_samples))
