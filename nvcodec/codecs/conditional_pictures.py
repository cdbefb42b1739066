"""Pictures of the conditional codec: of frames that stand alone, and of those predicted from others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nvcodec.codecs.base import Planes
from nvcodec.codecs.latent_decoder import shown_picture
from nvcodec.codecs.predicted_model import PredictedModel
from nvcodec.codecs.weights import Model
from nvcodec.format import VideoFormat
from nvcodec.models.conditional_transform import Seen
from nvcodec.models.planes import features_to_planes, planes_to_features
from nvcodec.motion.chain import Moved, predictions


@dataclass(frozen=True)
class Networks:
    """Both models of a group, on one device."""

    intra: Model
    predicted: PredictedModel

    @property
    def device(self) -> str:
        return self.predicted.device


def picture_features(planes: Planes, format: VideoFormat, device: str) -> Tensor:
    """A picture as float32 features (1, 96, h, w)."""
    arrays = (plane if plane.dtype == np.uint8 else plane.astype(np.int32) for plane in planes)
    y, u, v = (torch.from_numpy(np.ascontiguousarray(array))[None].to(device) for array in arrays)
    return planes_to_features(y, u, v, (1 << format.bit_depth) - 1)


def seen(networks: Networks, moved: Moved, references: tuple[Planes, ...], format: VideoFormat) -> Seen:
    """What the transforms see of a frame's predictions from its references' pictures."""
    first, second = predictions(moved, references, format.bit_depth)
    features = [picture_features(each, format, networks.device) for each in (first, second) if each is not None]
    both = len(moved.fields) == 2
    return networks.predicted.see(features[0], features[1] if len(features) > 1 else None, both, moved.quality)


def key_picture(networks: Networks, y_hat: Tensor, quality: int, format: VideoFormat) -> Planes:
    """The picture of a frame that stands alone, from latents int32 (1, 384, h, w)."""
    return shown_picture(networks.intra, y_hat, quality, format)


def predicted_picture(networks: Networks, y_hat: Tensor, what: Seen, quality: int, format: VideoFormat) -> Planes:
    """The picture of a predicted frame."""
    features = networks.predicted.synthesise(y_hat, what, quality).nan_to_num_(0.0)
    peak = (1 << format.bit_depth) - 1
    planes = [plane[0].cpu().numpy() for plane in features_to_planes(features, format.height, format.width, peak)]
    y, u, v = (plane if plane.dtype == np.uint8 else plane.astype(np.uint16) for plane in planes)
    return y, u, v
