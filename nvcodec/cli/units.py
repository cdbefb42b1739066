"""Sizes, durations, ranges and numbers: from text as people write them, and back."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from decimal import Decimal

_NUMBER = r"\d{1,15}(?:\.\d{0,15})?|\.\d{1,15}"
_SIZE = re.compile(rf"({_NUMBER})\s*([kmgt]?)(i?)(b?)", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_CLOCK = re.compile(rf"(?:(\d{{1,6}}):)?(\d{{1,6}}):({_NUMBER})", re.ASCII)
_PARTS = re.compile(rf"(?:({_NUMBER})d)?(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_NUMBER})s)?", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(r"(-?\d{1,9})?:(-?\d{1,9})?", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes: "2MB" is 2 000 000, "500kB", "1MiB" is 1 048 576, "1.5 MB"; without a unit, bytes.

    Raises :class:`argparse.ArgumentTypeError`.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        raise ArgumentTypeError(f"{text!r} is not a size; write 2MB, 500kB, 1MiB or a number of bytes")
    base = 1024 if match[3] else 1000
    return int(Decimal(match[1]) * base ** _POWERS[match[2].lower()])


def parse_duration(text: str) -> float:
    """Seconds: "90s", "5m", "1h30m", "1.5h", "2d", "1:30" or "1:02:03"; without a unit, seconds.

    Raises :class:`argparse.ArgumentTypeError`.
    """
    plain = re.sub(r"\s+", "", text)
    if (clock := _CLOCK.fullmatch(plain)) is not None:
        return float(int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + Decimal(clock[3]))
    match = _PARTS.fullmatch(f"{plain}s" if plain[-1:].isdigit() and not re.search("[a-z]", plain, re.I) else plain)
    if match is None or not any(match.groups()):
        raise ArgumentTypeError(f"{text!r} is not a duration; write 90s, 5m, 1h30m or a number of seconds")
    units = (86400, 3600, 60, 1)
    return float(sum(Decimal(part or 0) * unit for part, unit in zip(match.groups(), units, strict=True)))


def parse_range(text: str) -> tuple[int | None, int | None]:
    """Frame indices START:STOP, as in a Python slice: either end may be left out, or count from the end.

    Raises :class:`argparse.ArgumentTypeError`.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ArgumentTypeError(f"{text!r} is not a range of frames; write START:STOP, as in 40:56, 40: or -8:")
    start, stop = (None if part is None else int(part) for part in match.groups())
    alike = stop is not None and (start is not None and start < 0) == (stop < 0)  # counted from the same end
    if stop == 0 or (alike and stop is not None and (start or 0) >= stop):
        raise ArgumentTypeError(f"the range {text} holds no frame: STOP is not behind START")
    return start, stop


def parse_names(text: str) -> tuple[str, ...]:
    """Names with commas between; raises :class:`argparse.ArgumentTypeError`."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ArgumentTypeError(f"{text!r} is not a list of names; write A,B,C")
    return names


def parse_numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between; raises :class:`argparse.ArgumentTypeError`."""
    return tuple(parse_float(part) for part in parse_names(text))


def parse_shape(text: str) -> tuple[int, int]:
    """(width, height) of "1280x640"; raises :class:`argparse.ArgumentTypeError`."""
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip(), re.ASCII)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a size in pixels; write WIDTHxHEIGHT, as in 1280x640")
    return int(match[1]), int(match[2])


def parse_int(text: str) -> int:
    """A whole number; raises :class:`argparse.ArgumentTypeError`."""
    if re.fullmatch(r"[+-]?\d{1,18}", text.strip(), re.ASCII) is None:
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def parse_float(text: str) -> float:
    """A finite number; raises :class:`argparse.ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"{text!r} is not a number")
    return value


def format_size(count: float) -> str:
    """Three digits that matter: "999 B", "1.23 kB", "45.6 MB"; 1 kB is 1000 bytes."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(value) < 999.5:
            break
        value, unit = value / 1000, larger
    if unit == "B":
        return f"{value:.0f} B"
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def format_duration(seconds: float) -> str:
    """ "0.8 s" and "42 s" below a minute, then "1:05" and "1:02:05"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def format_rate(fps: float) -> str:
    """Frames a second; below one, seconds a frame."""
    if 0 < fps < 0.995:
        return f"{1 / fps:.1f} s/frame"
    return f"{fps:.{2 if fps < 9.995 else 1 if fps < 99.95 else 0}f} fps"


def plural(count: int, word: str) -> str:
    """ "1 frame", "3 frames"."""
    return f"{count} {word}{'' if count == 1 else 's'}"
