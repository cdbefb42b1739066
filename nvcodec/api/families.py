"""What the two families of codecs ask of settings: fitted ones take time, trained ones take weights."""

from __future__ import annotations

import hashlib

from nvcodec.api.grouping import default_gof
from nvcodec.api.settings import EncodeSettings
from nvcodec.codecs.base import Codec
from nvcodec.codecs.latent_group import coded_numbers
from nvcodec.codecs.weights import named_weights, read_weights
from nvcodec.container.limits import DEFAULT
from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat

TRAINED_GOF = 32  # frames from one key frame to the next


def check_family(codec: Codec, chosen: EncodeSettings) -> None:
    """Raise :class:`UsageError` for settings that mean nothing to the codec, InputError or FormatError for weights.

    Effort is an upper bound to ``auto``, which a trained codec keeps without trying.
    """
    if codec.family != "trained":
        if chosen.model is not None:
            raise UsageError("fitted codecs have no --model: the network's size follows from quality or goal")
        return
    for name in ("preset", "time_budget"):
        if getattr(chosen, name) is not None and chosen.codec != "auto":
            raise UsageError(f"--{name.replace('_', '-')} is for fitted codecs: {codec.name} has nothing to fit")
    read_weights(named_weights(chosen.model))
    if chosen.quality is not None and not float(chosen.quality).is_integer():
        raise UsageError(f"--quality of {codec.name} is a whole number, not {chosen.quality:g}")


def quality_of(codec: Codec, config: bytes, fmt: VideoFormat) -> float | None:
    """The quality that a group of a trained codec was coded at; None where a codec has no such thing."""
    said = codec.describe(config, fmt, 1).get("quality") if codec.family == "trained" else None
    return None if said is None else float(said)


def group_frames(codec: Codec, chosen: EncodeSettings, fmt: VideoFormat) -> int:
    """Most frames of a group. Raises :class:`UsageError` for more than readers take by default."""
    if codec.family != "trained":
        return chosen.gof or default_gof(fmt)
    numbers = coded_numbers(read_weights(named_weights(chosen.model)).config, fmt)
    most = max(1, min(DEFAULT.frames, DEFAULT.parameters // numbers))
    if chosen.gof is not None and chosen.gof > most:
        raise UsageError(f"--gof of {codec.name} is at most {most} for pictures of {fmt.width}x{fmt.height}")
    return chosen.gof or min(TRAINED_GOF, most)


def weights_digest(codec: Codec, chosen: EncodeSettings) -> str:
    """What tells a trained codec's weights from any others: their id and a hash of the file; empty for a fitted one."""
    if codec.family != "trained":
        return ""
    path = named_weights(chosen.model)
    return f"{read_weights(path).id.hex()} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
