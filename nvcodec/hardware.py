"""What this machine does fast, found once and in one place; settings that follow from it.

Machines differ: where the CPU has bf16 instructions, channels-last bf16 convolutions are
faster than fp32; where it has not, they fall to reference kernels and are far slower. So precision follows capability.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

NO_MALLOC_TUNING = "NVCODEC_NO_MALLOC_TUNING"
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def tune_allocator() -> bool:
    """Keep large blocks inside the heap (glibc), instead of mapping and faulting them anew at every allocation.

    Elementwise work on large tensors then meets no page faults; memory is then kept, not returned. Set the
    environment variable ``NVCODEC_NO_MALLOC_TUNING=1`` to leave the allocator alone. Returns whether it was tuned.
    """
    if os.environ.get(NO_MALLOC_TUNING) or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_M_TOP_PAD, 1 << 26))


def return_memory() -> None:
    """Give the system what the heap does not use now (glibc): between groups, so that gaps do not add up."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


@cache
def cpu_flags() -> frozenset[str]:
    """The CPU's feature flags as Linux names them; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def cpu_count() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    """The CPU's name for reports."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return "unknown CPU"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def fast_precision(device: str) -> str:
    """The precision that training runs fastest in: "bf16" where the hardware has it, "fp32" elsewhere."""
    if device.startswith("cuda"):
        import torch

        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if cpu_flags() & {"amx_bf16", "avx512_bf16"} else "fp32"


def pick_device(wish: str = "auto") -> str:
    """ "auto" -> "cuda" where there is one, else "cpu"; any other wish is checked.

    Raises UsageError for a device that is not there.
    """
    import torch

    from nvcodec.errors import UsageError

    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wish != "cpu" and not (wish.startswith("cuda") and torch.cuda.is_available()):
        raise UsageError(f"device {wish!r} is not available here (devices: cpu{', cuda' * torch.cuda.is_available()})")
    return wish


def devices(chosen: str) -> list[str]:
    """What workers may take in turn: every GPU for "cuda", else the device alone."""
    if chosen != "cuda":
        return [chosen]
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


_EXACT = ("ieee", "none")  # values of torch's fp32_precision that leave float32 alone
_pinning = threading.Lock()
_pinned: list[tuple[Any, str, Any]] = []  # (object, attribute, the caller's value) while anything is pinned
_pin_depth = 0


def _pin() -> None:
    """Set what lets float32 be computed in less, wherever it is not exact already; the first one in."""
    import torch

    b: Any = torch.backends
    # Only these, torch's newer names: mixed reads of them and of allow_tf32 and its like raise. What is exact is left
    # untouched, so that a setting inherited from a more general one stays inherited.
    for owner in (b.mkldnn.conv, b.mkldnn.matmul, b.cuda.matmul, b.cudnn.conv):
        if owner.fp32_precision not in _EXACT:
            _pinned.append((owner, "fp32_precision", owner.fp32_precision))
            owner.fp32_precision = "ieee"
    for name, exact in (("benchmark", False), ("enabled", True)):
        if getattr(b.cudnn, name) != exact:
            _pinned.append((b.cudnn, name, not exact))
            setattr(b.cudnn, name, exact)


@contextmanager
def exact_fp32(device: str = "cpu") -> Iterator[None]:
    """Float32 is float32 inside, whatever the caller's settings: the reference path of decoding.

    No bf16 or TF32 in products and convolutions of CPUs and GPUs, no autocast on ``device``, no choice of kernels by
    trial (cudnn.benchmark). The settings are the process's, so they are restored when the last of nested or
    concurrent uses ends. Costs microseconds.
    """
    import torch

    global _pin_depth
    with _pinning:
        if not _pin_depth:
            _pin()
        _pin_depth += 1
    try:
        with torch.autocast(device.partition(":")[0], enabled=False):
            yield
    finally:
        with _pinning:
            _pin_depth -= 1
            while not _pin_depth and _pinned:
                setattr(*_pinned.pop())


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """On a GPU, the same work gives the same bits inside; on a CPU it does anyway, and nothing is changed.

    An operation that has no deterministic form warns. Products of matrices need a fixed workspace, which CUDA reads
    from the environment when it starts: ``CUBLAS_WORKSPACE_CONFIG`` is set if it is not.
    """
    if not device.startswith("cuda"):
        yield
        return
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn: Any = torch.backends.cudnn
    fill: Any = torch.utils.deterministic
    before = torch.get_deterministic_debug_mode(), cudnn.deterministic, cudnn.benchmark, fill.fill_uninitialized_memory
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        cudnn.deterministic, cudnn.benchmark = True, False
        fill.fill_uninitialized_memory = False  # costs time, and nothing here reads what it has not written
        yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        cudnn.deterministic, cudnn.benchmark, fill.fill_uninitialized_memory = before[1:]
