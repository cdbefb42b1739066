"""Every failure a user can meet, each with the exit code that the command line documents."""

from __future__ import annotations


class NvcodecError(Exception):
    """Base of all errors raised on purpose; ``str(error)`` is one clear line."""

    exit_code = 1


class UsageError(NvcodecError):
    """The call itself is wrong: an unknown codec, two goals at once, output equal to input."""

    exit_code = 2


class InputError(NvcodecError):
    """The source cannot be read: missing, no video in it, zero frames, interlaced."""

    exit_code = 3


class FormatError(NvcodecError):
    """An ``.nvc`` stream breaks the specification (not an nvc file, an impossible field)."""

    exit_code = 4


class DamagedError(FormatError):
    """Bytes of an ``.nvc`` stream do not match their checksum, or symbols their hash."""

    exit_code = 5


class TruncatedError(FormatError):
    """An ``.nvc`` stream ends in the middle of a chunk."""

    exit_code = 6


class UnsupportedError(FormatError):
    """The stream needs something this reader lacks: a newer version, an unknown critical chunk, a model's weights."""

    exit_code = 7


class LimitError(FormatError):
    """Decoding would cost more than the reader's limits allow; nothing was allocated."""

    exit_code = 8


class OutputError(NvcodecError):
    """The result cannot be written: no such folder, no permission, a full disk."""

    exit_code = 9


class ResumeError(NvcodecError):
    """``--resume`` found a part file made from another source or with other settings."""

    exit_code = 10


class StudyError(NvcodecError):
    """Some points of a study failed; their rows say why, and the same call tries them again."""

    exit_code = 12


class GoalError(NvcodecError):
    """``--size``, ``--bpp`` or ``--psnr`` could not be met; the nearest result was kept."""

    exit_code = 11


class WorkerError(NvcodecError):
    """Processes that code groups kept dying; what was coded before is kept."""

    exit_code = 13
