"""What each group is asked for: its share of a goal, where a search begins, and what all groups have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from nvcodec.api.budget import Budget
from nvcodec.api.families import setting_of
from nvcodec.api.passthrough import PacketFeed
from nvcodec.api.rate_model import RateModel
from nvcodec.api.settings import DEFAULT_PRESET, DEFAULT_QUALITY, EncodeSettings
from nvcodec.codecs.base import OBJECTIVES, Codec, GroupSpec, Rest
from nvcodec.container import Reader
from nvcodec.container.timing import timing_size
from nvcodec.format import VideoFormat
from nvcodec.video import Picture


@dataclass(frozen=True)
class Place:
    """Where groups are coded."""

    device: str
    precision: str


@dataclass
class Planner:
    """Makes the spec of each group, from the settings and from what the groups before took."""

    settings: EncodeSettings
    codec: Codec
    format: VideoFormat
    place: Place
    chain: bool  # groups lean on each other
    budget: Budget
    feed: PacketFeed
    rates: RateModel = field(default_factory=RateModel)
    near: float | None = None  # quality of the group before: where a search for the next one's begins

    def learn(self, config: bytes, size: int, frames: int) -> None:
        """What a coded group says of those to come."""
        setting = setting_of(self.codec, config, self.format)
        if setting is not None:
            self.near = max(0.0, setting)
            self.rates.add(size, frames, setting)

    def remember(self, old: Reader) -> None:
        """What the groups of a file that is gone on with say of those to come."""
        for number, entry in enumerate(old.groups):
            head = old.read_head(number)
            size = len(head.config) + sum(unit.length for unit in head.units)
            self.learn(head.config, size, entry.frame_count)

    def spec(self, pictures: list[Picture]) -> GroupSpec:
        """Of the next group."""
        chosen, frames = self.settings, len(pictures)
        timing = timing_size([p.pts for p in pictures], [p.duration for p in pictures])
        target, rest = self.budget.bytes_for(frames, timing, self.feed), None
        shared = self.budget.rest_for(frames, timing, self.feed) if self.codec.family == "trained" else None
        if shared is not None:
            target, rest = shared[0], Rest(shared[1], self.rates.log2_rate)
        return GroupSpec(
            quality=next(q for q in (chosen.quality, self.near, DEFAULT_QUALITY) if q is not None),
            target_bytes=target,
            rest=rest,
            psnr_floor=chosen.psnr,
            preset=chosen.preset or DEFAULT_PRESET,
            seconds=self.budget.seconds_for(frames),
            seed=chosen.seed,
            device=self.place.device,
            precision=self.place.precision,
            model=chosen.model,
            chain=self.chain,
            objective=chosen.objective or OBJECTIVES[0],
            structure=chosen.structure,
        )
