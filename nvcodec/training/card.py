"""The model card that lies beside a file of weights: what it is, what it was trained on, what it reaches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from statistics import fmean
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from nvcodec.models.hyper import HyperEncoder
from nvcodec.models.prior_network import PriorConfig
from nvcodec.models.prior_network import macs_per_pixel as prior_macs
from nvcodec.models.transform import macs_per_pixel as transform_macs
from nvcodec.models.weights import Weights
from nvcodec.training.history import Stage
from nvcodec.training.settings import TrainSettings

_WATCHING = ("validation_clips", "log_every", "validate_every", "checkpoint_minutes")  # decide no weight
_LIMITS = """\
- Trained on small pieces of its corpus in 8-bit 4:2:0. What is not among them, such as screens, text, drawings, film
  grain and HDR, it codes too, at a worse rate.
- A stream decodes with these very weights and no others; their id stands in it.
- It was made to code pictures. It recognises nobody and nothing, and what it makes up at low rates is texture: decoded
  pictures of low quality are no evidence of detail."""


@dataclass(frozen=True)
class Figures:
    """What weights reach, rows as `validate` gives them."""

    rows: list[dict[str, Any]]
    title: str
    packed: bool  # measured with the file, not with the model before packing


@dataclass(frozen=True)
class Facts:
    """What a card is made of."""

    stem: str  # of the file's name
    data: bytes  # of the file
    weights: Weights
    stages: Sequence[Stage]  # the earliest first
    corpora: Sequence[str]  # a line each, where stages do not say theirs
    figures: Figures | None
    note: str
    terms: str


def write_card(facts: Facts) -> str:
    """The card, Markdown."""
    parts = (
        f"# {facts.stem}",
        _what(facts),
        facts.note,
        "## Sizes",
        _sizes(facts),
        "## What it reaches",
        _reaches(facts),
        "## Corpus",
        _corpus(facts),
        "## Training",
        _training(facts.stages),
        "To make it again (the same bits on the same CPU, torch and number of threads, where plans are steps):",
        "\n".join(_commands(facts.stages)),
        "## Limits",
        _LIMITS,
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(facts: Facts) -> str:
    size, temporal = facts.stages[-1].settings.model, _temporal(facts.stages)
    codecs = "`intra` and `stem`" if temporal else "`intra`"
    lacks = "" if temporal else " Its temporal prior is untrained: `stem` would run, and gain nothing."
    return (
        f"Weights of nvcodec's trained {'codecs' if temporal else 'codec'} {codecs}, size `{size}`: one autoencoder "
        "for every frame, and a prior in integers\nthat reads decoded latents only "
        f"(bitstream/TRAINED.md).{lacks}\n\n"
        f"- id `{facts.weights.id.hex()}`, over what a decoder needs\n"
        f"- {len(facts.data)} bytes, SHA-256 `{hashlib.sha256(facts.data).hexdigest()}`"
    )


def _temporal(stages: Sequence[Stage]) -> bool:
    return any(stage.settings.stage == "inter" for stage in stages)


def _sizes(facts: Facts) -> str:
    """Parameters, bytes and multiply-adds of each part."""
    config = facts.weights.config
    transform, prior = transform_macs(config.transform) / 2, prior_macs(config.prior)
    hyper = hyper_macs(config.prior)
    lines = ["| part | parameters | bytes | kMAC a pixel |", "|---|---|---|---|"]
    parts = {"analysis": transform, "hyper_encoder": hyper, "prior": prior, "synthesis": transform}
    for name, macs in parts.items():
        arrays = facts.weights.part(f"{name}.").values()
        count, size = sum(a.size for a in arrays), sum(a.nbytes for a in arrays)
        lines.append(f"| {name.replace('_', '-')} | {count} | {size} | {macs / 1000:.2f} |")
    both = f"{(transform + hyper + prior) / 1000:.1f} kMAC a luma pixel to encode, {(prior + transform) / 1000:.1f}"
    return "\n".join(lines) + f"\n\n{both} to decode."


def hyper_macs(config: PriorConfig) -> float:
    """Multiply-adds of the hyper-encoder for a luma pixel, 64 x 64 of which make one position of z."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        latents = torch.empty(1, 4 * config.latents, 4, 4)
        HyperEncoder(config)(latents, latents)
    return float(counter.get_total_flops() / 2 / 64**2)


def _reaches(facts: Facts) -> str:
    figures = facts.figures
    if figures is None or not figures.rows:
        return "Not measured."
    several = len(figures.rows[0]["bpp"]) > 1
    heads = ["first picture", *(["those that follow, means"] if several else [])]
    table = [
        f"| quality | {' | '.join(f'bpp, {head} | PSNR, {head}' for head in heads)} |",
        "|---" * (1 + 2 * len(heads)) + "|",
    ]
    for row in figures.rows:
        cells = [f"{row['bpp'][0]:.4f} | {row['psnr'][0]:.2f} dB"]
        if several:
            cells.append(f"{fmean(row['bpp'][1:]):.4f} | {fmean(row['psnr'][1:]):.2f} dB")
        table.append(f"| {row['quality']} | {' | '.join(cells)} |")
    how = "bits of the coder's tables without headers, PSNR (6Y + U + V) / 8 of 8-bit planes, means over the clips."
    return f"{figures.title}: {how}\n\n" + "\n".join(table)


def _corpus(facts: Facts) -> str:
    found = dict.fromkeys(line for stage in facts.stages for line in stage.where.corpora)
    lines = list(found) or list(facts.corpora)
    listed = "\n".join(f"- {line}" for line in lines) or "Not recorded."
    return f"{listed}\n\n{facts.terms}"


def _training(stages: Sequence[Stage]) -> str:
    """A row for each stage."""
    lines = ["| stage | steps | time | on | code |", "|---|---|---|---|---|"]
    for stage in stages:
        machines = ", then ".join(stage.where.machines) or "not recorded"
        commits = ", then ".join(stage.where.commits) or "not recorded"
        lines.append(f"| {' | '.join((stage.settings.stage, *_extent(stage), machines, commits))} |")
    means = (
        "The weights are the running mean of the last stage's; time is that of its steps, without validation.\n"
        "All settings are in the file's metadata, under `stages`."
    )
    return "\n".join(lines) + f"\n\n{means}"


def _extent(stage: Stage) -> tuple[str, str]:
    """Steps and time, and of how much where the plan was not carried out."""
    plan = stage.settings
    steps = f" of {plan.steps}" if stage.step < plan.steps else ""
    seconds = f" of {plan.seconds:.0f}" if stage.seconds < plan.seconds else ""
    return f"{stage.step}{steps}", f"{stage.seconds:.0f}{seconds} s"


def _commands(stages: Sequence[Stage]) -> Iterator[str]:
    """Command lines with every setting that decides the weights and is not a default's."""
    for number, stage in enumerate(stages, 1):
        start = f" --start-from RUN{number - 1}" if number > 1 else ""
        yield f"    nvcodec train CORPUS RUN{number}{start}{''.join(_options(stage.settings))}"
    yield f"    python -m nvcodec.training export RUN{len(stages)} nvcodec/weights --corpus CORPUS"


def _options(settings: TrainSettings) -> Iterator[str]:
    for field in fields(settings):
        if field.name in _WATCHING:
            continue
        value = getattr(settings, field.name)
        if field.name == "stage" or value != field.default:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            yield f" --{field.name.replace('_', '-')} {text or repr('')}"
