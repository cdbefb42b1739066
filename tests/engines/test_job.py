"""A job's name is a function of everything that decides its bytes, and of nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from nvcodec.codecs.base import GroupSpec
from nvcodec.codecs.registry import get_codec
from nvcodec.engines.job import GroupJob, run_in_process
from nvcodec.format import Colour, VideoFormat


def frames(count: int = 2) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    return [tuple(random.integers(0, 255, s, dtype=np.uint8) for s in ((16, 16), (8, 8), (8, 8))) for _ in range(count)]


JOB = GroupJob("nerv", frames(), VideoFormat(16, 16), GroupSpec(preset="faster", seconds=0.01), 1)


def test_equal_jobs_have_equal_names():
    again = replace(JOB, frames=frames(), spec=replace(JOB.spec))
    assert again.name() == JOB.name() and len(JOB.name()) == 32
    apart = [np.asfortranarray(plane) for plane in frames()[0]]
    assert replace(JOB, frames=[tuple(apart), frames()[1]]).name() == JOB.name()  # layout in memory is no difference


def other_frames() -> list[list[tuple[np.ndarray, ...]]]:
    changed = frames()
    changed[1][2][7, 7] ^= 1
    return [changed, frames()[::-1], frames()[:1], [(y, v, u) for y, u, v in frames()]]


@pytest.mark.parametrize(
    "change",
    [
        {"codec": "hnerv"},
        {"threads": 2},
        {"format": VideoFormat(16, 16, 10)},
        {"format": VideoFormat(16, 16, colour=Colour(1, 1, 1))},
        {"spec": replace(JOB.spec, quality=33.0)},
        {"spec": replace(JOB.spec, seed=1)},
        {"spec": replace(JOB.spec, target_bytes=1000)},
        {"spec": replace(JOB.spec, precision="bf16")},
        {"spec": replace(JOB.spec, preset="fast")},
        *({"frames": f} for f in other_frames()),
    ],
)
def test_every_difference_is_in_the_name(change):
    assert replace(JOB, **change).name() != JOB.name()


def test_a_job_runs_here():
    seen = []
    payload = run_in_process(JOB, seen.append)
    decoder = get_codec("nerv").open_group(payload.config, payload.units, JOB.format, 2)
    assert decoder.symbol_hash == payload.symbol_hash
    assert seen
