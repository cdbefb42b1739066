"""CompressAI's compiled coder without its package ``__init__``, whose torchvision CPU torch cannot load."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType


def load_compressai(submodule: str) -> ModuleType | None:
    """``compressai.<submodule>`` (ans, entropy_models, layers, ops), or None where compressai is missing."""
    if "compressai" not in sys.modules:
        spec = importlib.util.find_spec("compressai")
        if spec is None or spec.submodule_search_locations is None:
            return None
        package = ModuleType("compressai")
        package.__path__ = list(spec.submodule_search_locations)
        package.get_entropy_coder = lambda: "ans"  # type: ignore[attr-defined]
        package.available_entropy_coders = lambda: ["ans"]  # type: ignore[attr-defined]
        sys.modules["compressai"] = package
    return importlib.import_module(f"compressai.{submodule}")
