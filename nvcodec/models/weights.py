"""Weights of a trained codec as one safetensors file: how they are named, stored, checked (bitstream/TRAINED.md, 2).

Tensors under ``prior.`` (integers), ``synthesis.`` and ``context.`` (float16 or float32) are what a decoder needs; they
and the sizes are what the model's id is a hash of. Those under ``analysis.`` and ``hyper_encoder.`` serve encoders,
which may get better without another id. Files are of two kinds: of pictures by themselves (stem, intra), and of
predicted ones (conditional).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from nvcodec.errors import FormatError, UnsupportedError
from nvcodec.models.conditional import ConditionalConfig, ConditionalModel
from nvcodec.models.conditional_transform import ConditionalTransformConfig
from nvcodec.models.latent import LatentConfig, LatentModel
from nvcodec.models.prior_network import PriorConfig
from nvcodec.models.residual_prior import ResidualPriorConfig
from nvcodec.models.transform import TransformConfig

FORMAT = "nvcodec weights"
VERSION = 1
ID_BYTES = 8
MAX_BYTES = 1 << 26  # of a file
DECODER = ("prior.", "synthesis.", "context.")
Config = LatentConfig | ConditionalConfig
_WIDE = ("linear", ".logs")  # in names of tensors that stay float32: the linear path and scales of channels

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Weights:
    """A file's contents: sizes, tensors by their names, the id, and what else the file says of itself."""

    config: Config
    arrays: Arrays
    id: bytes
    about: Mapping[str, str]

    def part(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Tensors under a prefix, named without it."""
        return {name.removeprefix(prefix): a for name, a in self.arrays.items() if name.startswith(prefix)}


def model_id(sizes: str, arrays: Arrays) -> bytes:
    """8 bytes: the start of SHA-256 over the sizes and the decoder's tensors in the order of their names."""
    digest = hashlib.sha256(sizes.encode())
    for name in sorted(name for name in arrays if name.startswith(DECODER)):
        array = arrays[name]
        head = f"\n{name} {array.dtype.newbyteorder('<').str[1:]} {','.join(map(str, array.shape))}\n"
        digest.update(head.encode() + np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:ID_BYTES]


def sizes_text(config: Config) -> str:
    """The sizes as JSON in one line, keys in order, no spaces."""
    return json.dumps(asdict(config), sort_keys=True, separators=(",", ":"))


def pack_weights(model: LatentModel | ConditionalModel, about: Mapping[str, str] | None = None) -> bytes:
    """A file's bytes: the prior's integers, transforms in float16 where that is fine enough.

    Raises ValueError where a sum of the prior could be inexact or a number is not finite.
    """
    arrays: dict[str, NDArray[Any]] = {f"prior.{name}": array for name, array in model.prior.export().items()}
    for prefix in parts_of(model.config):
        for name, tensor in model.get_submodule(prefix).state_dict().items():
            arrays[f"{prefix}.{name}"] = _stored(f"{prefix}.{name}", tensor)
    sizes = sizes_text(model.config)
    said = {"format": f"{FORMAT} {VERSION}", "sizes": sizes, "id": model_id(sizes, arrays).hex()}
    return safetensors.numpy.save(dict(sorted(arrays.items())), {**(about or {}), **said})


def parts_of(config: Config) -> tuple[str, ...]:
    """Names of the parts that a file of this kind holds beside the prior."""
    parts = ("synthesis", "analysis", "hyper_encoder")
    return ("context", *parts) if isinstance(config, ConditionalConfig) else parts


def _stored(name: str, tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().float().cpu().numpy()
    half = array.astype(np.float16) if array.ndim > 1 and not any(word in name for word in _WIDE) else array
    if not np.isfinite(half).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return half


def parse_weights(data: bytes) -> Weights:
    """The contents of a file.

    Raises:
        FormatError: it is none, is damaged, or its tensors do not have the id that it states.
        UnsupportedError: it is of a later version.
    """
    about = _metadata(data)
    config, sizes = _sizes(about.get("sizes", ""))
    try:
        arrays = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"not a file of weights: {error}") from None
    found = model_id(sizes, arrays)
    if found.hex() != about.get("id"):
        raise FormatError(f"weights are damaged: they have the id {found.hex()}, not {about.get('id')} as they state")
    return Weights(config, arrays, found, about)


def _metadata(data: bytes) -> dict[str, str]:
    """The strings of a safetensors file, which begins with the length of its JSON head, and are no others' version."""
    try:
        size = int.from_bytes(data[:8], "little")
        if len(data) < 8 or size > min(len(data) - 8, 1 << 20):
            raise ValueError("it is too short")
        said = json.loads(data[8 : 8 + size])["__metadata__"]
        form, _, version = said["format"].rpartition(" ")
        known = form == FORMAT and re.fullmatch("[1-9][0-9]{0,8}", version) is not None
        if not known or not all(isinstance(text, str) for text in said.values()):
            raise ValueError("it says another form")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"not a file of weights: {error}") from None
    if int(version) > VERSION:
        raise UnsupportedError(f"the weights are of version {version}, this program reads up to {VERSION}")
    return dict(said)


def _sizes(text: str) -> tuple[Config, str]:
    """The sizes of a file's text, and that text in its one form."""
    try:
        said = json.loads(text)
        prior = dict(said["prior"], flat_channels=tuple(said["prior"]["flat_channels"]))
        config: Config
        if "side" in prior:
            config = ConditionalConfig(ConditionalTransformConfig(**said["transform"]), ResidualPriorConfig(**prior))
        else:
            config = LatentConfig(TransformConfig(**said["transform"]), PriorConfig(**prior))
        numbers = [*asdict(config.transform).values(), *prior.pop("flat_channels"), *prior.values()]
        if not all(type(number) is int for number in numbers):
            raise ValueError("a size is no whole number")
        if json.loads(sizes_text(config)) != said:
            raise ValueError("members are missing, or too many")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"weights state impossible sizes: {error}") from None
    if (why := config.fault()) is not None:
        raise FormatError(f"weights state impossible sizes: {why}")
    return config, sizes_text(config)


def load_transform(module: torch.nn.Module, arrays: Arrays) -> None:
    """Put a part's tensors into a module that was made on the meta device, as float32.

    Raises FormatError unless they are the module's, by name and shape, and finite.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    there = {name: tuple(array.shape) for name, array in arrays.items()}
    if wanted != there:
        odd = sorted(set(wanted.items()) ^ set(there.items()))[0][0]
        raise FormatError(f"weights do not have the tensors of their sizes: {odd}")
    if not all(a.dtype in (np.float16, np.float32) and np.isfinite(a).all() for a in arrays.values()):
        raise FormatError("weights hold a tensor of another type, or numbers that are not finite")
    tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
    module.load_state_dict(tensors, assign=True)
