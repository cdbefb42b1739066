"""``--codec stem``: a trained autoencoder and a spatiotemporal entropy model, no motion (after STEM, Sun et al. 2021).

Every frame goes through the same transforms by itself; what frames have in common is left to the prior, which reads
the decoded latents of the two frames before, in integers that are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nvcodec.codecs.base import GroupPayload, GroupSpec, Planes
from nvcodec.codecs.latent_decoder import LatentDecoder
from nvcodec.codecs.latent_group import LatentGroup, activation_bytes, coded_numbers, macs_a_pixel, parse_config
from nvcodec.codecs.weights import find_weights, latent_sizes, named_weights, read_weights, stored_model
from nvcodec.container import Cost, Unit
from nvcodec.errors import UnsupportedError
from nvcodec.fitting.fit import FitStatus
from nvcodec.format import VideoFormat


class StemCodec:
    """See the module."""

    name = "stem"
    codec_id = 3
    family = "trained"
    kind = ""
    usual_frames = 32
    temporal = True  # units may lean on the unit before

    def weight_files(self, model: str | None) -> tuple[Path, ...]:
        """Raises UsageError or InputError."""
        return (named_weights(model),)

    def check(self, model: str | None) -> None:
        """Raises UsageError, InputError, FormatError, UnsupportedError."""
        latent_sizes(read_weights(named_weights(model)))

    def coded_numbers(self, model: str | None, format: VideoFormat) -> int:
        """Integers of a frame."""
        return coded_numbers(latent_sizes(read_weights(named_weights(model))), format)

    def encode_group(
        self,
        frames: Sequence[Planes],
        format: VideoFormat,
        spec: GroupSpec,
        on_status: Callable[[FitStatus], None] | None = None,
    ) -> GroupPayload:
        from nvcodec.codecs.latent_encoder import LatentEncoder

        return LatentEncoder(self.temporal, frames, format, spec, on_status).run()

    def cost(self, config: bytes, format: VideoFormat, frame_count: int) -> Cost:
        """Raises FormatError for a bad config, UnsupportedError where its weights are not here."""
        sizes = latent_sizes(read_weights(find_weights(parse_config(config).model_id)))
        return Cost(
            frame_count * coded_numbers(sizes, format),
            macs_a_pixel(sizes),
            activation_bytes(sizes, format),
            format.width * format.height,
            frame_count,
        )

    def describe(self, config: bytes, format: VideoFormat, frame_count: int) -> dict[str, int | str]:
        """Id of the weights, their size's name, quality, threshold of skipping."""
        group = parse_config(config)
        found: dict[str, int | str] = {"weights": group.model_id.hex()}
        try:
            found["model"] = read_weights(find_weights(group.model_id)).about.get("model", "")
        except UnsupportedError:
            found["model"] = "not here"
        return found | {"quality": group.quality, "skip": group.skip}

    def open_group(
        self, config: bytes, units: Sequence[Unit], format: VideoFormat, frame_count: int, device: str = "cpu"
    ) -> LatentDecoder:
        group: LatentGroup = parse_config(config)
        return LatentDecoder(stored_model(group.model_id, device), group, units, format, self.temporal)
