"""Times that mean something on a machine that others use: only repetitions around which the core was undisturbed."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from nvcodec.entropy.native import clock_probe

TOLERANCE = 1.04  # how much longer than ever before a probe may take
CLEAN, MOST = 7, 60  # repetitions that are wanted, and tried


class Clock:
    """Remembers the shortest probe: that is what the core does alone."""

    def __init__(self) -> None:
        self._best = min(clock_probe() for _ in range(50))

    def _is_clean(self) -> bool:
        probe = clock_probe()
        self._best = min(self._best, probe)
        return probe <= TOLERANCE * self._best

    def seconds(self, work: Callable[[], object], threads: int = 1) -> tuple[float, int]:
        """(median seconds of the clean repetitions, how many there were); of all, and 0, if none was clean.

        CPU time of the process, or wall clock for more threads.
        """
        now = time.process_time if threads == 1 else time.perf_counter
        clean, every = list[float](), list[float]()
        work()
        while len(clean) < CLEAN and len(every) < MOST:
            before = self._is_clean()
            begin = now()
            work()
            every.append(now() - begin)
            if self._is_clean() and before:
                clean.append(every[-1])
        return median(clean or every), len(clean)
