"""The model card that lies beside a file of weights: what it is, what it was trained on, what it reaches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from statistics import fmean
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from nvcodec.models.conditional import ConditionalConfig
from nvcodec.models.conditional_transform import ConditionalAnalysis, ConditionalSynthesis, Context, Seen
from nvcodec.models.hyper import HyperEncoder
from nvcodec.models.planes import FEATURES
from nvcodec.models.prior_network import PriorConfig
from nvcodec.models.prior_network import macs_per_pixel as prior_macs
from nvcodec.models.quality import QUALITY_ANCHORS
from nvcodec.models.transform import LATENTS
from nvcodec.models.transform import macs_per_pixel as transform_macs
from nvcodec.models.weights import Config, Weights
from nvcodec.training.history import Stage
from nvcodec.training.settings import CONDITIONAL, TrainSettings
from nvcodec.training.validation import PREDICTED

_WATCHING = ("validation_clips", "log_every", "validate_every", "checkpoint_minutes")  # decide no weight
_LIMITS = """\
- Trained on small pieces of its corpus in 8-bit 4:2:0. What is not among them, such as screens, text, drawings, film
  grain and HDR, it codes too, at a worse rate.
- A stream decodes with these very weights and no others; their id stands in it.
- It was made to code pictures. It recognises nobody and nothing, and what it makes up at low rates is texture: decoded
  pictures of low quality are no evidence of detail."""


_PSNR = "PSNR (6Y + U + V) / 8 of 8-bit planes, means over the clips."
_TABLES = f"bits of the coder's tables without headers, {_PSNR}"
_REAL = f"bytes of whole units, motion included, coded and decoded again, {_PSNR}"
_ESTIMATED = f"bits that the loss says, motion included, of predicted frames without their key frame, {_PSNR}"


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
    if isinstance(facts.weights.config, ConditionalConfig):
        return f"{_what_predicted(facts)}\n\n{_identity(facts)}"
    size, temporal = facts.stages[-1].settings.model, _temporal(facts.stages)
    codecs = "`intra` and `stem`" if temporal else "`intra`"
    lacks = "" if temporal else " Its temporal prior is untrained: `stem` would run, and gain nothing."
    return (
        f"Weights of nvcodec's trained {'codecs' if temporal else 'codec'} {codecs}, size `{size}`: one autoencoder "
        "for every frame, and a prior in integers\nthat reads decoded latents only "
        f"(bitstream/TRAINED.md).{lacks}\n\n{_identity(facts)}"
    )


def _what_predicted(facts: Facts) -> str:
    size = facts.stages[-1].settings.model.removeprefix(CONDITIONAL)
    keys = facts.weights.about.get("key weights", "")
    lengths = ", then ".join(dict.fromkeys(f"{stage.settings.frames}" for stage in facts.stages))
    return (
        f"Weights of nvcodec's trained codec `conditional`, size `{size}`: transforms of predicted frames given "
        "motion-compensated\npredictions, and a prior in integers that reads decoded latents and motion only "
        "(bitstream/CONDITIONAL.md). Key frames\nare coded by other weights: in training those of id "
        f"`{keys or 'not recorded'}`,\nin chains of {lengths} frames, each predicted from what was decoded."
    )


def _identity(facts: Facts) -> str:
    return (
        f"- id `{facts.weights.id.hex()}`, over what a decoder needs\n"
        f"- {len(facts.data)} bytes, SHA-256 `{hashlib.sha256(facts.data).hexdigest()}`"
    )


def _temporal(stages: Sequence[Stage]) -> bool:
    return any(stage.settings.stage == "inter" for stage in stages)


def _sizes(facts: Facts) -> str:
    """Parameters, bytes and multiply-adds of each part."""
    parts = part_macs(facts.weights.config)
    lines = ["| part | parameters | bytes | kMAC a pixel |", "|---|---|---|---|"]
    for name, macs in parts.items():
        arrays = facts.weights.part(f"{name}.").values()
        count, size = sum(a.size for a in arrays), sum(a.nbytes for a in arrays)
        lines.append(f"| {name.replace('_', '-')} | {count} | {size} | {macs / 1000:.2f} |")
    decoder = sum(parts.get(name, 0.0) for name in ("context", "prior", "synthesis"))
    encoder = sum(macs for name, macs in parts.items() if name != "synthesis")
    again = " (and the synthesis, to show what is coded)" if "context" in parts else ""
    both = f"{encoder / 1000:.1f} kMAC a luma pixel to encode{again}, {decoder / 1000:.1f}"
    return "\n".join(lines) + f"\n\n{both} to decode."


def part_macs(config: Config) -> dict[str, float]:
    """Multiply-adds of each part for a luma pixel, parts in the order of their names."""
    rest = {"hyper_encoder": hyper_macs(config.prior), "prior": prior_macs(config.prior)}
    if not isinstance(config, ConditionalConfig):
        transform = transform_macs(config.transform) / 2
        return {"analysis": transform, **rest, "synthesis": transform}
    with torch.random.fork_rng(
        devices=[]
    ):  # on the CPU, for autocast, which linear paths turn off, knows no meta device
        picture, latents = torch.zeros(1, FEATURES, 2, 2), torch.zeros(1, LATENTS, 1, 1)
        seen = Seen(picture, torch.zeros(1, 2, 2, config.transform.width8))
        context, lambdas = Context(config.transform), [1.0] * len(QUALITY_ANCHORS)
        analysis = ConditionalAnalysis(config.transform, lambdas)
        synthesis = ConditionalSynthesis(config.transform, lambdas)
    both = {"analysis": _counted(lambda: analysis(picture, seen, 0.0), 16**2)}
    both["context"] = _counted(lambda: context(picture, picture, False, 0.0), 16**2)
    return {**both, **rest, "synthesis": _counted(lambda: synthesis(latents, seen, 0.0), 16**2)}


def _counted(work: Callable[[], object], pixels: int) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops() / 2 / pixels)


def hyper_macs(config: PriorConfig) -> float:
    """Multiply-adds of the hyper-encoder for a luma pixel, 64 x 64 of which make one position of z."""
    with torch.device("meta"):
        latents, encoder = torch.empty(1, 4 * config.latents, 4, 4), HyperEncoder(config)
    return _counted(lambda: encoder(latents, latents), 64**2)


def _reaches(facts: Facts) -> str:
    figures, predicted = facts.figures, isinstance(facts.weights.config, ConditionalConfig)
    if figures is None or not figures.rows:
        return "Not measured."
    if figures.rows[0].get("of", PREDICTED if predicted else None) == PREDICTED:
        rows = [{**row, **{name: [fmean(row[name])] for name in ("bpp", "psnr")}} for row in figures.rows]
        table, how = _table(rows, ["predicted frames, means"]), _ESTIMATED
    elif predicted:
        table, how = _table(figures.rows, ["key frame", "predicted frames, means"]), _REAL
    else:
        table, how = _table(figures.rows, ["first picture", "those that follow, means"]), _TABLES
    return f"{figures.title}: {how}\n\n{table}"


def _table(rows: Sequence[dict[str, Any]], heads: Sequence[str]) -> str:
    """A row a quality; of the first position, and of the others, if there are any."""
    several = len(rows[0]["bpp"]) > 1
    heads = heads if several else heads[:1]
    table = [
        f"| quality | {' | '.join(f'bpp, {head} | PSNR, {head}' for head in heads)} |",
        "|---" * (1 + 2 * len(heads)) + "|",
    ]
    for row in rows:
        cells = [f"{row['bpp'][0]:.4f} | {row['psnr'][0]:.2f} dB"]
        if several:
            cells.append(f"{fmean(row['bpp'][1:]):.4f} | {fmean(row['psnr'][1:]):.2f} dB")
        table.append(f"| {row['quality']} | {' | '.join(cells)} |")
    return "\n".join(table)


def _corpus(facts: Facts) -> str:
    found = dict.fromkeys(line for stage in facts.stages for line in stage.where.corpora)
    lines = list(found) or list(facts.corpora)
    listed = "\n".join(f"- {line}" for line in lines) or "Not recorded."
    return f"{listed}\n\n{facts.terms}"


def _training(stages: Sequence[Stage]) -> str:
    """A row for each stage."""
    lines = ["| stage | steps | time | on | code |", "|---|---|---|---|---|"]
    begun = [f"`{model_id}`" for stage in stages for model_id in stage.where.began_with]
    for stage in stages:
        machines = ", then ".join(stage.where.machines) or "not recorded"
        commits = ", then ".join(stage.where.commits) or "not recorded"
        lines.append(f"| {' | '.join((stage.settings.stage, *_extent(stage), machines, commits))} |")
    means = (
        "The weights are the running mean of the last stage's; time is that of its steps, without validation.\n"
        "All settings are in the file's metadata, under `stages`."
    )
    if begun:
        means += f"\nIt went on from packed weights, made floats again: {', '.join(begun)}."
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
        begun = [f"FOLDER/*-{model_id}.safetensors" for model_id in stage.where.began_with]
        origin = begun[-1] if begun else f"RUN{number - 1}" if number > 1 else ""
        start = f" --start-from {origin}" if origin else ""
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
