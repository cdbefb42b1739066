"""A fit begins with the clip's colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nvcodec.codecs.encoding import start_at_means
from nvcodec.codecs.hnerv import HNeRVCodec
from nvcodec.fitting.clip import Clip


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_the_first_pictures_have_the_mean_colours(bit_depth: int) -> None:
    peak, dtype = (1 << bit_depth) - 1, np.uint8 if bit_depth == 8 else np.uint16
    random = np.random.default_rng(0)
    wanted = ((0.7, (20, 30)), (0.2, (10, 15)), (0.4, (10, 15)))

    def frame() -> tuple[np.ndarray, ...]:
        return tuple(np.rint(random.normal(mean, 0.02, shape) * peak).astype(dtype) for mean, shape in wanted)

    frames = [frame() for _ in range(3)]
    clip = Clip(frames, bit_depth)  # type: ignore[arg-type]
    assert clip.means().numpy() == pytest.approx([0.7] * 4 + [0.2, 0.4], abs=0.005)
    codec = HNeRVCodec()
    config = codec.plan(3000, 3, 10, 15)
    network = codec.network(config)
    start_at_means(network, clip)
    with torch.no_grad():
        shown = network(torch.zeros(1, config.embedding_channels, *config.grid))
    assert shown.mean((0, 2, 3)).numpy() == pytest.approx([0.7] * 4 + [0.2, 0.4], abs=0.1)
