"""Levels and costs."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from nvcodec.container import DEFAULT, LEVELS, UNLIMITED, Cost, Limits, check_cost, smallest_level
from nvcodec.errors import LimitError

COST = Cost(parameters=3_000_000, macs_per_pixel=20_000, activation_bytes=1 << 28, pixels=640 * 272, frames=64)


def test_cost_names_what_is_too_much() -> None:
    check_cost(COST)
    for field in fields(Cost):
        most = getattr(DEFAULT, field.name)
        check_cost(replace(COST, **{field.name: most}))
        with pytest.raises(LimitError, match=f"needs {most + 1} .* limit is {most}"):
            check_cost(replace(COST, **{field.name: most + 1}))
        check_cost(replace(COST, **{field.name: most + 1}), UNLIMITED)


def test_levels_grow_and_cover() -> None:
    for field in fields(Limits):
        amounts = [getattr(LEVELS[level], field.name) for level in sorted(LEVELS)]
        assert amounts == sorted(amounts)
    assert smallest_level(COST) == 1
    assert smallest_level(replace(COST, pixels=1280 * 720)) == 2
    assert smallest_level(replace(COST, pixels=1920 * 1088)) == 3
    assert smallest_level(replace(COST, pixels=3840 * 2160)) == 4
    assert smallest_level(COST, chunk_bytes=1 << 28) == 5
    assert smallest_level(replace(COST, parameters=1 << 40)) == 0
