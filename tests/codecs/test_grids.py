"""Every picture size has strides and a grid, and the reader accepts that grid and no other."""

from math import prod

import pytest

from nvcodec.codecs.fields import FieldReader, FieldWriter
from nvcodec.codecs.grids import MOST_GRID, STRIDES, choose_strides, get_grid, get_strides, grid_of, put_strides
from nvcodec.errors import FormatError

SIZES = [*range(8, 260), *range(260, 1001, 13)]  # of a chroma plane: pictures of 16 to 2000


@pytest.mark.parametrize("aspect", [0.4, 1.0, 16 / 9, 3.0])
def test_every_size_has_a_grid_that_the_reader_accepts(aspect):
    for rows in SIZES:
        columns = max(8, round(rows * aspect))
        strides = choose_strides(rows, columns, 5.0)
        grid = grid_of(rows, columns, strides)
        fields = FieldWriter()
        put_strides(fields, strides)
        fields.put(*grid)
        reader = FieldReader(bytes(fields.data))
        assert get_strides(reader) == strides
        assert get_grid(reader, strides, rows, columns) == grid
        reader.end()
        scale = prod(strides)
        assert grid[0] * scale >= rows > (grid[0] - 1) * scale
        assert grid[1] * scale >= columns > (grid[1] - 1) * scale


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_tiny_pictures(rows):
    for columns in (1, 2, 5, 300):
        grid = grid_of(rows, columns, choose_strides(rows, columns, 5.0))
        assert min(grid) >= 1 and max(grid) <= MOST_GRID


def test_common_pictures_waste_little():
    for height, width in [(1080, 1920), (720, 1280), (480, 832), (288, 352), (144, 176), (272, 640), (2160, 3840)]:
        rows, columns = height // 2, width // 2
        strides = choose_strides(rows, columns, 5.0)
        grid = grid_of(rows, columns, strides)
        assert prod(grid) * prod(strides) ** 2 <= 1.15 * rows * columns
        assert max(grid) <= MOST_GRID


def test_options_are_within_what_a_stream_may_say():
    assert all(1 <= len(strides) <= 8 and all(1 <= s <= 16 for s in strides) for strides in STRIDES)


def test_another_grid_is_refused():
    fields = FieldWriter()
    fields.put(3, 4)
    with pytest.raises(FormatError, match="3x4"):
        get_grid(FieldReader(bytes(fields.data)), (2, 2), 16, 16)
