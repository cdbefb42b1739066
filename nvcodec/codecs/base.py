"""What every codec of the project offers, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nvcodec.container import Cost, Unit
from nvcodec.errors import UsageError
from nvcodec.format import Planes, VideoFormat

if TYPE_CHECKING:  # importing it takes torch, which `nvcodec --help` should not wait for
    from nvcodec.fitting.fit import FitStatus

QUALITIES = 64
OBJECTIVES = ("joint", "consistent")
STRUCTURES = ("low-delay", "random-access")
PRESETS = ("faster", "fast", "medium", "slow", "slower")


def quality_lambda(quality: float) -> float:
    """Lambda of the objective bpp + lambda x MSE (8-bit scale, 6:1:1 over Y, U, V); eight steps double it."""
    if not 0 <= quality <= QUALITIES - 1:
        raise UsageError(f"quality is 0..{QUALITIES - 1}, not {quality:g}")
    return float(0.0005 * 2 ** (quality / 8))


@dataclass(frozen=True)
class Rest:
    """What comes after a group under a goal of bytes that all of it shares."""

    frames: int
    log2_rate: float | None = None  # bytes a frame at quality 0, from the groups before; None: like this group


class GroupState(Protocol):
    """What a group leaves to those that lean on it: all that its decoder knows of it and they may need."""

    def digest(self) -> bytes:
        """8 bytes that tell it from any other."""
        ...


@dataclass(frozen=True)
class GroupSpec:
    """Everything that decides a group's bytes beside its frames."""

    quality: float = 32.0
    target_bytes: int | None = None  # of the group's payload (config and units): met from below
    rest: Rest | None = None  # where the target is of this, too: trained codecs share it out at one quality
    psnr_floor: float | None = None  # dB, mean over frames of (6Y + U + V) / 8
    preset: str = "medium"
    seconds: float | None = None  # instead of the preset
    seed: int = 0
    device: str = "cpu"
    precision: str = "fp32"  # while encoding; decoding is always fp32
    model: str | None = None  # size, where a codec has several
    chain: bool = False  # groups after it may lean on it
    objective: str = "joint"  # how the rate enters a fit, one of OBJECTIVES
    structure: str | None = None  # how frames lean on each other, one of STRUCTURES; the encoder's choice if None


@dataclass
class GroupPayload:
    """A coded group and what the encoder knows of it."""

    config: bytes
    units: list[Unit]
    symbol_hash: bytes
    picture_hash: bytes
    psnr: float  # dB, as `psnr_yuv` of the evaluation, of the decoded pictures
    estimated_bytes: float  # what the rate model said
    goal_met: bool = True
    filled: bool = False  # no setting of the codec would come nearer to a goal of bytes from below
    steps: int = 0
    seconds: float = 0.0
    modelled_bytes: float = 0.0  # what fitting saw at its end; apart where a goal changed the steps afterwards
    notes: dict[str, float] = field(default_factory=dict)
    leans: bool = False  # it decodes with the state of the group before only
    state: GroupState | None = None  # for the group after it; None where the codec's groups all stand alone

    @property
    def size(self) -> int:
        """Bytes of config and units."""
        return len(self.config) + sum(len(unit.payload) for unit in self.units)


def may_lean(codec: Codec) -> bool:
    """Whether the codec's groups may lean on the one before."""
    return bool(getattr(codec, "leans", False))


class GroupDecoder(Protocol):
    """A group ready to show any of its frames.

    It may have ``state``, for a group that leans on this one, and ``independent = True``, if ``planes`` may run in
    several threads at once.
    """

    symbol_hash: bytes  # of the decoded symbols, to be compared with the stream's

    def planes(self, frame: int) -> Planes:
        """Frame ``frame`` of the group. The same bits whatever was decoded before."""
        ...


class Codec(Protocol):
    """A pure function from frames and a spec to bytes, and back; the only files that it reads are trained weights.

    One whose groups never lean on each other need not know of ``previous``, which it is then never given, and its
    decoders need not have ``state``; one whose groups may has the attribute ``leans = True``. Where they do so by
    default, ``usual_frames`` and ``usual_keyint`` say how long groups and chains are.
    """

    name: str
    codec_id: int
    family: str  # "fitted" to each group of frames, or "trained" once: studies tell them apart

    def encode_group(
        self,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None = None,
        previous: GroupState | None = None,
    ) -> GroupPayload:
        """Code a group, which may lean on the state of the one before it. Deterministic on one machine at one thread
        count unless ``spec.seconds`` reads the clock."""
        ...

    def cost(self, config: bytes, format: VideoFormat, frame_count: int) -> Cost:
        """What decoding takes, from headers alone. Raises :class:`nvcodec.errors.FormatError` for a bad config."""
        ...

    def describe(self, config: bytes, format: VideoFormat, frame_count: int) -> dict[str, int | str]:
        """Facts of a group for people, from headers alone: name -> value. Raises FormatError for a bad config."""
        ...

    def open_group(
        self,
        config: bytes,
        units: Sequence[Unit],
        format: VideoFormat,
        frame_count: int,
        device: str = "cpu",
        previous: GroupState | None = None,
    ) -> GroupDecoder:
        """Decode the symbols of a group whose cost was accepted; ``previous`` is the state that it leans on, None if it
        stands alone. Raises FormatError (of a group that cannot lean, or not on this state, too) or DamagedError."""
        ...


@runtime_checkable
class TrainedCodec(Codec, Protocol):
    """A codec of family "trained", whose networks lie in files. ``model``: as of :class:`GroupSpec`."""

    kind: str  # of its weights: what stands before a size's name
    usual_frames: int  # of a group

    def weight_files(self, model: str | None) -> tuple[Path, ...]:
        """The files that an encoder takes, the codec's own last. Raises UsageError or InputError."""
        ...

    def check(self, model: str | None) -> None:
        """Raises what keeps an encoder from its weights: UsageError, InputError, FormatError, UnsupportedError."""
        ...

    def coded_numbers(self, model: str | None, format: VideoFormat) -> int:
        """Integers of a frame, at most: what its symbols count as beside the limits of readers."""
        ...
