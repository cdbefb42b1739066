"""``--codec conditional``: motion-compensated conditional coding with symbols that are the same on every machine.

Key frames go through the intra model; the others are coded given a prediction from pictures before (and, in random
access, behind) them, along a motion field that the encoder searched and the stream carries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nvcodec.codecs.base import GroupPayload, GroupSpec, Planes
from nvcodec.codecs.conditional_decoder import ConditionalDecoder
from nvcodec.codecs.conditional_group import (
    activation_bytes,
    coded_numbers,
    macs_a_pixel,
    parse_config,
)
from nvcodec.codecs.conditional_pictures import Networks
from nvcodec.codecs.predicted_model import KIND, load_predicted, predicted_sizes, stored_predicted
from nvcodec.codecs.weights import find_weights, latent_sizes, load_model, named_weights, read_weights, stored_model
from nvcodec.container import Cost, Unit
from nvcodec.errors import UnsupportedError
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat
from nvcodec.models.conditional import ConditionalConfig
from nvcodec.models.latent import LatentConfig


class ConditionalCodec:
    """See the module."""

    name = "conditional"
    codec_id = 5
    family = "trained"
    kind = KIND
    usual_frames = 64

    def weight_files(self, model: str | None) -> tuple[Path, ...]:
        """Of key frames, and the codec's own. Raises UsageError or InputError."""
        return named_weights(None), named_weights(model, KIND)

    def check(self, model: str | None) -> None:
        """Raises UsageError, InputError, FormatError, UnsupportedError."""
        self._sizes(*self.weight_files(model))

    def coded_numbers(self, model: str | None, format: VideoFormat) -> int:
        """Integers of a frame, at most."""
        return coded_numbers(*self._sizes(*self.weight_files(model)), format)

    @staticmethod
    def _sizes(intra: Path, predicted: Path) -> tuple[LatentConfig, ConditionalConfig]:
        return latent_sizes(read_weights(intra)), predicted_sizes(read_weights(predicted))

    def encode_group(
        self,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None = None,
    ) -> GroupPayload:
        from nvcodec.codecs.conditional_encoder import ConditionalEncoder

        intra, predicted = self.weight_files(spec.model)
        networks = Networks(load_model(intra, spec.device), load_predicted(predicted, spec.device))
        return ConditionalEncoder(networks, frames, format, spec, on_status).run()

    def cost(self, config: bytes, format: VideoFormat, frame_count: int) -> Cost:
        """Raises FormatError for a bad config, UnsupportedError where its weights are not here."""
        group = parse_config(config)
        intra, sizes = self._sizes(find_weights(group.intra_id), find_weights(group.model_id))
        return Cost(
            frame_count * coded_numbers(intra, sizes, format),
            macs_a_pixel(intra, sizes),
            activation_bytes(intra, sizes, format),
            format.width * format.height,
            frame_count,
        )

    def describe(self, config: bytes, format: VideoFormat, frame_count: int) -> dict[str, int | str]:
        """Ids of the weights, their size's name, quality, threshold of skipping."""
        group = parse_config(config)
        found: dict[str, int | str] = {"weights": group.model_id.hex(), "key_weights": group.intra_id.hex()}
        try:
            found["model"] = read_weights(find_weights(group.model_id)).about.get("model", "").removeprefix(KIND)
        except UnsupportedError:
            found["model"] = "not here"
        return found | {"quality": group.quality, "skip": group.skip}

    def open_group(
        self, config: bytes, units: Sequence[Unit], format: VideoFormat, frame_count: int, device: str = "cpu"
    ) -> ConditionalDecoder:
        group = parse_config(config)
        networks = Networks(stored_model(group.intra_id, device), stored_predicted(group.model_id, device))
        return ConditionalDecoder(networks, group, units, format)
