"""Where workers of a cluster leave their statuses. Free of torch, as it runs in a process of its own."""

from __future__ import annotations

Values = tuple[float, ...]  # of a status


class Board:
    """The last status of each job."""

    def __init__(self) -> None:
        self._last: dict[int, Values] = {}

    def put(self, number: int, values: Values) -> None:
        """Leave a status of job ``number``."""
        self._last[number] = values

    def take(self) -> dict[int, Values]:
        """All that was left since the last call."""
        last, self._last = self._last, {}
        return last
