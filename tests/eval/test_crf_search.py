import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.crf import CrfSearch
from nvcodec.errors import GoalError


def falling(at_zero: float, per_doubling: float):
    return lambda crf: int(at_zero * 2 ** (-crf / per_doubling))


@given(st.integers(2_000, 500_000), st.floats(4, 9), st.floats(5e5, 5e7), st.floats(0, 51))
def test_lands_within_two_percent_below(target, per_doubling, at_zero, start):
    size_at = falling(at_zero, per_doubling)
    search = CrfSearch(target, 0, 51, 0.05)
    if size_at(51) > target:
        with pytest.raises(GoalError):
            search.run(size_at, start)
        return
    crf, size = search.run(size_at, start)
    assert size == size_at(crf) <= target
    assert size >= 0.98 * target or size_at(0) < target
    assert len(search.tried) <= 12


def test_a_coarse_scale_ends_at_the_largest_that_fits():
    def size_at(crf: float) -> int:
        return int(1000 * 0.8**crf)

    crf, size = CrfSearch(500, 0, 63, 1.0).run(size_at, 30)
    assert (crf, size) == (4, 409)


def test_a_small_bump_in_the_sizes_does_not_stop_it():
    def size_at(crf: float) -> int:
        return int(1e6 * 2 ** (-crf / 6)) + (300 if round(crf * 20) % 3 == 0 else 0)

    crf, size = CrfSearch(20_000, 0, 51, 0.05).run(size_at, 28)
    assert size_at(crf) == size
    assert 19_600 <= size <= 20_000


def test_takes_few_trials_on_a_typical_encoder():
    search = CrfSearch(150_000, 0, 51, 0.05)
    search.run(falling(9e6, 5.5), 30)
    assert len(search.tried) <= 5
