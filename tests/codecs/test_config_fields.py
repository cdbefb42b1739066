"""Numbers of a codec's config: every value comes back, every other string of bytes is a format error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.errors import FormatError

numbers = st.lists(st.integers(0, 2**28 - 1), max_size=20)


@given(numbers)
def test_numbers_come_back(values):
    fields = FieldWriter()
    fields.put(*values)
    reader = FieldReader(bytes(fields.data))
    assert [reader.get("field", 0, 2**28) for _ in values] == values
    reader.end()


@given(st.binary(max_size=12), st.integers(0, 300), st.integers(0, 300))
def test_any_bytes_are_numbers_in_bounds_or_a_format_error(data, low, high):
    reader, read = FieldReader(data), FieldWriter()
    try:
        for _ in range(4):
            value = reader.get("field", low, high)
            assert low <= value <= high
            read.put(value)
        reader.end()
    except FormatError as error:
        assert str(error)
    else:
        assert bytes(read.data) == data  # one form for each row of numbers


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\x81\x80\x00", b"\xff\xff\xff\xff\x01", b"\x05"])
def test_bad_numbers(data):
    with pytest.raises(FormatError, match="width"):
        FieldReader(data).get("width", 6, 2**28)


def test_bytes_left_over():
    reader = FieldReader(b"\x07\x07")
    assert reader.get("width", 7, 7) == 7
    with pytest.raises(FormatError, match="goes on"):
        reader.end()


def test_negative_numbers_cannot_be_written():
    with pytest.raises(ValueError):
        FieldWriter().put(-1)
