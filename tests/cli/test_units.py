from argparse import ArgumentTypeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.cli import units

READERS = (units.parse_size, units.parse_duration, units.parse_range, units.parse_int, units.parse_float)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0), ("1234", 1234), ("12B", 12), ("2MB", 2_000_000), ("500kB", 500_000), ("500k", 500_000),
        ("1KiB", 1024), ("1kib", 1024), ("1MiB", 1 << 20), ("1.5 MB", 1_500_000), ("0.1GB", 100_000_000),
        (".5kB", 500), ("2mb", 2_000_000), (" 3 GiB ", 3 << 30), ("1TB", 10**12), ("0.0015kB", 1),
    ],
)  # fmt: skip
def test_sizes(text, count):
    assert units.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "MB", "2XB", "-1", "1e6", "2 M B", "1,5MB", "iB", "5iB", "2MBit", "٣", "1" * 99])
def test_what_is_no_size(text):
    with pytest.raises(ArgumentTypeError, match="not a size; write 2MB"):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1h 30m", 5400), ("1.5h", 5400), ("1H", 3600),
        ("2d", 172800), ("1m30s", 90), ("0.5", 0.5), ("1:30", 90), ("1:02:03", 3723), ("0:00.5", 0.5),
    ],
)  # fmt: skip
def test_durations(text, seconds):
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "5x", "30m1h", "-5", "1:", ":30", "1e3", "5 minutes", "1h30", "1:2:3:4", "nan"]
)
def test_what_is_no_duration(text):
    with pytest.raises(ArgumentTypeError, match="not a duration; write 90s"):
        units.parse_duration(text)


def test_ranges():
    for text, found in {
        "40:56": (40, 56), ":56": (None, 56), "40:": (40, None), "-8:": (-8, None), ":-8": (None, -8),
        "-8:-2": (-8, -2), "5:-1": (5, -1), "-5:3": (-5, 3),
    }.items():  # fmt: skip
        assert units.parse_range(text) == found
    for text in ("", ":", "5", "a:b", "--5:3", "1:2:3", "1 :2", "-:", "1:-"):
        with pytest.raises(ArgumentTypeError, match="START:STOP"):
            units.parse_range(text)
    for text in ("5:5", "9:5", ":0", "-2:-8", "-2:0"):
        with pytest.raises(ArgumentTypeError, match="holds no frame"):
            units.parse_range(text)


def test_numbers():
    assert units.parse_int("-3") == -3
    assert units.parse_float("3.5e1") == 35
    for text in ("", "1.5", "x", "0x10", "9" * 5000):
        with pytest.raises(ArgumentTypeError, match="not a whole number"):
            units.parse_int(text)
    for text in ("", "x", "nan", "inf", "-1e999"):
        with pytest.raises(ArgumentTypeError, match="not a number"):
            units.parse_float(text)


@given(st.one_of(st.text(max_size=20), st.text("0123456789.:kKmMgGiIbBhHsd +-eE", max_size=12)))
def test_any_text_is_read_or_refused(text):
    for read in READERS:
        try:
            read(text)
        except ArgumentTypeError as error:
            assert str(error)


@given(st.integers(0, 10**14), st.sampled_from(["", "B", "k", "kB", "KiB", "MB", "MiB"]))
def test_whole_sizes_are_exact(count, unit):
    factor = {"": 1, "B": 1, "k": 1000, "kB": 1000, "KiB": 1024, "MB": 10**6, "MiB": 1 << 20}[unit]
    assert units.parse_size(f"{count}{unit}") == count * factor


@given(st.integers(0, 300), st.integers(0, 59), st.integers(0, 59))
def test_durations_in_parts_and_by_the_clock_agree(hours, minutes, seconds):
    total = hours * 3600 + minutes * 60 + seconds
    assert units.parse_duration(f"{hours}h{minutes}m{seconds}s") == total
    assert units.parse_duration(f"{hours}:{minutes:02}:{seconds:02}") == total
    assert units.parse_duration(str(total)) == total


@given(st.integers(0, 10**9 - 2), st.integers(1, 100))
def test_ranges_come_back(start, count):
    stop = min(start + count, 10**9 - 1)
    assert units.parse_range(f"{start}:{stop}") == (start, stop)


@given(st.integers(0, 10**15))
def test_shown_sizes_are_near_and_can_be_read_again(count):
    shown = units.format_size(count)
    assert abs(units.parse_size(shown) - count) <= 0.006 * count
    assert len(shown) <= 9 or count >= 10**14


def test_shown_numbers():
    assert [units.format_size(n) for n in (0, 999, 1000, 12_345, 999_999, 2_000_000)] == [
        "0 B", "999 B", "1.00 kB", "12.3 kB", "1.00 MB", "2.00 MB",
    ]  # fmt: skip
    assert [units.format_duration(s) for s in (0.84, 9.96, 59.7, 65, 3725)] == [
        "0.8 s", "10 s", "1:00", "1:05", "1:02:05",
    ]  # fmt: skip
    assert [units.format_rate(f) for f in (0, 0.1, 1.234, 12.34, 123.4)] == [
        "0.00 fps", "10.0 s/frame", "1.23 fps", "12.3 fps", "123 fps",
    ]  # fmt: skip
    assert [units.plural(n, "frame") for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
