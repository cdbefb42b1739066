"""``nvcodec.encode``: a video file in, an nvc file out, group by group in bounded memory."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import torch

from nvcodec._version import __version__
from nvcodec.api import files
from nvcodec.api.budget import Budget
from nvcodec.api.costs import check_size, level_for, level_of_trained
from nvcodec.api.families import check_family, group_frames, quality_of, weights_digest
from nvcodec.api.grouping import cut, group_lengths
from nvcodec.api.passthrough import PacketFeed
from nvcodec.api.rate_model import RateModel
from nvcodec.api.reporting import Reporter
from nvcodec.api.results import EncodeResult, make_result
from nvcodec.api.resume import adopt, check_same, cut_to_groups, find_part, skip_written
from nvcodec.api.settings import DEFAULT_PRESET, DEFAULT_QUALITY, EncodeSettings, OnProgress
from nvcodec.api.tally import Tally
from nvcodec.api.threads import cpu_threads
from nvcodec.codecs.base import GroupPayload, GroupSpec, Rest
from nvcodec.codecs.registry import AUTO, get_codec
from nvcodec.container import Group, SequenceHeader, Writer
from nvcodec.container import Reader as NvcReader
from nvcodec.container.timing import timing_size
from nvcodec.container.writer import group_size
from nvcodec.engines.job import GroupJob, run_in_process
from nvcodec.errors import InputError, ResumeError, UsageError
from nvcodec.hardware import fast_precision, pick_device, tune_allocator
from nvcodec.video import Picture, Reader, SourceInfo, probe
from nvcodec.video.encoders import CONTAINERS

RETRIES = 3  # of a group that came out too large
RETRY_MARGIN = 8  # bytes below what would just fit


def encode(
    source: str | Path,
    target: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> EncodeResult:
    """Encode the video file ``source`` into the nvc file ``target``.

    ``settings`` are the fields of :class:`~nvcodec.api.settings.EncodeSettings`. ``"-"`` reads y4m from standard input
    or writes to standard output. Work goes to ``target.part``, a valid shorter nvc after every group, and gets its name
    at the end; ``resume`` goes on with such a part if the source is a file; settings that are not given are the part's.
    Raises the errors of :mod:`nvcodec.errors`.
    """
    chosen = EncodeSettings(**(adopt(Path(target), settings) if resume else settings))
    files.check_source(source)
    files.check_target(source, target, overwrite)
    if not files.is_stream(target) and Path(target).suffix.lower() in CONTAINERS:
        raise UsageError(f"{target} has the name of a video; encode writes nvc files, decode writes videos")
    check_family(get_codec(chosen.codec), chosen)
    tune_allocator()
    with cpu_threads(chosen.threads) as threads:
        return _Encode(source, target, chosen, threads, on_progress).run(resume, overwrite)


class _Encode:
    """One call of :func:`encode`."""

    def __init__(
        self,
        source: str | Path,
        target: str | Path,
        settings: EncodeSettings,
        threads: int,
        on_progress: OnProgress | None,
    ) -> None:
        self.started = time.monotonic()
        self.source, self.target, self.settings, self.threads = source, target, settings, threads
        self.on_progress = on_progress
        self.device = pick_device(settings.device)
        self.precision = fast_precision(self.device)
        self.codec = AUTO if settings.codec == "auto" else settings.codec
        self.info: SourceInfo | None = None if files.is_stream(source) else probe(source)
        self.writer: Writer | None = None
        self.tally, self.rates = Tally(), RateModel()
        self.near: float | None = None  # quality of the group before: where a search for the next one's begins

    def run(self, resume: bool, overwrite: bool) -> EncodeResult:
        if resume and (files.is_stream(self.source) or files.is_stream(self.target)):
            raise ResumeError("--resume needs files: a pipe cannot be known again, nor read back")
        source = files.stdin_bytes() if files.is_pipe(self.source) else self.source
        with Reader(source, audio=self.settings.audio) as reader:
            self._plan(reader)
            if not files.is_stream(self.target):
                self._to_file(reader, resume, overwrite)
            elif files.is_pipe(self.target):
                self._groups(reader, files.stdout_bytes(), None)
            else:
                with files.open_output(Path(self.target), "wb") as file:
                    self._groups(reader, file, None)
            return self._result(reader)

    def _to_file(self, reader: Reader, resume: bool, overwrite: bool) -> None:
        part, go_on = find_part(Path(self.target), resume, overwrite)
        with files.open_part(part, go_on) as file:
            try:
                if go_on:
                    check_same(NvcReader(file), self.metadata)
                self._groups(reader, file, cut_to_groups(file) if go_on else None)
            except BaseException:
                if not go_on:
                    files.remove_empty(part)
                raise
            files.finish(part, Path(self.target))

    def _plan(self, reader: Reader) -> None:
        fmt = self.format = reader.format
        check_size(fmt)
        total = self.info.frame_count if self.info else None
        self.gof = group_frames(get_codec(self.codec), self.settings, fmt)
        self.lengths = group_lengths(total, self.gof, even=self.settings.gof is None) if total else []
        self.metadata = {
            "encoder": f"nvcodec {__version__}",
            "settings": json.dumps(self._resolved(total)),
            **files.source_fingerprint(self.source),
        }
        passthrough = self.info.passthrough_bytes if self.info and self.settings.audio else 0
        self.feed = PacketFeed(reader, passthrough)
        self.reporter = Reporter(self.on_progress, self.started, total, self.feed)
        start = self._start(io.BytesIO(), reader, level=0)
        sizes = start.bytes_written - start.passthrough_bytes, start.passthrough_bytes
        groups = max(1, len(self.lengths))
        self.budget = Budget.of(self.settings, fmt, total, groups, sizes, self.feed, self.started)

    def _resolved(self, total: int | None) -> dict[str, str]:
        """All that decides the bytes beside the source: what was chosen, and what this machine makes of it."""
        weights = weights_digest(get_codec(self.codec), self.settings)
        alike = not total or self.lengths == group_lengths(total, self.gof, even=False)
        return {
            **self.settings.described(),
            "codec": self.codec,
            **({"weights": weights} if weights else {}),
            "gof": str(self.gof) if alike else f"{self.gof} at most, even",
            "threads": str(self.threads),
            "device": self.device.partition(":")[0],
            "precision": self.precision,
            "torch": ".".join(torch.__version__.split(".")[:2]),
        }

    def _groups(self, reader: Reader, file: BinaryIO, old: NvcReader | None) -> None:
        pictures = iter(reader)
        if old is not None:
            skip_written(pictures, self.feed, old)
            self._remember(old)
            self.writer = Writer.resume(file, old)  # last, because ``old`` reads by moving the file's position
            self.reporter.frames_done = self.writer.frame_count
            for entry in old.groups:
                self.budget.spend(entry.length, entry.frame_count)
        for group, last in cut(pictures, self.lengths[len(old.groups) if old else 0 :], self.gof):
            if last:  # the packets at the end were read with it, too
                total = self.reporter.frames_total = self.reporter.frames_done + len(group)
                self.budget.end_at(total)
            self._code(group, reader, file)
        if self.writer is None:
            raise InputError(f"{self.source} holds no frames")
        self.writer.write_packets(self.feed.take())
        self.writer.close()
        files.sync(file)

    def _remember(self, old: NvcReader) -> None:
        """What the groups of a file that is gone on with say of those to come."""
        for number, entry in enumerate(old.groups):
            head = old.read_head(number)
            self.near = quality_of(get_codec(self.codec), head.config, self.format)
            if self.near is not None:
                size = len(head.config) + sum(unit.length for unit in head.units)
                self.rates.add(size, entry.frame_count, self.near)

    def _code(self, pictures: list[Picture], reader: Reader, file: BinaryIO) -> None:
        packets = self.feed.take()
        payload = self._fitted(pictures)
        self.near = payload.notes.get("quality")
        if self.near is not None:
            self.rates.add(payload.size, len(pictures), self.near)
        writer = self.writer = self.writer or self._open_writer(payload, reader, file, len(pictures))
        writer.write_packets(packets)
        before = writer.bytes_written
        writer.write_group(_group(payload, pictures, writer))
        files.sync(file)
        self.budget.spend(writer.bytes_written - before, len(pictures))
        self.tally.add(payload, len(pictures), writer.group_count - 1)
        self.reporter.group_done(payload, len(pictures), writer)

    def _fitted(self, pictures: list[Picture]) -> GroupPayload:
        """The group coded, again where it came out larger than the rest of the goal allows."""
        spec = self._spec(pictures)
        payload = self._run(pictures, spec)
        most = self.budget.most_for(self.feed)
        for _ in range(RETRIES):
            over = 0 if most is None else group_size(_group(payload, pictures, self.writer)) - most
            if over <= 0 or spec.target_bytes is None or spec.target_bytes == 1:
                break
            if payload.filled and not payload.goal_met:
                break  # nothing smaller can be made
            room = max(1, min(spec.target_bytes, payload.size) - over - RETRY_MARGIN)
            spec = replace(spec, target_bytes=room, rest=None)
            again = self._run(pictures, spec)
            payload = again if again.size < payload.size else payload
        return payload

    def _run(self, pictures: list[Picture], spec: GroupSpec) -> GroupPayload:
        job = GroupJob(self.codec, [p.planes for p in pictures], self.format, spec, self.threads)
        return run_in_process(job, self.reporter.fitting(len(pictures), self.writer))

    def _spec(self, pictures: list[Picture]) -> GroupSpec:
        chosen, frames = self.settings, len(pictures)
        timing = timing_size([p.pts for p in pictures], [p.duration for p in pictures])
        codec = get_codec(self.codec)
        target, rest = self.budget.bytes_for(frames, timing, self.feed), None
        shared = self.budget.rest_for(frames, timing, self.feed) if codec.family == "trained" else None
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
            device=self.device,
            precision=self.precision,
            model=chosen.model,
            structure=chosen.structure,
        )

    def _open_writer(self, first: GroupPayload, reader: Reader, file: BinaryIO, frames: int) -> Writer:
        """The header waits for the first group, whose cost tells the level."""
        codec = get_codec(self.codec)
        cost = codec.cost(first.config, self.format, frames)
        if codec.family == "trained":
            return self._start(file, reader, level_of_trained(cost, max(frames, self.gof)))
        alike = self.settings.size is None and self.settings.bpp is None and self.settings.psnr is None
        return self._start(file, reader, level_for(cost, first.size, max(frames, self.gof), alike=alike))

    def _start(self, file: BinaryIO, reader: Reader, level: int) -> Writer:
        writer = Writer(file, SequenceHeader(self.format, get_codec(self.codec).codec_id, level))
        writer.write_metadata(self.metadata)
        for track in reader.tracks:
            writer.write_track(track)
        return writer

    def _result(self, reader: Reader) -> EncodeResult:
        assert self.writer is not None
        seconds = time.monotonic() - self.started
        return make_result(
            self.target, self.settings, self.writer, self.tally, self.budget, list(reader.warnings), seconds
        )


def _group(payload: GroupPayload, pictures: list[Picture], writer: Writer | None) -> Group:
    """The payload as the group that follows on ``writer``'s."""
    number, first = (writer.group_count, writer.frame_count) if writer else (0, 0)
    return Group(
        number, first, len(pictures), None, payload.config, payload.units, payload.symbol_hash,
        payload.picture_hash, [p.pts for p in pictures], [p.duration for p in pictures],
    )  # fmt: skip
