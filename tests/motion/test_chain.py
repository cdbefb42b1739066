"""Fields that follow from others, what frames are coded after and predicted from, what the prior is told of them."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nvcodec.codecs.structure import Slot, scene_slots, slots
from nvcodec.format import Planes
from nvcodec.motion.chain import Moved, first_forecast, predictions, second_forecast, side_of
from nvcodec.motion.field import VECTOR_HIGH, VECTOR_LOW, MotionField, grid_shape, settle
from nvcodec.motion.side import CHANNELS, LIMIT, Place, side_channels
from nvcodec.motion.trace import scaled, trace
from nvcodec.motion.warp import warp
from tests.motion.fields import SEEDS, SIDES, SPREADS, make_field

EXAMPLES = settings(max_examples=60, deadline=None)
SPANS = st.integers(-64, 64)
UNLIKE = SPANS.filter(bool)
STRUCTURES = st.sampled_from(["low-delay", "random-access"])


def clipped(value: int) -> int:
    return min(max(value, VECTOR_LOW), VECTOR_HIGH)


def uniform(vector: tuple[int, int], width: int, height: int) -> MotionField:
    return MotionField.whole(width, height, np.full((*grid_shape(width, height), 2), vector, np.int16))


# other spans


@EXAMPLES
@given(SEEDS, SIDES, SIDES, SPREADS, SPANS, UNLIKE)
def test_scaled_is_its_formula(seed: int, width: int, height: int, spread: int, span: int, of: int) -> None:
    field = make_field(seed, width, height, spread)
    wanted = [clipped(floor(Fraction(int(v) * span, of) + Fraction(1, 2))) for v in field.vectors.flat]
    array = np.array(wanted, np.int16).reshape(field.vectors.shape)
    assert np.array_equal(scaled(field, span, of).vectors, settle(array, width, height))
    assert scaled(field, -span, -of) == scaled(field, span, of)


@EXAMPLES
@given(SEEDS, SIDES, SIDES, SPREADS, UNLIKE)
def test_the_same_span_is_the_same_field_and_none_is_rest(
    seed: int, width: int, height: int, spread: int, of: int
) -> None:
    field = make_field(seed, width, height, spread)
    assert scaled(field, of, of) == field
    assert scaled(field, 0, of) == MotionField.still(width, height)
    doubled = make_field(seed, width, height, min(spread, VECTOR_HIGH // 2))
    assert scaled(scaled(doubled, 2 * of, of), of, 2 * of) == doubled


@EXAMPLES
@given(SEEDS, SIDES, SIDES, SPREADS, SPANS, UNLIKE)
def test_time_turned_back_turns_vectors_but_for_halves(
    seed: int, width: int, height: int, spread: int, span: int, of: int
) -> None:
    """floor(x + 1/2) rounds halves up, so a turned field may lie one quarter beside."""
    field = make_field(seed, width, height, spread)
    there, back = (scaled(field, way * span, of).vectors.astype(int) for way in (1, -1))
    product = field.vectors.astype(int) * span
    inside = np.abs(product) < 4000 * abs(of)
    halves = (2 * product) % (2 * abs(of)) == abs(of)
    assert np.array_equal(there[inside & ~halves], -back[inside & ~halves])
    assert np.array_equal(there[inside & halves], 1 - back[inside & halves])


# vectors followed further


def followed(field: MotionField, before: MotionField) -> np.ndarray:
    """The text's rule, part by part in Python's integers."""
    rows, columns = -(-field.height // 8), -(-field.width // 8)
    out = np.zeros(field.vectors.shape, np.int16)
    for i, j in np.ndindex(*field.vectors.shape[:2]):
        x, y = (int(v) for v in field.vectors[i, j])
        r = min(max((32 * i + 16 + y) >> 5, 0), rows - 1)
        s = min(max((32 * j + 16 + x) >> 5, 0), columns - 1)
        out[i, j] = [clipped(a + int(b)) for a, b in zip((x, y), before.vectors[r, s], strict=True)]
    return settle(out, field.width, field.height)


@EXAMPLES
@given(SEEDS, SEEDS, SIDES, SIDES, SPREADS, SPREADS)
def test_trace_is_its_formula(seed: int, other: int, width: int, height: int, spread: int, reach: int) -> None:
    field, before = make_field(seed, width, height, spread), make_field(other, width, height, reach)
    traced = trace(field, before)
    assert np.array_equal(traced.vectors, followed(field, before))
    assert trace(field, MotionField.still(width, height)) == field
    assert trace(MotionField.still(width, height), before) == before


def test_trace_reads_the_part_that_a_centre_moves_to() -> None:
    """By hand: 12 samples to the right of the first part's centre lies the third part, not the second."""
    field = uniform((4 * 12, 0), 32, 16)
    before = np.zeros((2, 4, 2), np.int16)
    before[:, 2:] = (0, 8), (2, -8)
    moved = trace(field, MotionField(32, 16, before)).vectors[0]
    assert moved.tolist() == [[48, 8], [50, -8], [50, -8], [50, -8]]
    assert trace(uniform((-4 * 300, -5), 32, 16), MotionField(32, 16, before)).vectors[0, 3].tolist() == [-1200, -5]


