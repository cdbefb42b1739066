"""Scale-Space Flow of CompressAI with random weights, for its speed: ``compressai.zoo.ssf2020`` where that loads.

The package asks for more than a codec needs (torchvision, torch-geometric, pandas). Where its zoo does not load,
the very class that the zoo would make is imported beside empty stand-ins for its registry.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

ALIGN = 128  # samples: four halvings of the pictures, three more of their latents
QUALITY = 4
_BROKEN = (ImportError, RuntimeError, AttributeError, OSError)  # what packages for another torch raise


def load_ssf(device: str = "cpu") -> tuple[Any, str]:
    """The model, ready to compress, and "" ; (None, why) where it cannot be had."""
    if "compressai" not in sys.modules and importlib.util.find_spec("compressai") is None:
        return None, "compressai is not installed"
    try:
        torch.manual_seed(0)
        model = _from_zoo()
    except _BROKEN:
        try:
            model = _alone()
        except _BROKEN as error:
            return None, f"compressai does not load: {error}"
    model = model.eval().requires_grad_(False)
    model.update(force=True)
    return model.to(device), ""


def _from_zoo() -> Any:
    return importlib.import_module("compressai.zoo").ssf2020(quality=QUALITY, pretrained=False)


def _alone() -> Any:
    """The class without the package's ``__init__``."""
    root = _package("compressai")
    root.__dict__.setdefault("get_entropy_coder", lambda: "ans")
    root.__dict__.setdefault("available_entropy_coders", lambda: ["ans"])
    registry = ModuleType("compressai.registry")
    for kind in ("criterion", "dataset", "model", "module", "optimizer", "scheduler", "transform"):
        setattr(registry, f"register_{kind}", lambda name: lambda made: made)
    sys.modules.setdefault("compressai.registry", registry)
    _package("compressai.models")
    _package("compressai.models.video")
    return importlib.import_module("compressai.models.video.google").ScaleSpaceFlow()


def _package(name: str) -> ModuleType:
    """A package of that name whose ``__init__`` is not run; one that is loaded stays."""
    if name in sys.modules:
        return sys.modules[name]
    top = importlib.util.find_spec("compressai") if name == "compressai" else None
    places = list(top.submodule_search_locations or []) if top is not None else []
    if not places:
        parent, _, last = name.rpartition(".")
        places = [f"{place}/{last}" for place in sys.modules[parent].__path__]
    package = ModuleType(name)
    package.__path__ = places
    sys.modules[name] = package
    return package


def as_tensors(pictures: Sequence[NDArray[np.uint8]], device: str = "cpu") -> list[Tensor]:
    """RGB pictures (H, W, 3) as the model takes them: float32 (1, 3, h, w) in 0..1, edges repeated to `ALIGN`."""
    made = []
    for rgb in pictures:
        x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].to(device).float() / 255
        down, right = -x.shape[2] % ALIGN, -x.shape[3] % ALIGN
        made.append(functional.pad(x, (0, right, 0, down), mode="replicate"))
    return made


def coded_bytes(strings: Any) -> int:
    """Bytes of all strings of a clip."""
    if isinstance(strings, bytes):
        return len(strings)
    parts = strings.values() if isinstance(strings, dict) else strings
    return sum(map(coded_bytes, parts))
