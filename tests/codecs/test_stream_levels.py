"""What is encoded can be read: planned networks are within the default limits, later groups within the level."""

from itertools import product

import pytest

import nvcodec
from nvcodec.api.costs import level_for
from nvcodec.codecs.encoding import readable_plan
from nvcodec.codecs.goals import Candidate, PsnrGoal
from nvcodec.codecs.registry import get_codec
from nvcodec.codecs.sizing import MOST_PARAMETERS
from nvcodec.container import DEFAULT, LEVELS, Cost, check_cost
from nvcodec.errors import LimitError
from nvcodec.format import VideoFormat

FAMILIES = ["nerv", "hnerv"]
SIZES = [(16, 16), (64, 48), (176, 144), (1920, 1080), (7680, 4320)]


@pytest.mark.parametrize(("name", "size", "count"), [*product(FAMILIES, SIZES, [1500, 10**6, MOST_PARAMETERS])])
def test_whatever_is_planned_is_readable_by_default(name, size, count):
    codec, fmt = get_codec(name), VideoFormat(*size)
    config = readable_plan(codec, count, 16, fmt)
    check_cost(codec.cost(codec.pack(config), fmt, 16))


def test_the_largest_network_is_not_cut_down_in_usual_pictures():
    assert DEFAULT.parameters >= MOST_PARAMETERS
    codec, fmt = get_codec("hnerv"), VideoFormat(1920, 1080)
    config = readable_plan(codec, MOST_PARAMETERS, 92, fmt)
    assert codec.shapes(config, 92).count > 0.95 * MOST_PARAMETERS


def test_too_many_samples_for_any_network():
    with pytest.raises(LimitError, match="frames"):
        readable_plan(get_codec("hnerv"), 1500, 5000, VideoFormat(64, 48))


def test_attempts_at_a_floor_stop_growing():
    goal = PsnrGoal(1.0, floor=60.0)
    count = MOST_PARAMETERS // 2
    for _ in range(5):
        count = goal.grow(count, Candidate(b"", 0.0, 20.0))
    assert count == MOST_PARAMETERS


def cost_of(name: str, count: int, frames: int, fmt: VideoFormat) -> Cost:
    codec = get_codec(name)
    return codec.cost(codec.pack(readable_plan(codec, count, frames, fmt)), fmt, frames)


@pytest.mark.parametrize(("name", "size"), [*product(FAMILIES, SIZES)])
@pytest.mark.parametrize(("first_frames", "gof"), [(92, 92), (10, 92), (1, 240)])
def test_no_later_group_leaves_the_level(name, size, first_frames, gof):
    """Networks as a quality gives them, later groups longer and of the worst symbols."""
    fmt = VideoFormat(*size)
    for quality in (0, 32, 63):
        counts = [
            max(1500, 15_000 * (frames * size[0] * size[1] / 1e6) ** 0.7 * 2 ** ((quality - 32) / 10))
            for frames in (first_frames, gof)
        ]
        first, later = (
            cost_of(name, int(min(MOST_PARAMETERS, count)), frames, fmt)
            for count, frames in zip(counts, (first_frames, gof), strict=True)
        )
        level = level_for(first, first.parameters // 4, gof, alike=True)
        if level:
            check_cost(later, LEVELS[level])
            assert 10 * later.parameters + 30 * gof <= LEVELS[level].chunk_bytes


def test_a_level_is_promised_only_where_it_can_be():
    first = cost_of("hnerv", 40_000, 30, VideoFormat(176, 144))
    assert level_for(first, 20_000, 30, alike=True) == 1
    assert level_for(first, 20_000, 30) == 0
    assert level_for(Cost(pixels=100, frames=3), 9, 3, alike=True) == 0  # of a codec that tells nothing


@pytest.mark.parametrize(("goal", "declared"), [({"quality": 20}, 1), ({"psnr": 24.0}, 0)])
def test_files_declare_what_they_can_promise(carphone, make_clip, tmp_path, goal, declared):
    source, target = make_clip(carphone, 64, 48, 4), tmp_path / "a.nvc"
    nvcodec.encode(source, target, codec="hnerv", gof=2, preset="faster", audio=False, **goal)
    assert nvcodec.info(target)["format"]["level"] == declared
