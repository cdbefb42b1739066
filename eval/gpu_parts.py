"""The work behind `eval.on_gpu`'s parts, each a process of its own that prints one JSON object. Needs no PyAV."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from nvcodec.errors import NvcodecError, UsageError


def device() -> dict[str, Any]:
    """What this machine computes with."""
    import torch

    found: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "devices": []}
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        compute = f"{facts.major}.{facts.minor}"
        found["devices"].append({"name": facts.name, "memory": facts.total_memory, "compute": compute})
    return found


def fit(given: argparse.Namespace) -> dict[str, Any]:
    """Fits one group of pictures on the GPU and writes its payload."""
    raise UsageError("fits on a GPU are not wired to the codecs yet")


def decode(given: argparse.Namespace) -> dict[str, Any]:
    """Decodes a payload on the GPU again and again; frames a second and the PSNR of the pictures."""
    raise UsageError("decodes on a GPU are not wired to the codecs yet")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m eval.gpu_parts", description=(__doc__ or "").split("\n\n")[0])
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("device")
    for name in ("fit", "decode"):
        command = commands.add_parser(name)
        command.add_argument("clip", help="what `eval.on_gpu prepare` wrote")
        command.add_argument("payload", help="file of the group's payload")
        command.add_argument("--codec", default="hnerv")
        if name == "fit":
            command.add_argument("--quality", type=int, default=32)
            command.add_argument("--steps", type=int, default=2000)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Does one part and prints what it found."""
    given = parse(arguments)
    try:
        print(json.dumps(device() if given.what == "device" else {"fit": fit, "decode": decode}[given.what](given)))
    except NvcodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
