"""``nvcodec --version``: versions, and what this machine makes of them."""

from __future__ import annotations

import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from nvcodec._version import __version__
from nvcodec.cli.messages import Messages, write_line
from nvcodec.hardware import cpu_count, cpu_flags, cpu_model, fast_precision, pick_device

FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")  # that choose code paths


def run(messages: Messages) -> int:
    facts = collect()
    messages.object("version", facts)
    if not messages.json:
        write_line(messages.stdout, f"nvcodec {facts['nvcodec']}")
        for key, value in facts.items():
            if key != "nvcodec":
                shown = ", ".join(value) if isinstance(value, list) else value
                write_line(messages.stdout, f"  {key:<10} {shown if shown not in ('', None) else 'none'}")
    return 0


def collect() -> dict[str, Any]:
    """Texts and lists of texts by name."""
    import torch

    device = pick_device("auto")
    return {
        "nvcodec": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "torch": f"{torch.__version__}{_cuda_build(torch)}",
        "device": f"{device} ({torch.cuda.get_device_name() if device != 'cpu' else cpu_model()})",
        "precision": f"{fast_precision(device)} while encoding, fp32 while decoding",
        "threads": str(cpu_count()),
        "cpu flags": [flag for flag in FLAGS if flag in cpu_flags()],
        "native": _native(),
        "video": _video(),
    }


def _cuda_build(torch: Any) -> str:
    return f" (CUDA {torch.version.cuda})" if torch.version.cuda else " (CPU build)"


def _native() -> str:
    """What the compiled parts offer."""
    try:
        native = import_module("nvcodec._native")
    except ImportError as error:
        return f"not built, coding in slow Python ({error})"
    from nvcodec.entropy.native import simd_name

    said = f"rANS coder by {simd_name()} (of {', '.join(native.simd_names())}), CRC32C"
    try:
        devices = import_module("nvcodec._cuda").device_count()
    except ImportError:
        return f"{said}; CUDA part not built"
    return f"{said}; CUDA part with {devices} device{'' if devices == 1 else 's'}"


def _video() -> str:
    import av

    libraries = ", ".join(f"{name} {'.'.join(map(str, av.library_versions[name]))}" for name in ("libavcodec",))
    ffmpeg = getattr(av, "ffmpeg_version_info", "")
    return f"PyAV {_version('av')}, FFmpeg {ffmpeg} ({libraries})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
