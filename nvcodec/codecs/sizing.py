"""How large a network and how long a fit: from quality, goal, preset and clip. Presets are data."""

from __future__ import annotations

from nvcodec.codecs.base import GroupSpec
from nvcodec.errors import UsageError
from nvcodec.fitting.clip import Clip
from nvcodec.fitting.schedule import Plan

EPOCHS = {"faster": 8, "fast": 25, "medium": 80, "slow": 250, "slower": 800}
FEWEST_STEPS = {"faster": 150, "fast": 400, "medium": 1000, "slow": 2500, "slower": 6000}
BITS_PER_PARAMETER = 4.8  # what a coded parameter weighs after a fit at its natural steps
FEWEST_PARAMETERS = 1500
MOST_PARAMETERS = 40_000_000
FEWEST_SAMPLES = 12_000
PARAMETERS_A_SAMPLE = 2
SHARED = 1.8  # times the parameters of a network that groups to come go on with: its bits are spent once


def parameters_for(clip: Clip, spec: GroupSpec) -> int:
    """Coded numbers (weights and embedding) for a group.

    Under a size goal the network fills its bytes at natural steps. Otherwise its bits follow quality and clip: they
    grow more slowly than the samples, because neighbouring frames and pixels repeat each other.
    """
    if spec.target_bytes is not None:
        count = 8.0 * spec.target_bytes / BITS_PER_PARAMETER
    else:
        megasamples = clip.luma_samples / 1e6
        quality = spec.quality if spec.psnr_floor is None else quality_for_psnr(spec.psnr_floor)
        count = 15_000 * megasamples**0.7 * 2 ** ((quality - 32) / 10) * (SHARED if spec.chain else 1)
    return int(max(FEWEST_PARAMETERS, min(MOST_PARAMETERS, count)))


def quality_for_psnr(floor: float) -> float:
    """A first guess of the quality that reaches a PSNR; attempts correct it."""
    return max(0.0, min(63.0, 32 + (floor - 33) * 3.2))


def samples_a_step(count: int) -> int:
    """Half-size samples that one step should see: as much work as the optimiser has with ``count`` parameters.

    Many small steps fit better than few large ones, until the optimiser's own time, which no sample shares, prevails.
    """
    return max(FEWEST_SAMPLES, count // PARAMETERS_A_SAMPLE)


def fit_plan(clip: Clip, spec: GroupSpec, count: int, seconds_left: float | None, attempt: int, attempts: int) -> Plan:
    """Steps by preset, more at each further attempt; or a share of the seconds that are left."""
    if seconds_left is not None:
        share = 1.0 if attempts == 1 else 0.5  # a first attempt may miss its goal and need another
        return Plan(seconds=seconds_left * share)
    if spec.preset not in EPOCHS:
        raise UsageError(f"no preset {spec.preset!r}; there are: {', '.join(EPOCHS)}")
    epoch = clip.frame_count * clip.phases.shape[-2] * clip.phases.shape[-1] / samples_a_step(count)
    steps = max(FEWEST_STEPS[spec.preset], round(EPOCHS[spec.preset] * epoch))
    return Plan(steps=int(steps * 1.5**attempt))
