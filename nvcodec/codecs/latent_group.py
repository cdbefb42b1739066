"""What a group of a trained codec says before its units, and what decoding it takes (bitstream/TRAINED.md, 1 and 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nvcodec.errors import FormatError
from nvcodec.format import VideoFormat
from nvcodec.models import prior_network, transform
from nvcodec.models.integer import QUALITIES
from nvcodec.models.latent import LatentConfig
from nvcodec.models.planes import ALIGN, FEATURES
from nvcodec.models.prior_network import TABLES, hyper_size
from nvcodec.models.weights import ID_BYTES

CONFIG_BYTES = ID_BYTES + 2


@dataclass(frozen=True)
class LatentGroup:
    """The config of a group."""

    model_id: bytes  # of the weights
    quality: int  # 0..63
    skip: int = 0  # elements under a table below are not coded

    def pack(self) -> bytes:
        return self.model_id + bytes([self.quality, self.skip])


def parse_config(data: bytes) -> LatentGroup:
    """Raises FormatError for another length or a number out of range."""
    if len(data) != CONFIG_BYTES:
        raise FormatError(f"the config of a trained codec's group has {CONFIG_BYTES} bytes, not {len(data)}")
    quality, skip = data[ID_BYTES:]
    if quality >= QUALITIES or skip >= TABLES:
        raise FormatError(f"a group of quality {quality} that skips below table {skip}")
    return LatentGroup(data[:ID_BYTES], quality, skip)


def latent_size(format: VideoFormat) -> tuple[int, int]:
    """Rows and columns of latents at 1/16 of the picture, rounded up."""
    return -(-format.height // ALIGN), -(-format.width // ALIGN)


def coded_numbers(sizes: LatentConfig, format: VideoFormat) -> int:
    """Latents and hyper-latents of a frame."""
    size = latent_size(format)
    return 4 * sizes.prior.latents * math.prod(size) + sizes.prior.hyper * math.prod(hyper_size(size))


def macs_a_pixel(sizes: LatentConfig) -> int:
    """Multiply-adds for a luma sample of prior and synthesis, rounded up."""
    return math.ceil(prior_network.macs_per_pixel(sizes.prior) + transform.macs_per_pixel(sizes.transform) / 2)


def activation_bytes(sizes: LatentConfig, format: VideoFormat) -> int:
    """A bound of what lives at once while one frame is decoded."""
    widths = 16 * max(FEATURES, sizes.transform.width8) + 8 * sizes.transform.width16 + 6 * sizes.prior.width
    widths += 8 * sizes.prior.hyper_width
    return 4 * math.prod(latent_size(format)) * (widths + 12 * 4 * FEATURES)
