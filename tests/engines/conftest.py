"""The codec of these tests is registered while they run, and leaves no trace for others of the same process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nvcodec.codecs import registry
from tests.engines.fakes import NAME, register_counter


@pytest.fixture(autouse=True, scope="module")
def counter() -> Iterator[None]:
    register_counter()
    yield
    del registry.CODECS[NAME]
