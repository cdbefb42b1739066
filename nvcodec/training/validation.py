"""What a model reaches on clips that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nvcodec.metrics import psnr_from_mse
from nvcodec.training.corpus import Frames, Split, planes

QUALITIES = (8, 24, 40, 56)


def validation_clips(split: Split, clips: int, frames: int) -> Frames:
    """The first held-out clips that are long enough, in the corpus' order; whole pieces, not crops."""
    size = max(items.size for items, rows in split.validation if items.frames >= frames and len(rows))
    found = [
        items.samples[rows[:clips], :frames]
        for items, rows in split.validation
        if items.frames >= frames
        and items.size == size
        and (frames > 1 or items.frames > 1 or len(split.validation) == 1)
    ]
    return planes(np.concatenate(found)[:clips], size)


@contextmanager
def weights_of(model: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """The model with other weights and in evaluation mode, within."""
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    training = model.training
    model.load_state_dict(tensors)
    model.eval()
    try:
        yield
    finally:
        model.load_state_dict(own)
        model.train(training)


@torch.no_grad()
def validate(model: Any, clips: Frames, device: str = "cpu") -> list[dict[str, Any]]:
    """A row for each of `QUALITIES`: bpp and PSNR, means over the clips, of each position in a clip.

    Bits are the entropy model's with rounded latents; PSNR is (6Y + U + V) / 8 of the planes' PSNRs.
    """
    rows = []
    pixels = clips[0].shape[-1] * clips[0].shape[-2]
    for quality in QUALITIES:
        bits, psnr = [], []
        for start in range(len(clips[0])):
            one = tuple(plane[start : start + 1].to(device) for plane in clips)
            terms = model.loss_terms(one, torch.full((1,), float(quality), device=device))
            bits.append(terms.bits[0].double().cpu() / pixels)
            psnr.append([[psnr_from_mse(float(e)) for e in errors] for errors in terms.errors[0].cpu()])
        weighted = np.array(psnr) @ np.array((0.75, 0.125, 0.125))
        row = {"quality": quality, "bpp": torch.stack(bits).mean(0).tolist(), "psnr": weighted.mean(0).tolist()}
        rows.append(row)
    return rows