def test_sums_stay_in_range() -> None:
    high, low = (uniform((v, v), 24, 24) for v in (VECTOR_HIGH, VECTOR_LOW))
    assert trace(high, high) == high and trace(low, low) == low
    assert trace(high, low) == trace(low, high) == uniform((-1, -1), 24, 24)
    assert scaled(high, 9, 1) == high and scaled(low, 9, 1) == low
    assert scaled(low, -1, 1) == high and scaled(high, -1, 1) == uniform((-4095, -4095), 24, 24)


# frames that lean on others


def chain(order: list[Slot], field_of, trim: bool = True) -> dict[int, Moved]:
    """Each frame's motion, in decode order; ``field_of(moved, k)`` is the field to reference k."""
    known: dict[int, Moved] = {}
    for slot in order:
        moved = Moved(slot.time, 30, tuple(known[t] for t in slot.references))
        count = 1 + slot.both if slot.references else 0
        moved = Moved(slot.time, 30, moved.references, tuple(field_of(moved, k) for k in range(count)))
        known[slot.time] = moved.trimmed() if trim else moved
    return known


@settings(max_examples=40, deadline=None)
@given(STRUCTURES, st.integers(2, 14), st.tuples(st.integers(-40, 40), st.integers(-40, 40)))
def test_steady_motion_is_foreseen(structure: str, frames: int, speed: tuple[int, int]) -> None:
    """Every forecast of a field under constant speed is that field, and so is a traced one; nothing is missed."""

    def field_of(moved: Moved, k: int) -> MotionField:
        span = moved.references[k].time - moved.time
        return uniform((span * speed[0], span * speed[1]), 40, 24)

    known = chain(slots(structure, frames), field_of)
    foreseen = 0
    for moved in known.values():
        if not moved.fields:
            continue
        both = len(moved.fields) == 2
        forecast = first_forecast(moved.time, moved.references, both)
        foreseen += forecast is not None
        assert forecast in (None, moved.fields[0])
        if both:
            assert second_forecast(moved.fields[0], moved.time, moved.references) == moved.fields[1]
        elif len(moved.references) == 2:
            assert trace(moved.fields[0], moved.references[0].fields[0]) == field_of(moved, 1)
        assert not side_of(moved)[[0, 1, 2, 3, 4, 6, 15]].any()
    assert foreseen == sum(any(r.fields for r in moved.references) for moved in known.values())


