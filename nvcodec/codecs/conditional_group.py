"""What a group of the conditional codec says before its units, and what decoding takes (bitstream/CONDITIONAL.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nvcodec.codecs import latent_group
from nvcodec.codecs.latent_group import latent_size
from nvcodec.errors import FormatError
from nvcodec.format import VideoFormat
from nvcodec.models import prior_network
from nvcodec.models.conditional import ConditionalConfig
from nvcodec.models.conditional_transform import decoder_macs
from nvcodec.models.integer import QUALITIES
from nvcodec.models.latent import LatentConfig
from nvcodec.models.planes import FEATURES
from nvcodec.models.prior_network import TABLES, hyper_size
from nvcodec.models.weights import ID_BYTES

CONFIG_BYTES = 2 * ID_BYTES + 2


@dataclass(frozen=True)
class ConditionalGroup:
    """The config of a group."""

    intra_id: bytes  # of the weights of frames that stand alone
    model_id: bytes  # of the weights of the others
    quality: int  # 0..63, the group's; each frame has its own
    skip: int = 0  # elements under a table below are not coded

    def pack(self) -> bytes:
        return self.intra_id + self.model_id + bytes([self.quality, self.skip])


def parse_config(data: bytes) -> ConditionalGroup:
    """Raises FormatError for another length or a number out of range."""
    if len(data) != CONFIG_BYTES:
        raise FormatError(f"the config of a conditional group has {CONFIG_BYTES} bytes, not {len(data)}")
    quality, skip = data[2 * ID_BYTES :]
    if quality >= QUALITIES or skip >= TABLES:
        raise FormatError(f"a group of quality {quality} that skips below table {skip}")
    return ConditionalGroup(data[:ID_BYTES], data[ID_BYTES : 2 * ID_BYTES], quality, skip)


def coded_numbers(intra: LatentConfig, sizes: ConditionalConfig, format: VideoFormat) -> int:
    """Latents, hyper-latents and vectors of a frame, at most."""
    size = latent_size(format)
    predicted = (4 * sizes.prior.latents + 16) * math.prod(size) + sizes.prior.hyper * math.prod(hyper_size(size))
    return max(predicted, latent_group.coded_numbers(intra, format))


def macs_a_pixel(intra: LatentConfig, sizes: ConditionalConfig) -> int:
    """Multiply-adds for a luma sample of prior and synthesis, rounded up: of the dearest frame."""
    predicted = math.ceil(prior_network.macs_per_pixel(sizes.prior) + decoder_macs(sizes.transform))
    return max(predicted, latent_group.macs_a_pixel(intra))


def activation_bytes(intra: LatentConfig, sizes: ConditionalConfig, format: VideoFormat) -> int:
    """A bound of what lives at once while one frame is decoded; half of the last term is 32 pictures of 16 bits."""
    widths = 24 * max(FEATURES, sizes.transform.width8) + 8 * sizes.transform.width16 + 6 * sizes.prior.width
    widths += 8 * sizes.prior.hyper_width
    predicted = 4 * math.prod(latent_size(format)) * (widths + 32 * 4 * FEATURES)
    return max(predicted, latent_group.activation_bytes(intra, format))
