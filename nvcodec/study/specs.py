"""Codecs of ours as a study names them: one in one configuration is a curve."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nvcodec.codecs.base import PRESETS
from nvcodec.codecs.registry import AUTO, get_codec, has_effort
from nvcodec.errors import UsageError
from nvcodec.study.durations import duration_text, read_duration
from nvcodec.study.settings import StudySettings


@dataclass(frozen=True)
class NeuralSpec:
    """A codec of ours and its effort, a preset or a time budget in seconds; of a trained one its model instead."""

    codec: str
    preset: str | None = None
    time_budget: float | None = None
    model: str | None = None  # of a trained codec: a size, or the whole path of a file of weights
    weights: str = ""  # id of the model's weights, in hex
    digest: str = ""  # of the whole file: an encoder may get better under one id

    @classmethod
    def parse(cls, text: str, settings: StudySettings) -> NeuralSpec:
        """``NAME[:EFFORT]``, the effort a preset or a duration, the study's own where it names none; ``NAME[:MODEL]``
        of a trained codec, the model a size or a file, the one that an encoder takes where it names none; or a preset,
        where the codec has any, with the study's own beside a model. A study's time budget is for fitted codecs alone.

        Raises:
            UsageError: no such codec, an effort that is neither, or a size without weights.
            InputError: a file of weights cannot be read.
            FormatError: it is something else or damaged.
        """
        name, colon, effort = text.partition(":")
        name = AUTO if name == "auto" else name
        if get_codec(name).family == "trained":  # which says what there is for a name that is none
            return cls._trained(name, effort if colon else None, settings.preset)
        if not colon:
            preset = settings.preset or ("medium" if settings.time_budget is None else None)
            return cls(name, preset, settings.time_budget)
        if effort in PRESETS:
            return cls(name, effort)
        seconds = read_duration(effort)
        if seconds is None or seconds < 1:
            raise UsageError(f"{effort!r} of {text!r} is neither a preset ({', '.join(PRESETS)}) nor a time such as 2m")
        return cls(name, None, seconds)

    @classmethod
    def _trained(cls, name: str, model: str | None, preset: str | None) -> NeuralSpec:
        """``preset``: the study's, for a codec that has any."""
        if not has_effort(get_codec(name)):
            preset = None
        elif model in PRESETS:
            preset, model = model, None
        from nvcodec.api.families import trained  # takes torch
        from nvcodec.codecs.weights import default_ids, weights_digest

        codec = trained(get_codec(name))
        if codec is None:
            raise UsageError(f"codec {name} has no weights that a study could name")
        files = codec.weight_files(model)
        sizes = default_ids(codec.kind)
        model = next(iter(sizes)) if model is None else model
        found, digest = weights_digest(files[-1:]).split()
        model = model if model in sizes else str(files[-1].resolve())
        return cls(name, preset, model=model, weights=found, digest=digest)

    @property
    def family(self) -> str:
        """ "fitted" or "trained"."""
        return get_codec(self.codec).family

    @property
    def file(self) -> Path | None:
        """The file of weights that was named; None for a size and for a fitted codec."""
        return Path(self.model) if self.model is not None and os.sep in self.model else None

    @property
    def configuration(self) -> str:
        """ "fast", or "2m"; of a trained codec its size's name, "s", or its file's without suffix."""
        if self.model is not None:
            model = self.model if self.file is None else self.file.stem
            return model if self.preset is None else f"{model} {self.preset}"
        return self.preset if self.preset is not None else duration_text(self.time_budget or 0)

    def check_quality(self, quality: float) -> None:
        """Raises UsageError for one that the codec's dial does not have."""
        if self.model is not None and quality != int(quality):
            raise UsageError(f"qualities of {self.codec} are whole numbers, not {quality:g}")