@settings(max_examples=40, deadline=None)
@given(STRUCTURES, st.integers(2, 14), SEEDS, st.sampled_from([(5, 9), (33, 17)]))
def test_trimmed_frames_say_all_that_later_ones_ask(
    structure: str, frames: int, seed: int, size: tuple[int, int]
) -> None:
    def field_of(moved: Moved, k: int) -> MotionField:
        return make_field(seed + 2 * moved.time + k, *size, 60)

    order = scene_slots([range(frames // 2), range(frames // 2, frames)], structure)
    short, whole = chain(order, field_of), chain(order, field_of, trim=False)
    rng = np.random.default_rng(seed)
    pictures = {time: noise(rng, *size) for time in whole}
    for slot in order:
        a, b = short[slot.time], whole[slot.time]
        assert (a.time, a.quality, a.fields) == (b.time, b.quality, b.fields)
        assert a.trimmed() == a and depth(a) <= 3
        if not slot.references:
            continue
        assert first_forecast(slot.time, a.references, slot.both) == first_forecast(slot.time, b.references, slot.both)
        assert np.array_equal(side_of(a), side_of(b))
        behind = tuple(pictures[t] for t in slot.references)
        assert same(predictions(a, behind), predictions(b, behind))


def depth(moved: Moved) -> int:
    return 1 + max(map(depth, moved.references), default=0)


def noise(rng: np.random.Generator, width: int, height: int) -> Planes:
    half = -(-height // 2), -(-width // 2)
    y, u, v = (rng.integers(0, 256, shape, np.uint8) for shape in ((height, width), half, half))
    return y, u, v


def same(a: tuple[Planes | None, ...], b: tuple[Planes | None, ...]) -> bool:
    return all(
        (x is None and y is None) or all(np.array_equal(p, q) for p, q in zip(x or (), y or (), strict=True))
        for x, y in zip(a, b, strict=True)
    )


def test_no_forecast_where_nothing_is_known() -> None:
    field = make_field(3, 40, 40, 30)
    key, other = Moved(0, 30), Moved(8, 30)
    predicted = Moved(4, 30, (key,), (field,))
    assert first_forecast(1, (key,), False) is None
    assert first_forecast(2, (key, other), True) is None
    assert first_forecast(5, (predicted,), False) == scaled(field, -1, -4)
    assert first_forecast(2, (key, predicted), True) == scaled(field, -2, -4)
    far = Moved(8, 30, (predicted, key), (field, make_field(4, 40, 40, 30)))
    assert first_forecast(6, (far, key), True) == scaled(far.fields[1], 2, -8)
    assert first_forecast(6, (far, Moved(3, 30)), True) is None
    assert second_forecast(field, 6, (far, key)) == scaled(field, -6, 2)


@pytest.mark.parametrize("structure", ["low-delay", "random-access"])
def test_a_moving_window_is_predicted_to_the_sample(crop, structure: str) -> None:
    """Windows of one real picture that move by two samples a frame; what comes from outside may differ."""
    whole = crop(128, 96, 1)[0]

    def shown(time: int) -> Planes:
        x, y = 6 + 2 * time, 30 - 2 * time
        cuts = (slice(y, y + 48), slice(x, x + 64)), *[(slice(y // 2, y // 2 + 24), slice(x // 2, x // 2 + 32))] * 2
        a, b, c = (np.ascontiguousarray(plane[cut]) for plane, cut in zip(whole, cuts, strict=True))
        return a, b, c

    def field_of(moved: Moved, k: int) -> MotionField:
        span = moved.references[k].time - moved.time
        return uniform((-8 * span, 8 * span), 64, 48)

    order = slots(structure, 6)
    for slot, moved in zip(order, chain(order, field_of).values(), strict=True):
        if slot.references:
            made = predictions(moved, tuple(shown(t) for t in slot.references))
            assert (made[1] is None) == (len(slot.references) == 1)
            for prediction in filter(None, made):
                inner = [p[14:-14, 14:-14] for p in (prediction[0], shown(slot.time)[0])]
                assert np.array_equal(*inner)
                assert np.array_equal(prediction[1][7:-7, 7:-7], shown(slot.time)[1][7:-7, 7:-7])


def test_predictions_take_their_own_fields() -> None:
    rng = np.random.default_rng(7)
    pictures = noise(rng, 33, 20), noise(rng, 33, 20)
    first, second = make_field(1, 33, 20, 40), make_field(2, 33, 20, 40)
    key = Moved(0, 20)
    near = Moved(1, 20, (key,), (second,))
    both = predictions(Moved(2, 20, (near, key), (first, second)), pictures)
    assert same(both, (warp(pictures[0], first), warp(pictures[1], second)))
    traced = predictions(Moved(2, 20, (near, key), (first,)), pictures)
    assert same(traced, (warp(pictures[0], first), warp(pictures[1], trace(first, second))))
    assert same(predictions(Moved(2, 20, (near,), (first,)), pictures[:1]), (both[0], None))


# what the prior is told


def told(field: MotionField, forecast: MotionField | None, second, place: Place) -> np.ndarray:
    """The table of the text, block by block."""
    rows, columns = grid_shape(field.width, field.height)
    out = np.zeros((CHANNELS, rows, columns), int)

    def vector(of: MotionField, i: int, j: int) -> np.ndarray:
        return of.vectors[2 * i, 2 * j].astype(int)

    def distance(a: np.ndarray, b: np.ndarray) -> int:
        return int(abs(a[0] - b[0]) + abs(a[1] - b[1]))

    for i, j in np.ndindex(rows, columns):
        v = vector(field, i, j)
        for channel, (down, across) in enumerate(((0, -1), (-1, 0), (0, 1), (1, 0))):
            if 0 <= i + down < rows and 0 <= j + across < columns:
                out[channel, i, j] = distance(v, vector(field, i + down, j + across))
        parts = [field.vectors[2 * i + a, 2 * j + b].astype(int) for a, b in ((0, 1), (1, 0), (1, 1))]
        out[4, i, j] = max(distance(v, part) for part in parts)
        out[5, i, j] = distance(v, np.zeros(2, int))
        out[6, i, j] = 0 if forecast is None else distance(v, vector(forecast, i, j))
        out[7:9, i, j] = [64 * (int(c) % 4 != 0) for c in v]
        out[9, i, j] = 64 * place.key
        out[10:12, i, j] = [4 * q for q in place.qualities]
        out[12:14, i, j] = [8 * d for d in place.distances]
        if second is not None:
            out[14, i, j] = 64
            out[15, i, j] = 0 if second[1] is None else distance(vector(second[0], i, j), vector(second[1], i, j))
    return np.clip(out, -255, 255)


@EXAMPLES
@given(
    SEEDS, SIDES, SIDES, SPREADS, st.booleans(), st.booleans(), st.booleans(),
    st.tuples(st.integers(1, 64), st.integers(0, 64)), st.tuples(st.integers(-63, 63), st.integers(-63, 63)),
)  # fmt: skip
def test_side_channels_are_their_table(seed, width, height, spread, known, both, key, distances, qualities) -> None:
    field, forecast, other, others = (make_field(seed + n, width, height, spread) for n in range(4))
    second = (other, others) if both else None
    place = Place(distances, qualities, key)
    made = side_channels([(field, forecast if known else None), *([second] if second else [])], place)
    assert made.dtype == np.int32 and np.abs(made).max() <= LIMIT
    assert np.array_equal(made, told(field, forecast if known else None, second, place))


@EXAMPLES
@given(st.integers(0, 63), st.integers(0, 63), st.integers(0, 63), st.permutations([0, 3, 7]), st.booleans())
def test_the_place_of_a_frame(quality: int, first: int, second: int, times: list[int], both: bool) -> None:
    t, a, b = times
    field = make_field(a, 20, 20, 9)
    far = Moved(b, second)
    near = Moved(a, first, (far,), (field,))
    fields = (field, make_field(b, 20, 20, 9)) if both else (field,)
    side = side_of(Moved(t, quality, (near, far), fields))
    told = side[9:15, 0, 0].tolist()
    assert told == [0, 4 * (quality - first), 4 * (quality - second), 8 * abs(t - a), 8 * abs(t - b), 64 * both]
    alone = side_of(Moved(t, quality, (far,), (field,)))
    assert alone[9:15, 0, 0].tolist() == [64, 4 * (quality - second), 0, 8 * abs(t - b), 0, 0]
    assert not alone[6].any() and not alone[15].any()


@EXAMPLES
@given(SEEDS, SIDES, SIDES, SPREADS)
def test_a_turned_picture_is_told_the_same_from_the_other_side(seed: int, width: int, height: int, spread: int) -> None:
    """Whole blocks mirrored: channels of left and right change places, the others follow."""
    assume(width > 8 and height > 8)
    blocks = make_field(seed, width, height, spread).vectors[::2, ::2]
    there = side_channels([(MotionField.whole(width, height, blocks), None)], Place())
    back = side_channels([(MotionField.whole(width, height, blocks[:, ::-1]), None)], Place())
    assert np.array_equal(back[[2, 1, 0, 3, *range(4, 16)]], there[:, :, ::-1])
