"""What the two families of codecs ask of settings: fitted ones take time, trained ones take weights."""

from __future__ import annotations

from nvcodec.api.grouping import default_gof
from nvcodec.api.settings import EncodeSettings
from nvcodec.codecs.base import Codec, TrainedCodec, may_lean
from nvcodec.codecs.goal_search import SKIP
from nvcodec.codecs.registry import has_effort
from nvcodec.codecs.weights import weights_digest as files_digest
from nvcodec.container.limits import DEFAULT
from nvcodec.errors import UsageError
from nvcodec.format import VideoFormat


def trained(codec: Codec) -> TrainedCodec | None:
    """A codec whose networks lie in files; None of one that is fitted, or has no networks."""
    return codec if isinstance(codec, TrainedCodec) else None


def check_family(codec: Codec, chosen: EncodeSettings) -> None:
    """Raise :class:`UsageError` for settings that mean nothing to the codec, InputError or FormatError for weights.

    Effort is an upper bound to ``auto``, which a trained codec keeps without trying.
    """
    if chosen.structure is not None and codec.name != "conditional":
        raise UsageError(f"--structure is for codec conditional: {codec.name} has no choice")
    if chosen.objective is not None and (codec.family != "fitted" or getattr(codec, "library", False)):
        raise UsageError(f"--objective is for fitted codecs but pfnr, not for {codec.name}")
    if chosen.keyint is not None and not may_lean(codec):
        raise UsageError(
            f"--keyint is for fitted codecs: groups of {codec.name} all stand alone, --gof sets their length"
        )
    if chosen.keyint is not None and getattr(codec, "library", False):
        raise UsageError(f"--keyint is not for {codec.name}: every group leans on the one before")
    if chosen.keyint is not None and chosen.gof is not None and chosen.keyint < chosen.gof:
        raise UsageError(f"--keyint is at least --gof ({chosen.gof}), not {chosen.keyint}")
    if codec.family != "trained":
        if chosen.model is not None:
            raise UsageError("fitted codecs have no --model: the network's size follows from quality or goal")
        return
    for name in ("preset", "time_budget"):
        if getattr(chosen, name) is not None and chosen.codec != "auto" and not has_effort(codec):
            raise UsageError(f"--{name.replace('_', '-')} is not for {codec.name}: it has nothing to try or to fit")
    if (files := trained(codec)) is not None:
        files.check(chosen.model)
    if chosen.quality is not None and not float(chosen.quality).is_integer():
        raise UsageError(f"--quality of {codec.name} is a whole number, not {chosen.quality:g}")


def setting_of(codec: Codec, config: bytes, fmt: VideoFormat) -> float | None:
    """Where on its dial a group of a trained codec was coded: its quality, or -n where n tables more are skipped than
    usual at quality 0. None where a codec has no such thing."""
    said = codec.describe(config, fmt, 1) if codec.family == "trained" else {}
    if "quality" not in said:
        return None
    return float(said["quality"]) - max(0.0, float(said.get("skip", SKIP)) - SKIP)


def group_frames(codec: Codec, chosen: EncodeSettings, fmt: VideoFormat) -> int:
    """Most frames of a group. Raises :class:`UsageError` for more than readers take by default."""
    files = trained(codec)
    if files is None:
        gof = chosen.gof or getattr(codec, "usual_frames", 0) or default_gof(fmt)
        return gof if chosen.keyint is None else min(gof, chosen.keyint)
    numbers = files.coded_numbers(chosen.model, fmt)
    most = max(1, min(DEFAULT.frames, DEFAULT.parameters // numbers))
    if chosen.gof is not None and chosen.gof > most:
        raise UsageError(f"--gof of {codec.name} is at most {most} for pictures of {fmt.width}x{fmt.height}")
    return chosen.gof or min(files.usual_frames, most)


def key_distance(codec: Codec, chosen: EncodeSettings, gof: int) -> int:
    """Most frames from one point where decoding can start to the next."""
    if not may_lean(codec):
        return gof
    return chosen.keyint or max(gof, getattr(codec, "usual_keyint", 0))


def weights_digest(codec: Codec, chosen: EncodeSettings) -> str:
    """What tells a trained codec's weights from any others; empty for a fitted one."""
    files = trained(codec)
    return "" if files is None else files_digest(files.weight_files(chosen.model))
