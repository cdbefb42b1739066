"""Levels and costs."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from nvcodec.container import DEFAULT, LEVELS, UNLIMITED, Cost, Limits, check_cost, level_limits, smallest_level
from nvcodec.errors import LimitError, UsageError

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


def test_limits_by_level() -> None:
    assert level_limits(0) == UNLIMITED and level_limits(3) == LEVELS[3]
    for level in (-1, 6):
        with pytest.raises(UsageError, match=f"no level {level}"):
            level_limits(level)


def test_the_default_is_what_the_text_says_and_bounds_memory() -> None:
    text = " ".join((Path(__file__).resolve().parents[2] / "bitstream" / "SPEC.md").read_text("utf-8").split())
    said = re.search(
        r"The reference reader's own limits are 2\^(\d+) samples, (\d+) frames, 2\^(\d+) parameters, "
        r"2\^(\d+) multiply-adds, 2\^(\d+) activation bytes and 2\^(\d+) chunk bytes",
        text,
    )
    assert said is not None
    pixels, frames, *rest = map(int, said.groups())
    assert Limits(1 << pixels, frames, *(1 << power for power in rest)) == DEFAULT
