"""The number of CPU threads for the time of a call."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from nvcodec.errors import UsageError
from nvcodec.hardware import cpu_count


@contextmanager
def cpu_threads(wanted: int | None, workers: int = 1) -> Iterator[int]:
    """Let torch use ``wanted`` threads (default: every core that this process may use) inside the block.

    With several ``workers``, that is for each of them; by default they share the cores.

    Raises :class:`UsageError` for a number below 1.
    """
    import torch

    if wanted is not None and wanted < 1:
        raise UsageError(f"--threads is at least 1, not {wanted}")

    before = torch.get_num_threads()
    count = wanted or max(1, (before if "OMP_NUM_THREADS" in os.environ else cpu_count()) // workers)
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)
