"""Meeting a goal with a codec whose only dial is its quality: where on it a rising figure passes a target."""

from __future__ import annotations

import math
from collections.abc import Callable

from nvcodec.codecs.base import QUALITIES

SAFE = 4  # settings that a guess stays below the target's once there is no time to come nearer


def last_within(
    figure: Callable[[int], float],
    target: float,
    start: int,
    slope: float,
    lowest: int = 0,
    near: tuple[float, float] = (0.0, 0.0),
    more: Callable[[int], bool] = lambda trials: True,
) -> int | None:
    """The highest setting, ``lowest`` to 63, whose ``figure`` is at most ``target``, or None if even the lowest's is
    above. Settings are qualities; a codec may have some below 0.

    ``figure`` is called for few settings, once each, from ``start`` on; it should rise by about ``slope`` a step.
    Where it does not rise everywhere, the result is still within the target, and the one above it is not. A setting
    less than ``near`` below or above the target ends the search and is the result. ``more`` says whether there is time
    to look at so many settings: without it the result is the highest so far that is within; where none is, ever lower
    ones are tried until one is.
    """
    low, high = lowest - 1, QUALITIES  # within, above
    low_value, high_value = -math.inf, math.inf
    at, margin = start, 0
    while high - low > 1:
        value = figure(at)
        if -near[0] < value - target < near[1]:
            return at
        if value <= target:
            low, low_value = at, value
        else:
            high, high_value = at, value
        at = _between(low, low_value, high, high_value, target, slope)
        if low >= lowest and not more(1):
            break
        if low < lowest and not more(2):  # a guess that fails would take another one
            margin = 3 * margin or SAFE
            at = max(lowest, at - margin)
    return low if low >= lowest else None


def _between(low: int, low_value: float, high: int, high_value: float, target: float, slope: float) -> int:
    """The next quality to try: on the line through both ends, or from the one that is known by the slope."""
    if math.isfinite(low_value) and math.isfinite(high_value):
        guess = low + (target - low_value) / max(high_value - low_value, 1e-9) * (high - low)
    elif math.isfinite(low_value):
        guess = low + (target - low_value) / slope + 0.5  # half a step beyond, so that the other side shows
    else:
        guess = high - (high_value - target) / slope - 0.5
    return max(low + 1, min(high - 1, math.floor(guess + 0.5) if math.isfinite(guess) else (low + high) // 2))
