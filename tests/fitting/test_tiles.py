"""Steps see every sample once an epoch, and a tile shows what the whole picture would."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.codecs.hnerv import HNeRVCodec
from nvcodec.codecs.nerv import NeRVCodec
from nvcodec.fitting.tiles import StepOrder, frames_a_step, plan_tiles


@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 40), st.integers(0, 5))
def test_every_tile_of_every_frame_has_its_turn(frames: int, tiles: int, size: int, seed: int) -> None:
    order = StepOrder(frames, tiles, size, seed)
    width = min(size, frames) if tiles == 1 else 1
    steps = [order.next() for _ in range(3 * -(-frames * tiles // width))]
    assert all(len(batch) == width for batch, _ in steps)
    counts = Counter((frame, tile) for batch, tile in steps for frame in batch)
    assert len(counts) == frames * tiles
    assert max(counts.values()) - min(counts.values()) <= 1
    again = StepOrder(frames, tiles, size, seed)
    assert [again.next() for _ in steps] == steps


@pytest.mark.parametrize("samples", [1, 256, 768, 25600])
def test_small_frames_are_taken_several_at_a_time(samples: int) -> None:
    assert frames_a_step(256, 4, samples) == max(1, min(4, samples // 256))


@pytest.mark.parametrize("codec", [HNeRVCodec(), NeRVCodec()], ids=["hnerv", "nerv"])
@pytest.mark.parametrize(("rows", "columns", "samples"), [(60, 91, 500), (136, 320, 6000), (33, 200, 10)])
def test_a_tile_is_a_part_of_the_picture(codec: HNeRVCodec | NeRVCodec, rows: int, columns: int, samples: int) -> None:
    torch.manual_seed(0)
    config = codec.plan(20_000, 8, rows, columns)
    network = codec.network(config)
    shape = codec.shapes(config, 8).embedding
    embedding = torch.randn(1, shape[0], *shape[2:]) if shape else None
    start = codec.network_input([3], embedding, 8, "cpu")
    seen = torch.zeros(rows, columns)
    with torch.no_grad():
        whole = network(start)
        tiles = plan_tiles(config.growth(), rows, columns, samples)
        assert len(tiles) > 1
        for tile in tiles:
            shown = network(start, window=tile.window)
            height, width = tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start
            part = shown[:, :, tile.top : tile.top + height, tile.left : tile.left + width]
            torch.testing.assert_close(part, whole[:, :, tile.rows, tile.columns], atol=1e-5, rtol=0)
            seen[tile.rows, tile.columns] += 1
    assert (seen == 1).all()


def test_a_small_picture_is_one_tile() -> None:
    config = HNeRVCodec().plan(20_000, 8, 30, 40)
    (tile,) = plan_tiles(config.growth(), 30, 40, 1000)
    assert tile.window is None and (tile.rows, tile.columns) == (slice(0, 30), slice(0, 40))
